use serde_json::{Value, json};

use crate::api_error::ApiError;

/// What ends a stream.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// Says in every answer that nothing real answered.
pub(crate) const FINGERPRINT: &str = concat!("sbt-simulated-", env!("CARGO_PKG_VERSION"));

/// Forms of the answer to one request, as vLLM writes them.
pub(crate) struct Voice {
    id: String,
    created: u64,
    model: String,
    chat: bool,
    /// Start of every event.
    head: String,
}

/// An error as an event of a stream.
pub(crate) fn error_event(error: &ApiError) -> String {
    format!("data: {}\n\n", error.body())
}

impl Voice {
    pub(crate) fn new(serial: u64, created: u64, model: &str, chat: bool) -> Self {
        let (prefix, object) = if chat {
            ("chatcmpl", "chat.completion.chunk")
        } else {
            ("cmpl", "text_completion")
        };
        let id = format!("{prefix}-sbt{serial:013x}");
        let head = json!({
            "id": id,
            "object": object,
            "created": created,
            "model": model,
            "system_fingerprint": FINGERPRINT,
        });
        let head = format!("data: {}", head.to_string().trim_end_matches('}'));
        Self {
            id,
            created,
            model: model.to_owned(),
            chat,
            head,
        }
    }

    /// The first event of a chat; nothing for a completion.
    pub(crate) fn role(&self) -> String {
        if !self.chat {
            return String::new();
        }
        let delta = r#"{"role":"assistant","content":""}"#;
        self.event(&self.choice(delta, None), None)
    }

    /// An event with text; the last one says why it ends.
    pub(crate) fn text(&self, text: &str, finish: Option<&str>, usage: Option<&Value>) -> String {
        let quoted = Value::from(text);
        let content = if self.chat {
            format!(r#"{{"content":{quoted}}}"#)
        } else {
            quoted.to_string()
        };
        self.event(&self.choice(&content, finish), usage)
    }

    /// The event that carries usage alone.
    pub(crate) fn usage(&self, usage: &Value, metrics: &Value) -> String {
        let head = &self.head;
        format!("{head},\"choices\":[],\"usage\":{usage},\"metrics\":{metrics}}}\n\n")
    }

    fn event(&self, choice: &str, usage: Option<&Value>) -> String {
        let head = &self.head;
        let usage = usage.map_or(String::new(), |usage| format!(",\"usage\":{usage}"));
        format!("{head},\"choices\":[{choice}]{usage}}}\n\n")
    }

    fn choice(&self, content: &str, finish: Option<&str>) -> String {
        let field = if self.chat { "delta" } else { "text" };
        let finish = Value::from(finish);
        format!(
            r#"{{"index":0,"{field}":{content},"logprobs":null,"finish_reason":{finish},"token_ids":null}}"#
        )
    }

    /// The answer in one piece.
    pub(crate) fn whole(
        &self,
        text: &str,
        finish: &str,
        usage: Option<&Value>,
        metrics: &Value,
    ) -> Value {
        let (object, field, content) = if self.chat {
            let message = json!({ "role": "assistant", "content": text });
            ("chat.completion", "message", message)
        } else {
            ("text_completion", "text", Value::from(text))
        };
        let choice = json!({
            "index": 0,
            field: content,
            "logprobs": null,
            "finish_reason": finish,
            "stop_reason": null,
        });
        let mut answer = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": [choice],
        });
        if let Some(usage) = usage {
            answer["usage"] = usage.clone();
        }
        answer["metrics"] = metrics.clone();
        answer
    }
}
