//! One GET, to see whether a server answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Longest status line that is read, bytes.
const STATUS_LINE: usize = 256;

/// How a server answers on its readiness path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// With a status of 200 to 299.
    Ready,
    /// With another status, such as 503 while a model loads.
    Status(u16),
    /// Not at all, for this reason.
    Silent(String),
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready => f.write_str("answers"),
            Self::Status(status) => write!(f, "answers with status {status}"),
            Self::Silent(reason) => write!(f, "does not answer ({reason})"),
        }
    }
}

/// A host as sockets take it: IPv6 addresses without brackets.
pub(crate) fn bindable(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

/// The host to connect to for a server that listens on `host`.
pub(crate) fn reachable(host: &str) -> &str {
    match bindable(host) {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        other => other,
    }
}

pub(crate) fn health(host: &str, port: u16, path: &str, timeout: Duration) -> Health {
    match status(reachable(host), port, path, timeout) {
        Ok(200..=299) => Health::Ready,
        Ok(status) => Health::Status(status),
        Err(error) => Health::Silent(error.to_string()),
    }
}

fn status(host: &str, port: u16, path: &str, timeout: Duration) -> io::Result<u16> {
    let deadline = Instant::now() + timeout;
    let mut stream = connect(host, port, timeout)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < STATUS_LINE && !line.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    parse(&line).ok_or_else(|| io::Error::other("no HTTP answer"))
}

fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match connect_to(address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn connect_to(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    // Linux may connect a port of the ephemeral range to itself while nothing listens there.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

fn parse(line: &[u8]) -> Option<u16> {
    let line = str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one connection with these bytes, or keeps it open without a word.
    fn answered(bytes: Option<&'static [u8]>) -> Health {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1_024];
            let count = stream.read(&mut request).unwrap();
            assert!(request[..count].starts_with(b"GET /health HTTP/1.1\r\nHost: "));
            match bytes {
                Some(bytes) => stream.write_all(bytes).unwrap(),
                None => assert_eq!(stream.read(&mut request).unwrap(), 0),
            }
        });
        let health = health("127.0.0.1", port, "/health", Duration::from_millis(500));
        server.join().unwrap();
        health
    }

    #[test]
    fn status_decides() {
        assert_eq!(answered(Some(b"HTTP/1.1 200 OK\r\n\r\n")), Health::Ready);
        let loading = answered(Some(b"HTTP/1.0 503 Service Unavailable\r\n\r\n"));
        assert_eq!(loading, Health::Status(503));
    }

    #[test]
    fn what_is_no_http_is_silent() {
        for bytes in [
            &b""[..],
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1\r\n",
            b"\xff\n",
            &[b'x'; 4_096],
        ] {
            assert!(
                matches!(answered(Some(bytes)), Health::Silent(_)),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn silence_ends_with_the_time() {
        let silent = Health::Silent("no answer in time".to_owned());
        assert_eq!(answered(None), silent);
    }

    #[test]
    fn closed_port_is_silent() {
        let port = crate::free_port("127.0.0.1").unwrap();
        let health = health("0.0.0.0", port, "/", Duration::from_secs(1));
        assert!(matches!(health, Health::Silent(_)));
    }
}
