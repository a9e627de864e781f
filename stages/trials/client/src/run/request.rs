use std::sync::Arc;

use bytes::Bytes;
use sbt_schemas::RequestStatus;

use super::shared::Place;
use crate::Observed;
use crate::answer::Expected;
use crate::clock::span;
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::guard::Guard;

/// A request that is to be sent at once.
pub(super) struct Request {
    pub(super) slot: usize,
    pub(super) intended_s: f64,
    pub(super) dispatched_s: f64,
    pub(super) in_flight: u64,
    pub(super) body: Bytes,
    pub(super) expected: Expected,
    pub(super) idle: Option<Connection>,
    pub(super) guard: Guard,
    pub(super) place: Place,
}

/// A request that has ended.
pub(super) struct Ended {
    pub(super) slot: usize,
    pub(super) seen: Observed,
    pub(super) idle: Option<Connection>,
    pub(super) place: Place,
}

/// Sends it, again where the limits allow it; the last attempt is what is seen.
pub(super) async fn serve(exchange: Arc<Exchange>, mut request: Request) -> Ended {
    let limits = &exchange.limits;
    let mut idle = request.idle.take();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut seen = Observed::unsent(request.intended_s, RequestStatus::ClientFault, None);
        seen.attempts = attempts;
        seen.dispatched_s = Some(request.dispatched_s);
        seen.in_flight_at_send = Some(request.in_flight);
        let guard = &mut request.guard;
        let (body, expected) = (&request.body, request.expected);
        idle = exchange
            .attempt(&mut seen, body, expected, idle, guard)
            .await;
        if attempts <= limits.retries && may_succeed(seen.status) {
            let doublings = i32::try_from(attempts - 1).unwrap_or(i32::MAX);
            let pause_s = limits.backoff_s * 2_f64.powi(doublings);
            let pause = tokio::time::sleep(span(pause_s).unwrap_or_default());
            guard.resting();
            if guard.watch(pause).await.is_ok() {
                continue;
            }
            seen.status = RequestStatus::CancelledByClient;
        }
        return Ended {
            slot: request.slot,
            seen,
            idle,
            place: request.place,
        };
    }
}

/// Whether another attempt may end otherwise.
fn may_succeed(status: RequestStatus) -> bool {
    !status.is_complete()
        && !status.is_invalid()
        && !matches!(
            status,
            RequestStatus::CancelledByClient | RequestStatus::ClientFault
        )
}
