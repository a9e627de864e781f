//! A client that shows exactly what arrives.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use sbt_serve::{Engine, FixedTimes, Handle, Options, spawn};
use serde_json::{Value, json};

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const COMPLETIONS: &str = "/v1/completions";

/// A chat of seven prompt tokens, streamed, with usage at the end.
pub(crate) fn chat(tokens: u64) -> Value {
    json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "one two three" }],
        "max_tokens": tokens,
        "stream": true,
        "stream_options": { "include_usage": true },
    })
}

/// How long a client waits before it says that nothing comes.
const PATIENCE: Duration = Duration::from_millis(400);

/// A server with short times between tokens.
pub(crate) fn fixed() -> Options {
    let times = FixedTimes {
        ttft_s: 0.02,
        itl_s: 0.002,
        max_model_len: 1000,
    };
    Options::new("m", Engine::Fixed(times))
}

pub(crate) fn start(options: Options) -> Handle {
    spawn(options).unwrap()
}

/// How the bytes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection was closed.
    Fin,
    /// The connection was reset.
    Rst,
    /// Nothing came for a while.
    Silence,
    /// The answer is complete.
    Complete,
}

/// What arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

impl Arrived {
    pub(crate) fn status(&self) -> u16 {
        self.head().split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn head(&self) -> String {
        let end = head_end(&self.bytes).unwrap_or(self.bytes.len());
        String::from_utf8(self.bytes[..end].to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head().lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            (key == name).then(|| value.to_owned())
        })
    }

    /// The body, chunks joined.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = &self.bytes[head_end(&self.bytes).unwrap()..];
        if self.header("transfer-encoding").as_deref() == Some("chunked") {
            chunks(body).0.concat()
        } else {
            body.to_vec()
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap()
    }

    /// Events of a stream, without `data: `.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.body()).into_owned();
        let events = text.split("\n\n").filter(|event| !event.is_empty());
        events
            .map(|event| event.strip_prefix("data: ").unwrap_or(event).to_owned())
            .collect()
    }

    /// Events that are JSON.
    pub(crate) fn values(&self) -> Vec<Value> {
        let events = self.events();
        let values = events.iter().filter_map(|e| serde_json::from_str(e).ok());
        values.collect()
    }

    /// Texts of the events that carry some.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.values().into_iter().filter_map(|value| {
            let choice = &value["choices"][0];
            let text = choice["delta"]["content"]
                .as_str()
                .or(choice["text"].as_str())?;
            (!text.is_empty()).then(|| text.to_owned())
        });
        texts.collect()
    }

    pub(crate) fn finish_reason(&self) -> Option<String> {
        let values = self.values();
        let reason = values
            .iter()
            .find_map(|v| v["choices"][0]["finish_reason"].as_str());
        reason.map(str::to_owned)
    }

    pub(crate) fn usage(&self) -> Option<Value> {
        let last = self.values().pop()?;
        (!last["usage"].is_null()).then(|| last["usage"].clone())
    }

    pub(crate) fn done(&self) -> bool {
        self.events().last().is_some_and(|event| event == "[DONE]")
    }

    pub(crate) fn chunks(&self) -> usize {
        chunks(&self.bytes[head_end(&self.bytes).unwrap()..])
            .0
            .len()
    }
}

pub(crate) fn get(addr: SocketAddr, path: &str) -> Arrived {
    exchange(addr, &format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"))
}

pub(crate) fn post(addr: SocketAddr, path: &str, headers: &str, body: &Value) -> Arrived {
    exchange(addr, &posted(path, headers, &body.to_string()))
}

/// Text of a POST; each line of `headers` ends with CRLF.
pub(crate) fn posted(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

pub(crate) fn exchange(addr: SocketAddr, request: &str) -> Arrived {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let arrived = receive(&mut stream);
    // The server may have gone already.
    let _ = stream.shutdown(Shutdown::Both);
    arrived
}

/// Reads until the answer is complete, the connection ends or nothing comes.
pub(crate) fn receive(stream: &mut TcpStream) -> Arrived {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if complete(&bytes) {
            break End::Complete;
        }
        match stream.read(&mut buffer) {
            Ok(0) => break End::Fin,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Rst,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break End::Silence;
            }
            Err(error) => panic!("{error}"),
        }
    };
    Arrived { bytes, end }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

fn complete(bytes: &[u8]) -> bool {
    let Some(end) = head_end(bytes) else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "));
    match length {
        Some(length) => bytes.len() - end >= length.parse::<usize>().unwrap(),
        None => chunks(&bytes[end..]).1,
    }
}

/// Chunks that are whole, and whether the last one has come.
fn chunks(mut body: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    loop {
        let Some(line) = body.windows(2).position(|two| two == b"\r\n") else {
            return (chunks, false);
        };
        let size = std::str::from_utf8(&body[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let rest = &body[line + 2..];
        if size == 0 {
            return (chunks, rest.starts_with(b"\r\n"));
        }
        if rest.len() < size + 2 {
            return (chunks, false);
        }
        chunks.push(rest[..size].to_vec());
        body = &rest[size + 2..];
    }
}
