//! TLS: who is trusted and who is not. The certificates are for these tests alone.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sbt_client::{Limits, Roots, Target};
use sbt_schemas::RequestStatus;

use crate::mock::{Step, good};
use crate::support::run_one;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const SERVER: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server.key");

/// A server at `localhost` that answers one request after its handshake.
fn server() -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(SERVER).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, stream.unwrap());
            // a client that does not trust it never sends
            if stream.read(&mut [0; 4096]).is_err() {
                continue;
            }
            for step in good(4) {
                let Step::Send(bytes) = step else { continue };
                stream.write_all(&bytes).unwrap();
            }
        }
    });
    port
}

fn target(roots: &[u8]) -> Target {
    let mut target = Target::parse(&format!("https://localhost:{}/v1", server())).unwrap();
    target.roots = Roots::Pem(roots.to_vec());
    target
}

#[test]
fn server_of_a_trusted_authority_answers() {
    let one = run_one(&target(AUTHORITY), &Limits::default());
    assert_eq!(one.status, RequestStatus::Ok, "{one:#?}");
    assert!(one.sent_s >= one.conn_ready_s && one.conn_ready_s > one.conn_start_s);
}

#[test]
fn server_of_another_authority_is_a_tls_fault() {
    // a certificate of a server is no authority
    let one = run_one(&target(SERVER), &Limits::default());
    assert_eq!(one.status, RequestStatus::Tls, "{one:#?}");
}
