//! Tells a server that hangs from one that is slow.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use sbt_client::Target;
use sbt_client::side::{Side, SideError};
use sbt_engine::StageError;

/// Silence before the first call; chosen: longer than most steps of a server.
const QUIET_S: f64 = 1.0;
/// Between two calls.
const PAUSE: Duration = Duration::from_millis(500);
/// What is called: every server answers it without its model.
const CALL: &str = "./models";

/// Calls the server while it is silent on every request in flight. One that answers, whatever, is
/// alive.
pub(crate) struct Silence {
    state: Arc<State>,
    /// The thread ends with it.
    wakes: Sender<()>,
}

#[derive(Default)]
struct State {
    silent_ms: AtomicU64,
    verdict: OnceLock<String>,
}

impl Silence {
    /// Takes the server to hang when requests and calls got no word for `limit_s`.
    pub(crate) fn start(target: &Target, limit_s: f64) -> Result<Self, StageError> {
        let limit = Duration::try_from_secs_f64(limit_s).unwrap_or(Duration::MAX);
        let side = Side::new(target, limit);
        let side = side.map_err(|error| StageError::user(error.to_string()))?;
        let state = Arc::new(State::default());
        let (wakes, woken) = channel();
        let of_thread = Arc::clone(&state);
        let work = move || of_thread.watch(&side, limit, &woken);
        // a call may outlast the trial: nobody waits for the thread
        let started = thread::Builder::new()
            .name("silence".to_owned())
            .spawn(work);
        started.map_err(|source| StageError::Io {
            what: "the thread that calls a silent server".to_owned(),
            source,
        })?;
        Ok(Self { state, wakes })
    }

    /// Takes note of how long nothing has come while requests were in flight, some times a second.
    pub(crate) fn note(&self, silent_s: f64) {
        self.state.silent_ms.store((silent_s * 1e3) as u64, Relaxed);
        if silent_s > QUIET_S {
            // it has gone when it has its verdict
            let _ = self.wakes.send(());
        }
    }

    /// Why the server is taken to hang, once it is.
    pub(crate) fn verdict(&self) -> Option<String> {
        self.state.verdict.get().cloned()
    }
}

impl State {
    fn watch(&self, side: &Side, limit: Duration, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            if let Some(error) = self.unanswered(side, limit) {
                let silent_s = self.silent().as_secs_f64();
                let said = format!(
                    "nothing came on any request in flight for {silent_s:.0} s, and {error}"
                );
                let _ = self.verdict.set(said);
                return;
            }
            thread::sleep(PAUSE);
            while woken.try_recv().is_ok() {}
        }
    }

    /// Why no call was answered for so long, with silence all the while.
    fn unanswered(&self, side: &Side, limit: Duration) -> Option<SideError> {
        let begun = Instant::now();
        loop {
            let error = side.health(CALL).err()?;
            if matches!(
                error,
                SideError::Refused { .. } | SideError::OtherForm { .. }
            ) {
                return None;
            }
            if self.silent() < begun.elapsed() {
                return None;
            }
            if begun.elapsed() >= limit {
                return Some(error);
            }
            thread::sleep(PAUSE);
        }
    }

    fn silent(&self) -> Duration {
        Duration::from_millis(self.silent_ms.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What is found of a server that takes connections and answers each with `answer`, or never, while
    /// it is silent for so long, by the calls made so far; `None` after three calls, or so many looks.
    fn verdict(
        answer: &'static str,
        silent_s: impl Fn(usize) -> f64,
        looks: usize,
    ) -> Option<String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (calls, called) = channel();
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                // none is closed
                open.push(stream);
                let _ = calls.send(());
            }
        });
        let silence = Silence::start(&Target::parse(&url).unwrap(), 0.3).unwrap();
        let mut seen = 0;
        for _ in 0..looks {
            if silence.verdict().is_some() || seen == 3 {
                break;
            }
            silence.note(silent_s(seen));
            seen += called.try_iter().count();
            thread::sleep(Duration::from_millis(10));
        }
        silence.verdict()
    }

    #[test]
    fn server_without_a_word_hangs() {
        let said = verdict("", |_| 30.0, 6000).unwrap();
        assert!(
            said.starts_with("nothing came on any request in flight for 30 s"),
            "{said}"
        );
        assert!(said.contains("/v1/models gave no answer"), "{said}");
    }

    #[test]
    fn server_that_answers_calls_lives() {
        let refusal = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert_eq!(verdict(refusal, |_| 30.0, 6000), None);
    }

    #[test]
    fn server_that_streams_again_lives() {
        // while the first call waits
        let again = |calls| if calls == 0 { 30.0 } else { 0.0 };
        assert_eq!(verdict("", again, 100), None);
    }
}
