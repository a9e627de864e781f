//! What an event of a stream, or a whole answer, may hold; text is borrowed where it can be.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::ServerTimings;

/// Text within a chunk. A type of its own, because serde borrows no `Option<Cow<str>>`.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

fn filled<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    text.map(|t| t.0.as_ref()).filter(|t| !t.is_empty())
}

/// An event of a stream, or a whole answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) choices: Option<Vec<Choice<'a>>>,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<Value>,
    pub(crate) timings: Option<Timings>,
    pub(crate) metrics: Option<Metrics>,
}

/// One of the answers; only the first is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning: Option<Text<'a>>,
    tool_calls: Option<Vec<IgnoredAny>>,
    function_call: Option<IgnoredAny>,
}

impl Choice<'_> {
    fn delta(&self) -> Option<&Delta<'_>> {
        self.delta.as_ref().or(self.message.as_ref())
    }

    /// Text of the answer, if any.
    pub(crate) fn content(&self) -> Option<&str> {
        let said = self.delta().and_then(|d| filled(d.content.as_ref()));
        said.or_else(|| filled(self.text.as_ref()))
    }

    /// Whether there is text of reasoning.
    pub(crate) fn reasons(&self) -> bool {
        self.delta().is_some_and(|d| {
            filled(d.reasoning_content.as_ref()).is_some() || filled(d.reasoning.as_ref()).is_some()
        })
    }

    /// Whether a tool is called.
    pub(crate) fn calls(&self) -> bool {
        self.delta().is_some_and(|d| {
            d.tool_calls.as_ref().is_some_and(|c| !c.is_empty()) || d.function_call.is_some()
        })
    }

    pub(crate) fn finish_reason(&self) -> Option<&str> {
        filled(self.finish_reason.as_ref())
    }
}

/// Counts of a server.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) completion_tokens: Option<u64>,
    pub(crate) prompt_tokens_details: Option<PromptDetails>,
    pub(crate) completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct PromptDetails {
    pub(crate) cached_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct CompletionDetails {
    pub(crate) reasoning_tokens: Option<u64>,
}

/// Timings of llama.cpp.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Timings {
    cache_n: Option<u64>,
    prompt_n: Option<u64>,
    prompt_ms: Option<f64>,
    pub(crate) predicted_n: Option<u64>,
    predicted_ms: Option<f64>,
}

impl Timings {
    /// Tokens of the prompt: those worked on and those from the cache.
    pub(crate) fn prompt_tokens(&self) -> Option<u64> {
        self.prompt_n?.checked_add(self.cache_n.unwrap_or(0))
    }

    pub(crate) fn cached_tokens(&self) -> Option<u64> {
        self.cache_n
    }

    pub(crate) fn server(&self) -> ServerTimings {
        ServerTimings {
            queue_s: None,
            prefill_s: seconds(self.prompt_ms),
            ttft_s: None,
            decode_s: seconds(self.predicted_ms),
        }
    }
}

/// Metrics that vLLM puts beside the usage.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Metrics {
    time_to_first_token_ms: Option<f64>,
    generation_time_ms: Option<f64>,
    queue_time_ms: Option<f64>,
}

impl Metrics {
    pub(crate) fn server(&self) -> ServerTimings {
        ServerTimings {
            queue_s: seconds(self.queue_time_ms),
            prefill_s: None,
            ttft_s: seconds(self.time_to_first_token_ms),
            decode_s: seconds(self.generation_time_ms),
        }
    }
}

fn seconds(ms: Option<f64>) -> Option<f64> {
    ms.map(|ms| ms / 1e3).filter(|s| s.is_finite() && *s >= 0.0)
}

/// The text of an error as servers put it: `{"error": …}`, or SGLang's and older vLLM's flat
/// `{"object": "error", "message": …}`. None when it is no error.
pub(crate) fn error_of(data: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(data).ok()?;
    let error = match value.get("error") {
        Some(Value::Null) | None if value["object"] == "error" => &value,
        Some(Value::Null) | None => return None,
        Some(error) => error,
    };
    Some(said_by(error))
}

/// What an error says, with its type, as the types tell more than some messages.
pub(crate) fn said_by(error: &Value) -> String {
    let message = error["message"].as_str().or(error.as_str());
    match (message, error["type"].as_str()) {
        (Some(message), Some(kind)) if !kind.is_empty() => format!("{message} ({kind})"),
        (Some(message), _) => message.to_owned(),
        (None, _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_escapes_is_borrowed() {
        let data = br#"{"id":"a","choices":[{"delta":{"content":"hi"}}],"usage":null}"#;
        let chunk: Chunk<'_> = serde_json::from_slice(data).unwrap();
        let delta = chunk.choices.as_ref().unwrap()[0].delta().unwrap();
        assert!(matches!(delta.content, Some(Text(Cow::Borrowed("hi")))));
    }

    #[test]
    fn errors_of_all_servers_are_read() {
        for (data, said) in [
            (
                r#"{"error":{"message":"no","type":"T","code":500}}"#,
                "no (T)",
            ),
            (r#"{"error":"no"}"#, "no"),
            (r#"{"object":"error","message":"no","type":""}"#, "no"),
            (r#"{"error":{"code":7}}"#, r#"{"code":7}"#),
        ] {
            assert_eq!(error_of(data.as_bytes()).as_deref(), Some(said));
        }
        assert_eq!(error_of(br#"{"error":null}"#), None);
        assert_eq!(error_of(b"oops"), None);
    }
}
