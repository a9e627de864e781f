use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use sbt_schemas::RequestStatus;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Connection;
use super::stream::Stream;
use crate::answer::Fault;
use crate::{ClientError, Target, fault, tls};

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
        Ok(Connection::over(stream))
    }
}
