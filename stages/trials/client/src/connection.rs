use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use sbt_schemas::RequestStatus;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::answer::Fault;
use crate::fault;
use crate::guard::Guard;
use crate::wire::{Stream, Wire, Written};
use crate::{ClientError, Target, tls};

/// Makes connections to the one address of a target.
#[derive(Clone)]
pub(crate) struct Dialer {
    address: Result<SocketAddr, String>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dialer {
    /// Looks the address up unless the target has it. An unknown name is the fault of each
    /// connection, not of the dialer.
    pub(crate) fn new(target: &Target) -> Result<Self, ClientError> {
        let address = target.clone().pin().map_err(|e| e.to_string());
        let tls = if target.is_tls() {
            let name = ServerName::try_from(target.host().to_owned())
                .map_err(|e| ClientError::Request(e.to_string()))?;
            let config = Arc::new(tls::config(&target.roots)?);
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        Ok(Self { address, tls })
    }

    pub(crate) async fn dial(&self) -> Result<Connection, Fault> {
        let address = match &self.address {
            Ok(address) => address,
            Err(said) => return Err((RequestStatus::Dns, said.clone())),
        };
        let tcp = TcpStream::connect(address)
            .await
            .map_err(|e| fault::of_connect(&e))?;
        tcp.set_nodelay(true).map_err(|e| fault::of_connect(&e))?;
        let stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await;
                Stream::Tls(Box::new(
                    tls.map_err(|e| (RequestStatus::Tls, e.to_string()))?,
                ))
            }
        };
        Connection::over(stream).await
    }
}

/// A connection that no task but the request's own polls: a task of its own would cost a hop a token.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    link: Link,
    written: Arc<Written>,
    /// Requests that it has carried to their end.
    pub(crate) served: u64,
}

struct Link {
    future: Pin<Box<http1::Connection<TokioIo<Wire>, Full<Bytes>>>>,
    is_over: bool,
}

impl Link {
    fn poll(&mut self, cx: &mut Context<'_>) {
        // its error also reaches the request, with more to tell
        self.is_over = self.is_over || self.future.as_mut().poll(cx).is_ready();
    }
}

impl Connection {
    async fn over(stream: Stream) -> Result<Self, Fault> {
        let written = Arc::new(Written::new());
        let wire = Wire {
            stream,
            written: Arc::clone(&written),
        };
        let (sender, future) = http1::handshake(TokioIo::new(wire))
            .await
            .map_err(|e| fault::of_exchange(&e, false))?;
        Ok(Self {
            sender,
            link: Link {
                future: Box::pin(future),
                is_over: false,
            },
            written,
            served: 0,
        })
    }

    /// Looks once whether the server has closed it meanwhile: nobody polls an idle connection.
    pub(crate) async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            self.link.poll(cx);
            Poll::Ready(())
        })
        .await;
        !self.link.is_over && !self.sender.is_closed()
    }

    /// Whether it can carry another request at once.
    pub(crate) fn is_idle(&self) -> bool {
        !self.link.is_over && self.sender.is_ready()
    }

    pub(crate) fn written(&self) -> &Written {
        &self.written
    }

    /// Starts a request; the answer's head comes when it is driven.
    pub(crate) fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        self.sender.send_request(request)
    }

    /// Polls the connection until `work` on it is done, a limit is over, or the run gives up.
    pub(crate) async fn drive<T>(
        &mut self,
        guard: &mut Guard,
        work: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            self.link.poll(cx);
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            guard.poll(cx).map(Err)
        })
        .await
    }
}
