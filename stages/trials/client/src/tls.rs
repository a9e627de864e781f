use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::{ClientError, Roots};

/// TLS as a client, HTTP/1.1 only.
pub(crate) fn config(roots: &Roots) -> Result<ClientConfig, ClientError> {
    trusting(store(roots)?)
}

/// TLS that trusts nobody, for targets without it.
pub(crate) fn config_without_roots() -> Result<ClientConfig, ClientError> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ClientError::Roots(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn store(roots: &Roots) -> Result<RootCertStore, ClientError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
        Roots::Pem(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|e| ClientError::Roots(e.to_string()))?;
                store
                    .add(certificate)
                    .map_err(|e| ClientError::Roots(e.to_string()))?;
            }
        }
    }
    if store.is_empty() {
        return Err(ClientError::Roots("there are none".to_owned()));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_certificates_is_refused() {
        let error = config(&Roots::Pem(b"hello".to_vec())).unwrap_err();
        assert!(error.to_string().contains("there are none"), "{error}");
    }
}
