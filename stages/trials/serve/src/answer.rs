use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::api_error::ApiError;
use crate::asked::Asked;
use crate::body::{Cut, Outlet};
use crate::clock::monotonic_s;
use crate::engine::Generation;
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::tokenizer::answer_word;
use crate::voice::{DONE, Voice, error_event};
use crate::wire::Line;

const PING_EVERY: Duration = Duration::from_millis(100);

/// One answer under way: its tokens as they come, and how they are told.
pub(crate) struct Answer {
    pub(crate) asked: Asked,
    pub(crate) generation: Generation,
    pub(crate) voice: Voice,
    pub(crate) fault: Option<Fault>,
    pub(crate) line: Line,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) progress: Progress,
    /// What the words of the answer follow from.
    pub(crate) prompt_hash: u64,
    pub(crate) tokens_per_event: u32,
    pub(crate) events_per_write: u32,
}

/// Events that go out in one write.
#[derive(Default)]
struct Batch {
    /// Text of the event that is not full yet.
    text: String,
    event_tokens: u32,
    frame: String,
    events: u32,
    tokens: u32,
}

impl Answer {
    /// Streams it.
    pub(crate) async fn stream(mut self, out: Outlet) -> Result<(), Cut> {
        let played = self.play(&out).await;
        self.line.end();
        played
    }

    fn plays(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    async fn play(&mut self, out: &Outlet) -> Result<(), Cut> {
        if self.plays(Fault::OnlyDone) {
            out.write(DONE).await;
        } else if self.plays(Fault::ErrorFirst) {
            out.write(error_event(&ApiError::internal()) + DONE).await;
        } else if self.plays(Fault::HangFirst) {
            std::future::pending::<()>().await;
        } else if self.plays(Fault::SlowComments) {
            ping_for_ever(out).await;
        } else if self.plays(Fault::Empty) {
            let end = self.voice.text("", Some("stop"), None);
            out.write(self.voice.role() + &end + &self.closing()).await;
        } else if self.tell(out).await? {
            let closing = self.closing();
            if !closing.is_empty() {
                out.write(closing).await;
            }
        }
        Ok(())
    }

    /// Tells every token. False: a fault ended the stream.
    async fn tell(&mut self, out: &Outlet) -> Result<bool, Cut> {
        let mut batch = Batch::default();
        if self.plays(Fault::RoleEarly) {
            out.write(self.voice.role()).await;
        } else {
            batch.frame = self.voice.role();
        }
        let half = self.asked.output / 2;
        while self.progress.tokens < self.asked.output {
            if self.progress.tokens == half {
                self.write(&mut batch, out).await;
                if !self.half_way(out).await? {
                    return Ok(false);
                }
            }
            let Some((word, last)) = self.next_word().await else {
                return Ok(false);
            };
            self.add(&mut batch, &word, last);
            if last || batch.events >= self.events_per_write || !self.generation.due() {
                self.write(&mut batch, out).await;
            }
        }
        Ok(true)
    }

    /// The next word of the answer and whether it is the last.
    pub(crate) async fn next_word(&mut self) -> Option<(String, bool)> {
        let mut emission = self.generation.next().await?;
        if self.plays(Fault::Slow) && self.progress.tokens > 0 {
            emission.at_s = self.progress.received_s
                + self.progress.ttft_s()
                + 10.0 * (emission.at_s - self.progress.received_s - self.progress.ttft_s());
            let left_s = (emission.at_s - monotonic_s()).max(0.0);
            tokio::time::sleep(Duration::from_secs_f64(left_s)).await;
        }
        let word = answer_word(self.prompt_hash, self.progress.tokens);
        let gap_s = self.progress.take(&emission);
        self.metrics.token(&self.progress, gap_s);
        if emission.last {
            self.metrics
                .finished(&self.progress, self.asked.finish_reason);
        }
        Some((word, emission.last))
    }

    fn add(&self, batch: &mut Batch, word: &str, last: bool) {
        batch.text.push_str(word);
        batch.event_tokens += 1;
        if batch.event_tokens < self.tokens_per_event && !last {
            return;
        }
        let finish = self.asked.finish_reason;
        let finish = (last && !self.plays(Fault::NoTerminator)).then_some(finish);
        let continuous = self.asked.continuous_usage && !self.plays(Fault::NoUsage);
        let usage = continuous.then(|| self.progress.running_usage());
        let event = self.voice.text(&batch.text, finish, usage.as_ref());
        batch.frame.push_str(&event);
        batch.tokens += batch.event_tokens;
        batch.events += 1;
        batch.event_tokens = 0;
        batch.text.clear();
    }

    /// Writes the events that are complete. The role of a chat goes with the first of them.
    async fn write(&self, batch: &mut Batch, out: &Outlet) {
        if batch.events == 0 {
            return;
        }
        self.line.carries(std::mem::take(&mut batch.tokens));
        batch.events = 0;
        out.write(std::mem::take(&mut batch.frame)).await;
    }

    /// Plays what goes wrong after half the tokens. False: the stream ends here.
    async fn half_way(&self, out: &Outlet) -> Result<bool, Cut> {
        if self.plays(Fault::Cut) {
            return Err(Cut);
        }
        if self.plays(Fault::Reset) {
            self.line.reset();
            return Err(Cut);
        }
        if self.plays(Fault::Hang) {
            std::future::pending::<()>().await;
        }
        if self.plays(Fault::ErrorAfter) {
            out.write(error_event(&ApiError::internal()) + DONE).await;
            return Ok(false);
        }
        if self.plays(Fault::Garbage) {
            out.write("data: {\"choices\": [{\"delta\n\n").await;
        }
        if self.plays(Fault::BadUtf8) {
            out.write(not_utf8(&self.voice)).await;
        }
        Ok(true)
    }

    /// What follows the last token.
    fn closing(&self) -> String {
        if self.plays(Fault::NoTerminator) {
            return String::new();
        }
        let mut closing = String::new();
        if let Some(usage) = self.usage().filter(|_| self.asked.usage) {
            closing = self.voice.usage(&usage, &self.progress.metrics());
        }
        if !self.plays(Fault::NoDone) {
            closing.push_str(DONE);
        }
        closing
    }

    /// Usage at the end, if it is to be told.
    pub(crate) fn usage(&self) -> Option<Value> {
        let factor = if self.plays(Fault::WrongUsage) { 2 } else { 1 };
        let tokens = self.progress.tokens.saturating_mul(factor);
        (!self.plays(Fault::NoUsage)).then(|| self.progress.usage(tokens))
    }
}

async fn ping_for_ever(out: &Outlet) {
    loop {
        out.write(": ping\n\n").await;
        tokio::time::sleep(PING_EVERY).await;
    }
}

/// An event whose text is no UTF-8; it carries no token of the answer.
fn not_utf8(voice: &Voice) -> Vec<u8> {
    let event = voice.text("\u{0}", None, None);
    let place = event.find("\\u0000").unwrap_or(event.len());
    let after = event.get(place + 6..).unwrap_or_default();
    [&event.as_bytes()[..place], b"\xff\xfe", after.as_bytes()].concat()
}
