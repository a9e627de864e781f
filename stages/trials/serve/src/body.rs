use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

/// The connection is to be closed in the middle of the answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut, as asked")]
pub(crate) struct Cut;

/// Where a script puts what is to be written.
#[derive(Clone, Default)]
pub(crate) struct Outlet(Arc<Mutex<Option<Bytes>>>);

impl Outlet {
    /// Hands over one frame; returns when it has been taken.
    pub(crate) async fn write(&self, frame: impl Into<Bytes>) {
        self.put(Some(frame.into()));
        poll_fn(|_| {
            let taken = self.lock().is_none();
            if taken {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn put(&self, frame: Option<Bytes>) -> Option<Bytes> {
        std::mem::replace(&mut self.lock(), frame)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Script = Pin<Box<dyn Future<Output = Result<(), Cut>> + Send>>;

/// A body written by a future that runs inside the connection's own task: no hop to another task
/// between a token and its bytes, and a client that leaves drops the future.
pub(crate) struct ScriptBody {
    script: Script,
    outlet: Outlet,
    wrote: bool,
}

impl ScriptBody {
    pub(crate) fn new<F>(script: impl FnOnce(Outlet) -> F) -> Self
    where
        F: Future<Output = Result<(), Cut>> + Send + 'static,
    {
        let outlet = Outlet::default();
        Self {
            script: Box::pin(script(outlet.clone())),
            outlet,
            wrote: false,
        }
    }
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        // hyper flushes when a body has nothing to give: after each frame, so that one frame is
        // one write and what was written before a cut has left.
        if std::mem::take(&mut self.wrote) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let poll = self.script.as_mut().poll(cx);
        if let Some(frame) = self.outlet.put(None) {
            self.wrote = true;
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        match poll {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(None),
            Poll::Ready(Err(cut)) => Poll::Ready(Some(Err(cut))),
        }
    }
}
