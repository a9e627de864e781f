use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use reqwest::Url;

use crate::ApiKey;

/// How long one address of several is tried before the next.
const TRY: Duration = Duration::from_secs(2);

/// Which interface requests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `chat/completions`: the prompt is a message of a user.
    Chat,
    /// `completions`: the prompt is text to carry on.
    Completions,
}

impl Api {
    /// Path below the base of the target.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
        }
    }
}

/// Whom a TLS connection trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// The authorities of the system.
    #[default]
    System,
    /// The certificates of this PEM text alone.
    Pem(Vec<u8>),
}

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    /// Scheme, host, port and path prefix, such as `http://localhost:8000/v1`.
    base: Url,
    /// Model that requests name.
    pub model: String,
    /// Key that requests carry.
    pub key: Option<ApiKey>,
    /// Interface that requests use.
    pub api: Api,
    /// Whom TLS trusts.
    pub roots: Roots,
    /// Address that all connections use: one host behind a name, so that runs compare.
    pub address: Option<SocketAddr>,
}

impl Target {
    /// Reads `http://HOST[:PORT][/PREFIX]`, or `https://…`. Model, key and so on are set after.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(url: &str) -> Result<Self, String> {
        let mut base = Url::parse(url.trim()).map_err(|e| format!("`{url}` is no URL: {e}"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(format!("`{url}` starts with neither http:// nor https://"));
        }
        if base.host_str().is_none_or(str::is_empty) {
            return Err(format!("`{url}` names no host"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err("a URL must hold no user and no password; give the key apart".to_owned());
        }
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self {
            base,
            model: String::new(),
            key: None,
            api: Api::Chat,
            roots: Roots::System,
            address: None,
        })
    }

    /// The URL without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Host name or address, IPv6 without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.base.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Port, the scheme's own where the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.base.port_or_known_default().unwrap_or(80)
    }

    /// Host and port as the header `Host` has them.
    pub(crate) fn authority(&self) -> &str {
        self.base.authority()
    }

    /// Path of the interface, such as `/v1/chat/completions`.
    pub(crate) fn path(&self) -> String {
        format!(
            "{}/{}",
            self.base.path().trim_end_matches('/'),
            self.api.path()
        )
    }

    /// The head of every request, up to the length of its body.
    pub(crate) fn request_head(&self) -> Vec<u8> {
        let (path, host, version) = (self.path(), self.authority(), env!("CARGO_PKG_VERSION"));
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: sbt/{version}\r\n\
             content-type: application/json\r\naccept: text/event-stream\r\n"
        )
        .into_bytes();
        if let Some(key) = &self.key {
            let key = key.header();
            head.extend_from_slice(&[b"authorization: ", key.as_bytes(), b"\r\n"].concat());
        }
        head.extend_from_slice(b"content-length: ");
        head
    }

    /// URL of a path of the server: below the base with a leading `./`, else from its root.
    pub(crate) fn side_url(&self, path: &str) -> String {
        match path.strip_prefix("./") {
            Some(below) => format!("{}/{below}", self.url()),
            None => {
                let root = format!("{}://{}", self.base.scheme(), self.authority());
                format!("{root}/{}", path.trim_start_matches('/'))
            }
        }
    }

    /// Looks the host up and keeps the first address that takes a connection, or else the first.
    ///
    /// # Errors
    /// The resolver's, when the name has no address.
    pub fn pin(&mut self) -> io::Result<SocketAddr> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        let all: Vec<_> = (self.host(), self.port()).to_socket_addrs()?.collect();
        let first = *all
            .first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
        let chosen = if all.len() == 1 {
            first
        } else {
            let open = |a: &&SocketAddr| TcpStream::connect_timeout(a, TRY).is_ok();
            all.iter().find(open).copied().unwrap_or(first)
        };
        self.address = Some(chosen);
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url_are_found() {
        let target = Target::parse("http://[::1]:8000/v1/").unwrap();
        assert_eq!(target.url(), "http://[::1]:8000/v1");
        assert_eq!((target.host(), target.port()), ("::1", 8000));
        assert_eq!(target.path(), "/v1/chat/completions");
        assert_eq!(target.side_url("/metrics"), "http://[::1]:8000/metrics");
        assert_eq!(target.side_url("./models"), "http://[::1]:8000/v1/models");
    }

    #[test]
    fn bare_host_has_default_port_and_no_prefix() {
        let target = Target::parse("https://example.org").unwrap();
        assert_eq!((target.port(), target.is_tls()), (443, true));
        assert_eq!(target.path(), "/chat/completions");
        assert_eq!(target.url(), "https://example.org");
    }

    #[test]
    fn bad_urls_are_refused_with_the_reason() {
        for (url, reason) in [
            ("localhost", "no URL"),
            ("ftp://a/b", "neither http"),
            ("http://user:pw@host/v1", "no password"),
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn address_is_kept_once_found() {
        let mut target = Target::parse("http://127.0.0.1:9").unwrap();
        assert_eq!(target.pin().unwrap().to_string(), "127.0.0.1:9");
        assert_eq!(target.address.unwrap().port(), 9);
    }
}
