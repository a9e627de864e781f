//! One request over one connection, from its first byte to its answer's end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
    USER_AGENT,
};
use hyper::{Method, Request, Response, Uri};
use sbt_schemas::RequestStatus;
use tokio::sync::Notify;

use crate::answer::{Answer, Expected, Fault};
use crate::chunk::error_of;
use crate::clock::Clock;
use crate::connection::{Connection, Dialer};
use crate::guard::Guard;
use crate::sse::SseReader;
use crate::{ApiKey, ClientError, Connections, Limits, Observed, Target, Warning, fault, redact};

/// Bytes of a refusal that are read.
const REFUSAL_CAP: usize = 64 << 10;
/// Bytes of an answer that comes whole; chosen: far above the longest context's text.
const WHOLE_CAP: usize = 64 << 20;
/// How long the end of the body is waited for after the terminator, so that the connection serves on.
const LINGER_S: f64 = 0.05;
/// How long the text of a refusal is waited for.
const REFUSAL_S: f64 = 5.0;

/// All that the requests of a run share.
pub(crate) struct Exchange {
    pub(crate) dialer: Dialer,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    /// Tells every request in flight to give up.
    pub(crate) cancel: Arc<Notify>,
    heard: Arc<Heard>,
    uri: Uri,
    headers: HeaderMap,
    key: Option<ApiKey>,
}

impl Exchange {
    pub(crate) fn new(
        target: &Target,
        dialer: Dialer,
        limits: Limits,
        clock: Clock,
        heard: Arc<Heard>,
    ) -> Result<Self, ClientError> {
        let refused = |e: &dyn std::fmt::Display| ClientError::Request(e.to_string());
        let mut headers = HeaderMap::new();
        let host = HeaderValue::try_from(target.authority()).map_err(|e| refused(&e))?;
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let agent = concat!("sbt/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        if let Some(key) = &target.key {
            headers.insert(AUTHORIZATION, key.header());
        }
        Ok(Self {
            dialer,
            limits,
            clock,
            cancel: Arc::new(Notify::new()),
            heard,
            uri: target.path().parse().map_err(|e| refused(&e))?,
            headers,
            key: target.key.clone(),
        })
    }

    /// Makes one attempt and fills in what it saw; gives the connection back when it can serve on.
    pub(crate) async fn attempt(
        &self,
        seen: &mut Observed,
        body: &Bytes,
        expected: Expected,
        idle: Option<Connection>,
        guard: &mut Guard,
    ) -> Option<Connection> {
        let outcome = self.try_attempt(seen, body, expected, idle, guard).await;
        seen.end_s.get_or_insert_with(|| self.clock.now());
        let connection = match outcome {
            Ok(connection) => Some(connection),
            Err((status, said)) => {
                seen.status = status;
                seen.error = Some(said);
                None
            }
        };
        seen.error = seen
            .error
            .take()
            .map(|said| redact(&said, self.key.as_ref()));
        let serves_on = self.limits.connections != Connections::Fresh;
        connection.filter(|connection| serves_on && connection.is_idle())
    }

    async fn try_attempt(
        &self,
        seen: &mut Observed,
        body: &Bytes,
        expected: Expected,
        idle: Option<Connection>,
        guard: &mut Guard,
    ) -> Result<Connection, Fault> {
        let mut connection = self.connection(seen, idle, guard).await?;
        let mut head = self.send(seen, &mut connection, body, guard).await;
        if let Err(SendFault::Unwritten) = head {
            // the server had closed it while it was idle: once more, on a connection of its own
            connection = self.connection(seen, None, guard).await?;
            head = self.send(seen, &mut connection, body, guard).await;
        }
        let response = head.map_err(SendFault::into_fault)?;
        self.read_head(seen, &response);
        connection.served += 1;
        self.read_answer(seen, &mut connection, response, expected, guard)
            .await?;
        Ok(connection)
    }

    async fn connection(
        &self,
        seen: &mut Observed,
        idle: Option<Connection>,
        guard: &mut Guard,
    ) -> Result<Connection, Fault> {
        if let Some(mut idle) = idle
            && idle.is_open().await
        {
            seen.conn_ready_s = Some(self.clock.now());
            seen.conn_reused = Some(idle.served > 0);
            return Ok(idle);
        }
        seen.conn_start_s = Some(self.clock.now());
        seen.conn_reused = Some(false);
        guard.connecting(&self.limits);
        let connection = guard.watch(self.dialer.dial()).await??;
        seen.conn_ready_s = Some(self.clock.now());
        Ok(connection)
    }

    async fn send(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        body: &Bytes,
        guard: &mut Guard,
    ) -> Result<Response<Incoming>, SendFault> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let before = connection.written().bytes();
        guard.sending(&self.limits);
        let answer = connection.send(request);
        let outcome = connection.drive(guard, answer).await;
        let written = connection.written();
        let count = written.bytes() - before;
        let is_sent = !written.has_failed() && count > body.len() as u64;
        if is_sent {
            seen.sent_s = Some(self.clock.at(written.last()));
        }
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) if count == 0 && seen.conn_start_s.is_none() => Err(SendFault::Unwritten),
            Ok(Err(error)) => Err(SendFault::Fault(fault::of_exchange(&error, is_sent))),
            Err(fault) => Err(SendFault::Fault(fault)),
        }
    }

    fn read_head(&self, seen: &mut Observed, response: &Response<Incoming>) {
        let now_s = self.clock.now();
        self.heard.note(now_s);
        seen.headers_s = Some(now_s);
        seen.http_status = Some(response.status().as_u16());
        let text = |name: &str| response.headers().get(name)?.to_str().ok();
        seen.retry_after_s = retry_after(response.headers());
        if seen.retry_after_s.is_some() {
            seen.warn(Warning::RetryAfter);
        }
        seen.server_request_id = text("x-request-id").map(str::to_owned);
    }

    async fn read_answer(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        response: Response<Incoming>,
        expected: Expected,
        guard: &mut Guard,
    ) -> Result<(), Fault> {
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE);
        let is_stream = kind.and_then(|v| v.to_str().ok()).is_some_and(|v| {
            v.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        });
        if !status.is_success() {
            return self.read_refusal(seen, connection, response, guard).await;
        }
        let mut answer = Answer::new(expected, seen.headers_s.unwrap_or_default());
        let mut body = response.into_body();
        let broken = if is_stream {
            self.read_stream(seen, connection, &mut body, &mut answer, guard)
                .await
        } else {
            let (bytes, broken) = self
                .read_whole(seen, connection, &mut body, WHOLE_CAP, guard)
                .await;
            if broken.is_none() {
                answer.whole(seen, &bytes);
            }
            broken
        };
        seen.end_s = Some(self.clock.now());
        let is_done = answer.is_done();
        answer.settle(seen, broken);
        if is_done && is_stream {
            self.linger(connection, &mut body, guard).await;
        }
        Ok(())
    }

    async fn read_stream(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        body: &mut Incoming,
        answer: &mut Answer,
        guard: &mut Guard,
    ) -> Option<Fault> {
        let mut reader = SseReader::default();
        while !answer.is_over() {
            let frame = connection.drive(guard, body.frame()).await;
            let now = Instant::now();
            let data = match frame {
                Err(fault) => return Some(fault),
                Ok(Some(Err(error))) => return Some(fault::of_exchange(&error, true)),
                Ok(None) => {
                    if reader.ends_with_terminator() {
                        answer.terminate();
                    }
                    return None;
                }
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            seen.bytes_in += data.len() as u64;
            let at = self.clock.at(now);
            self.heard.note(at);
            let tokens = seen.events.len();
            reader.feed(&data, &mut |event| answer.event(seen, at, event));
            if seen.events.len() > tokens {
                guard.token(&self.limits, now);
            }
        }
        None
    }

    /// Reads a body to its end or to `cap` bytes.
    async fn read_whole(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        body: &mut Incoming,
        cap: usize,
        guard: &mut Guard,
    ) -> (Vec<u8>, Option<Fault>) {
        let mut bytes = Vec::new();
        loop {
            let data = match connection.drive(guard, body.frame()).await {
                Err(fault) => return (bytes, Some(fault)),
                Ok(Some(Err(error))) => return (bytes, Some(fault::of_exchange(&error, true))),
                Ok(None) => return (bytes, None),
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            seen.bytes_in += data.len() as u64;
            bytes.extend_from_slice(&data);
            if bytes.len() > cap {
                let said = format!("an answer of more than {cap} bytes that is no stream");
                return (bytes, Some((RequestStatus::SseGarbage, said)));
            }
        }
    }

    async fn read_refusal(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        response: Response<Incoming>,
        guard: &mut Guard,
    ) -> Result<(), Fault> {
        guard.lingering(REFUSAL_S);
        let status = response.status();
        let place = response.headers().get(LOCATION).cloned();
        let mut body = response.into_body();
        // a text that breaks off is still the reason
        let (bytes, broken) = self
            .read_whole(seen, connection, &mut body, REFUSAL_CAP, guard)
            .await;
        if let Some((RequestStatus::CancelledByClient, said)) = broken {
            return Err((RequestStatus::CancelledByClient, said));
        }
        let text = String::from_utf8_lossy(&bytes);
        let said = error_of(&bytes).unwrap_or_else(|| text.trim().to_owned());
        let said = match (said.is_empty(), place) {
            (false, _) => said,
            (true, Some(place)) => format!("{status}: moved to {place:?}"),
            (true, None) => status.to_string(),
        };
        seen.status = fault::of_http(status.as_u16(), &text);
        seen.error = Some(said);
        Ok(())
    }

    /// Reads on to the end of the body, which comes at once from servers that let connections serve on.
    async fn linger(&self, connection: &mut Connection, body: &mut Incoming, guard: &mut Guard) {
        guard.lingering(LINGER_S);
        while let Ok(Some(Ok(_))) = connection.drive(guard, body.frame()).await {}
    }
}

/// When anything last came from the server, over any connection of a run: nanoseconds from t0.
#[derive(Debug, Default)]
pub(crate) struct Heard(AtomicU64);

impl Heard {
    pub(crate) fn note(&self, at_s: f64) {
        self.0.store((at_s * 1e9) as u64, Relaxed);
    }

    pub(crate) fn last_s(&self) -> f64 {
        self.0.load(Relaxed) as f64 / 1e9
    }
}

/// The pause that an answer asks for, seconds: as such, or up to a date. That counts from the date of the
/// answer itself, so that no clock but the server's is asked.
fn retry_after(headers: &HeaderMap) -> Option<f64> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(s) = asked.parse::<f64>() {
        return Some(s).filter(|s| s.is_finite() && *s >= 0.0);
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let now = httpdate::parse_http_date(text(DATE)?).ok()?;
    let pause = until.duration_since(now);
    Some(pause.map_or(0.0, |pause| pause.as_secs_f64()))
}

/// Why no head came.
enum SendFault {
    /// The connection had been closed: nothing was written, nothing is lost.
    Unwritten,
    Fault(Fault),
}

impl SendFault {
    fn into_fault(self) -> Fault {
        match self {
            Self::Unwritten => (
                RequestStatus::SendFailed,
                "the connection was closed".to_owned(),
            ),
            Self::Fault(fault) => fault,
        }
    }
}
