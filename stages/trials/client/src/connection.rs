//! HTTP/1.1 over one connection. The request itself polls it, so that no task, channel or copy stands
//! between the system and a stamp, and a token costs one read.

mod body;
mod dialer;
mod head;
mod stream;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sbt_schemas::RequestStatus;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answer::Fault;
use crate::guard::Guard;
use body::{Body, Piece};
use stream::Stream;

pub(crate) use dialer::Dialer;
pub(crate) use head::Head;

/// Bytes that a connection begins with: a token's event and a head fit in many times.
const FIRST_BYTES: usize = 4 << 10;
/// Bytes that it grows to where a read fills what it has.
const MOST_BYTES: usize = 64 << 10;

/// A connection to the server.
pub(crate) struct Connection {
    stream: Stream,
    /// What came; what is not yet read of it are the bytes at `unread`.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// What is left of the answer that is being read.
    body: Body,
    /// Whether it serves on.
    keeps: bool,
    /// When bytes last came.
    heard: Instant,
    /// Requests that it has carried to their end.
    pub(crate) served: u64,
}

/// A piece of an answer's body.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub(crate) bytes: &'a [u8],
    /// When the read ended that brought it: before anything looked at it.
    pub(crate) at: Instant,
}

/// How far a request was written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    /// Bytes that the system took.
    pub(crate) bytes: usize,
    /// When it took the last byte; none while not all are taken.
    pub(crate) at: Option<Instant>,
}

impl Connection {
    fn over(stream: Stream) -> Self {
        Self {
            stream,
            bytes: Vec::new(),
            unread: 0..0,
            body: Body::Done,
            keeps: true,
            heard: Instant::now(),
            served: 0,
        }
    }

    /// Looks once whether the server has closed it meanwhile, or said something unasked.
    pub(crate) async fn is_open(&mut self) -> bool {
        let silent = poll_fn(|cx| Poll::Ready(self.poll_fill(cx).is_pending())).await;
        silent && self.is_idle()
    }

    /// Whether it can carry another request at once.
    pub(crate) fn is_idle(&self) -> bool {
        self.keeps && self.body == Body::Done && self.unread.is_empty()
    }

    /// When the bytes came that were read last.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Writes a request, and stops when the server answers before its end; `sent` tells how far it came.
    pub(crate) async fn send(
        &mut self,
        head: &[u8],
        body: &[u8],
        sent: &mut Sent,
        guard: &mut Guard,
    ) -> Result<(), Fault> {
        let write = poll_fn(|cx| self.poll_send(cx, head, body, sent));
        let written = guard.watch(write).await?;
        written.map_err(|error| (RequestStatus::SendFailed, error.to_string()))
    }

    /// Reads the head of the answer.
    pub(crate) async fn head(&mut self, guard: &mut Guard) -> Result<Head, Fault> {
        loop {
            if let Some((head, length)) = Head::read(&self.bytes[self.unread.clone()])? {
                self.unread.start += length;
                // what it says before the answer itself
                if (100..200).contains(&head.status) {
                    continue;
                }
                self.body = head.body;
                self.keeps &= head.keeps;
                return Ok(head);
            }
            if self.unread.len() >= MOST_BYTES {
                let said = format!("a head of more than {MOST_BYTES} bytes");
                return Err((RequestStatus::SseGarbage, said));
            }
            if self.fill(guard).await? == 0 {
                let said = "the connection was closed before the answer".to_owned();
                return Err((RequestStatus::StreamCut, said));
            }
        }
    }

    /// Reads on in the body; none at its end.
    pub(crate) async fn content(
        &mut self,
        guard: &mut Guard,
    ) -> Result<Option<Content<'_>>, Fault> {
        let content = loop {
            let start = self.unread.start;
            match self.body.next(&self.bytes[self.unread.clone()])? {
                Piece::Content(range) => break start + range.start..start + range.end,
                Piece::End(used) => {
                    self.unread.start += used;
                    self.body = Body::Done;
                    return Ok(None);
                }
                Piece::More(used) => self.unread.start += used,
            }
            if self.fill(guard).await? == 0 {
                if self.body == Body::UntilClose {
                    return Ok(None);
                }
                let said = "the connection was closed within the answer".to_owned();
                return Err((RequestStatus::StreamCut, said));
            }
        };
        self.unread.start = content.end;
        Ok(Some(Content {
            bytes: &self.bytes[content],
            at: self.heard,
        }))
    }

    async fn fill(&mut self, guard: &mut Guard) -> Result<usize, Fault> {
        let came = guard.watch(poll_fn(|cx| self.poll_fill(cx))).await?;
        came.map_err(|error| {
            // TLS that ends without its own end
            let is_cut = error.kind() == io::ErrorKind::UnexpectedEof;
            let status = if is_cut {
                RequestStatus::StreamCut
            } else {
                RequestStatus::ConnReset
            };
            (status, error.to_string())
        })
    }

    /// Reads once; nothing at the end of the stream, after which it does not serve on.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut free = ReadBuf::new(&mut self.bytes[self.unread.end..]);
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free));
        self.heard = Instant::now();
        let came = free.filled().len();
        self.unread.end += came;
        self.keeps &= result.is_ok() && came > 0;
        if self.unread.end == self.bytes.len() && self.bytes.len() < MOST_BYTES {
            self.bytes.resize(2 * self.bytes.len(), 0);
        }
        Poll::Ready(result.map(|()| came))
    }

    fn make_room(&mut self) {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.end == self.bytes.len() {
            self.bytes.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.bytes.len() {
            let room = self.bytes.len().saturating_mul(2);
            self.bytes.resize(room.max(FIRST_BYTES), 0);
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        head: &[u8],
        body: &[u8],
        sent: &mut Sent,
    ) -> Poll<io::Result<()>> {
        while sent.bytes < head.len() + body.len() {
            let of_body = sent.bytes.saturating_sub(head.len());
            let of_head = sent.bytes.min(head.len());
            let parts = [
                IoSlice::new(&head[of_head..]),
                IoSlice::new(&body[of_body..]),
            ];
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &parts) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => sent.bytes += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let early = ready!(self.poll_fill(cx));
                    self.keeps = false;
                    return Poll::Ready(early.map(|_| ()));
                }
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        sent.at = Some(Instant::now());
        Poll::Ready(Ok(()))
    }
}
