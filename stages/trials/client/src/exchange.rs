//! One request over one connection, from its first byte to its answer's end.

use std::sync::Arc;

use reqwest::StatusCode;
use sbt_schemas::RequestStatus;
use tokio::sync::Notify;

use crate::answer::{Answer, Expected, Fault};
use crate::chunk::error_of;
use crate::clock::Clock;
use crate::connection::{Connection, Content, Dialer, Head, Sent};
use crate::guard::Guard;
use crate::heard::Heard;
use crate::sse::SseReader;
use crate::{ApiKey, Connections, Limits, Observed, Target, Warning, fault, redact};

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
    /// The head of every request, up to the length of its body.
    head: Vec<u8>,
    key: Option<ApiKey>,
}

impl Exchange {
    pub(crate) fn new(
        target: &Target,
        dialer: Dialer,
        limits: Limits,
        clock: Clock,
        heard: Arc<Heard>,
    ) -> Self {
        Self {
            dialer,
            limits,
            clock,
            cancel: Arc::new(Notify::new()),
            heard,
            head: target.request_head(),
            key: target.key.clone(),
        }
    }

    /// Makes one attempt and fills in what it saw; gives the connection back when it can serve on.
    pub(crate) async fn attempt(
        &self,
        seen: &mut Observed,
        body: &[u8],
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
        body: &[u8],
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
        let head = head.map_err(SendFault::into_fault)?;
        self.read_head(seen, &connection, &head);
        connection.served += 1;
        self.read_answer(seen, &mut connection, head, expected, guard)
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
        body: &[u8],
        guard: &mut Guard,
    ) -> Result<Head, SendFault> {
        guard.sending(&self.limits);
        let head = [&self.head, body.len().to_string().as_bytes(), b"\r\n\r\n"].concat();
        let mut sent = Sent::default();
        let written = connection.send(&head, body, &mut sent, guard).await;
        seen.sent_s = sent.at.map(|at| self.clock.at(at));
        let answer = match written {
            Ok(()) => connection.head(guard).await,
            Err(fault) => Err(fault),
        };
        answer.map_err(
            |(status, said)| match is_break(status) && sent.at.is_none() {
                true if sent.bytes == 0 && seen.conn_start_s.is_none() => SendFault::Unwritten,
                true => SendFault::Fault((RequestStatus::SendFailed, said)),
                false => SendFault::Fault((status, said)),
            },
        )
    }

    fn read_head(&self, seen: &mut Observed, connection: &Connection, head: &Head) {
        let at = self.clock.at(connection.heard());
        self.heard.note(at);
        seen.headers_s = Some(at);
        seen.http_status = Some(head.status);
        seen.retry_after_s = head.retry_after_s();
        if seen.retry_after_s.is_some() {
            seen.warn(Warning::RetryAfter);
        }
        seen.server_request_id.clone_from(&head.request_id);
    }

    async fn read_answer(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        head: Head,
        expected: Expected,
        guard: &mut Guard,
    ) -> Result<(), Fault> {
        if !head.is_success() {
            return self.read_refusal(seen, connection, head, guard).await;
        }
        let is_stream = head
            .content_type
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"));
        let mut answer = Answer::new(expected, seen.headers_s.unwrap_or_default());
        let broken = if is_stream {
            self.read_stream(seen, connection, &mut answer, guard).await
        } else {
            let (bytes, broken) = self.read_whole(seen, connection, WHOLE_CAP, guard).await;
            if broken.is_none() {
                answer.whole(seen, &bytes);
            }
            broken
        };
        seen.end_s = Some(self.clock.now());
        let is_done = answer.is_done();
        answer.settle(seen, broken);
        if is_done && is_stream {
            self.linger(connection, guard).await;
        }
        Ok(())
    }

    async fn read_stream(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        answer: &mut Answer,
        guard: &mut Guard,
    ) -> Option<Fault> {
        let mut reader = SseReader::default();
        while !answer.is_over() {
            let Content { bytes, at } = match connection.content(guard).await {
                Err(fault) => return Some(fault),
                Ok(Some(content)) => content,
                Ok(None) => {
                    if reader.ends_with_terminator() {
                        answer.terminate();
                    }
                    return None;
                }
            };
            let at_s = self.clock.at(at);
            self.heard.note(at_s);
            seen.bytes_in += bytes.len() as u64;
            let tokens = seen.events.len();
            reader.feed(bytes, &mut |event| answer.event(seen, at_s, event));
            if seen.events.len() > tokens {
                guard.token(&self.limits, at);
            }
        }
        None
    }

    /// Reads a body to its end or to `cap` bytes.
    async fn read_whole(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        cap: usize,
        guard: &mut Guard,
    ) -> (Vec<u8>, Option<Fault>) {
        let mut whole = Vec::new();
        loop {
            let content = match connection.content(guard).await {
                Err(fault) => return (whole, Some(fault)),
                Ok(None) => return (whole, None),
                Ok(Some(content)) => content,
            };
            self.heard.note(self.clock.at(content.at));
            seen.bytes_in += content.bytes.len() as u64;
            whole.extend_from_slice(content.bytes);
            if whole.len() > cap {
                let said = format!("an answer of more than {cap} bytes that is no stream");
                return (whole, Some((RequestStatus::SseGarbage, said)));
            }
        }
    }

    async fn read_refusal(
        &self,
        seen: &mut Observed,
        connection: &mut Connection,
        head: Head,
        guard: &mut Guard,
    ) -> Result<(), Fault> {
        guard.lingering(REFUSAL_S);
        // a text that breaks off is still the reason
        let (bytes, broken) = self.read_whole(seen, connection, REFUSAL_CAP, guard).await;
        if let Some((RequestStatus::CancelledByClient, said)) = broken {
            return Err((RequestStatus::CancelledByClient, said));
        }
        let text = String::from_utf8_lossy(&bytes);
        let said = error_of(&bytes).unwrap_or_else(|| text.trim().to_owned());
        let status = StatusCode::from_u16(head.status);
        let status = status.map_or_else(|_| head.status.to_string(), |status| status.to_string());
        let said = match (said.is_empty(), head.location) {
            (false, _) => said,
            (true, Some(place)) => format!("{status}: moved to {place:?}"),
            (true, None) => status,
        };
        seen.status = fault::of_http(head.status, &text);
        seen.error = Some(said);
        Ok(())
    }

    /// Reads on to the end of the body, which comes at once from servers that let connections serve on.
    async fn linger(&self, connection: &mut Connection, guard: &mut Guard) {
        guard.lingering(LINGER_S);
        while let Ok(Some(_)) = connection.content(guard).await {}
    }
}

/// Whether the connection broke, rather than a limit or the run's end.
fn is_break(status: RequestStatus) -> bool {
    matches!(
        status,
        RequestStatus::SendFailed
            | RequestStatus::StreamCut
            | RequestStatus::ConnReset
            | RequestStatus::SseGarbage
    )
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
