//! A server whose every byte is under control: raw TCP, a script a request.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sbt_client::Target;

/// One thing that the server does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes at once.
    Send(Vec<u8>),
    /// Waits.
    PauseMs(u64),
    /// Closes by FIN.
    Close,
    /// Closes by RST.
    Reset,
    /// Does nothing until the client goes away.
    Hang,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
    /// Number of the connection that it came over, from 0.
    pub(crate) connection: usize,
    /// Number of the request, from 0.
    pub(crate) number: usize,
}

type Script = dyn Fn(&Received) -> Vec<Step> + Send + Sync;

pub(crate) struct Mock {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Mock {
    pub(crate) fn start(script: impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let script: Arc<Script> = Arc::new(script);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                thread::spawn(move || converse(stream, connection, &log, &*script));
            }
        });
        Self { address, received }
    }

    /// Answers every request alike.
    pub(crate) fn always(steps: Vec<Step>) -> Self {
        Self::start(move |_| steps.clone())
    }

    /// Answers each connection alike, and reads nothing.
    pub(crate) fn unread(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                for step in &steps {
                    if let Step::Send(bytes) = step {
                        stream.write_all(bytes).unwrap();
                    }
                }
                open.push(stream);
            }
        });
        let received = Arc::default();
        Self { address, received }
    }

    pub(crate) fn target(&self) -> Target {
        let mut target = Target::parse(&format!("http://{}/v1", self.address)).unwrap();
        target.model = "mock".to_owned();
        target
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn converse(mut stream: TcpStream, connection: usize, log: &Mutex<Vec<Received>>, script: &Script) {
    while let Some((head, body)) = read_request(&mut stream) {
        let received = {
            let mut log = log.lock().unwrap();
            let received = Received {
                head,
                body: serde_json::from_slice(&body).unwrap_or_default(),
                connection,
                number: log.len(),
            };
            log.push(received.clone());
            received
        };
        for step in script(&received) {
            let goes_on = match step {
                Step::Send(bytes) => stream.write_all(&bytes).is_ok(),
                Step::PauseMs(ms) => {
                    thread::sleep(Duration::from_millis(ms));
                    true
                }
                Step::Close => {
                    let _ = stream.shutdown(Shutdown::Both);
                    false
                }
                Step::Reset => {
                    let now = Some(Duration::ZERO);
                    rustix::net::sockopt::set_socket_linger(&stream, now).unwrap();
                    false
                }
                Step::Hang => {
                    let _ = stream.read(&mut [0]);
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 65536];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            while bytes.len() < end + 4 + length {
                let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
                bytes.extend_from_slice(&piece[..n]);
            }
            return Some((head, bytes[end + 4..].to_vec()));
        }
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&piece[..n]);
    }
}

/// The head of a stream in chunks.
pub(crate) fn head() -> Step {
    send(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
    )
}

pub(crate) fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

/// One chunk of the body.
pub(crate) fn chunk(data: &[u8]) -> Step {
    let size = format!("{:x}\r\n", data.len());
    Step::Send([size.as_bytes(), data, b"\r\n"].concat())
}

/// One event with this data.
pub(crate) fn event(data: &str) -> Step {
    chunk(format!("data: {data}\n\n").as_bytes())
}

/// One event with this text.
pub(crate) fn token(text: &str) -> Step {
    event(&format!(
        r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#
    ))
}

pub(crate) fn finish(reason: &str) -> Step {
    event(&format!(
        r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#
    ))
}

pub(crate) fn usage(prompt: u64, output: u64) -> Step {
    event(&format!(
        r#"{{"choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{output}}}}}"#
    ))
}

pub(crate) fn done() -> Step {
    event("[DONE]")
}

/// The end of the body.
pub(crate) fn last() -> Step {
    send("0\r\n\r\n")
}

/// A good answer of `tokens` tokens.
pub(crate) fn good(tokens: u64) -> Vec<Step> {
    let mut steps = vec![head()];
    steps.extend((0..tokens).map(|_| token(" a")));
    steps.extend([finish("length"), usage(8, tokens), done(), last()]);
    steps
}

/// An answer that is no stream.
pub(crate) fn plain(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    vec![send(&format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    ))]
}
