use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::monotonic_s;
use crate::truth::Record;

/// What the handler of a request and the socket under it share.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    record: Option<Record>,
    /// The answer is complete but for what is still buffered.
    ended: bool,
    /// Tokens handed to the connection and not written yet.
    tokens: u32,
    /// Bytes after which the connection is closed.
    cut_after: Option<usize>,
    /// Close with RST instead of FIN.
    reset: bool,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the record of a request.
    pub(crate) fn begin(&self, record: Record) {
        let mut state = self.lock();
        state.record = Some(record);
        state.ended = false;
        state.tokens = 0;
    }

    /// Changes the record of the request under way.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.lock().record {
            change(record);
        }
    }

    /// The next write carries this many tokens more.
    pub(crate) fn carries(&self, tokens: u32) {
        self.lock().tokens += tokens;
    }

    /// Nothing more comes for this request.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
    }

    /// Closes the connection after so many bytes of the next write.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.lock().cut_after = Some(bytes);
    }

    /// Lets the connection end with RST.
    pub(crate) fn reset(&self) {
        self.lock().reset = true;
    }
}

impl State {
    fn written(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        if let Some(record) = &mut self.record {
            let now_s = monotonic_s();
            record.first_write_s.get_or_insert(now_s);
            if tokens > 0 {
                record.token_writes.push((now_s, tokens));
            }
        }
    }

    fn close_record(&mut self) {
        if let Some(record) = self.record.take() {
            record.close();
        }
        self.ended = false;
    }
}

/// A socket that stamps what it writes right after the system call, and ends as it is told.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, line: Line) -> Self {
        Self { stream, line }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        if state.reset {
            // A socket that cannot be set up like this closes with FIN: all that is left to do.
            let _ = self.stream.set_zero_linger();
        }
        state.close_record();
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cut = self.line.lock().cut_after;
        let buf = &buf[..cut.unwrap_or(buf.len()).min(buf.len())];
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.line.lock().written();
        if cut.is_some() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.line.lock();
        if state.ended {
            state.close_record();
        }
        drop(state);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
