use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::suite::Item;

/// What a server said to an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Why it ended, by the server.
    pub(super) finish: Option<String>,
    /// Tokens, by the server.
    pub(super) tokens: Option<u64>,
    /// Token by token; empty where the server tells none.
    pub(super) steps: Vec<Step>,
    /// Why the server would not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// One token of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) token: String,
    /// The likeliest tokens here with their log-probabilities, nats.
    pub(super) top: Vec<(String, f64)>,
}

/// How items are put: the same for every variant.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// Likeliest tokens to tell for each place; 0 for none.
    pub(super) top_logprobs: u64,
    /// Further fields of each request.
    pub(super) request: Map<String, Value>,
    pub(super) seed: u64,
}

impl Manner {
    /// The request for an item, greedy: the likeliest token each time.
    pub(super) fn request(&self, item: &Item) -> Map<String, Value> {
        let mut request = Map::new();
        request.insert("messages".to_owned(), json!(item.messages));
        request.insert("max_tokens".to_owned(), item.max_tokens.into());
        request.insert("temperature".to_owned(), 0.0.into());
        request.insert("seed".to_owned(), self.seed.into());
        if self.top_logprobs > 0 {
            request.insert("logprobs".to_owned(), true.into());
            request.insert("top_logprobs".to_owned(), self.top_logprobs.into());
        }
        request.extend(self.request.clone());
        request
    }
}

impl Answer {
    /// Reads an answer of `chat/completions`.
    ///
    /// # Errors
    /// When it holds no choice.
    pub(super) fn read(answer: &Value) -> Result<Self, String> {
        let choice = answer.pointer("/choices/0");
        let choice = choice.ok_or_else(|| "the answer has no `choices`".to_owned())?;
        let steps = choice
            .pointer("/logprobs/content")
            .and_then(Value::as_array);
        let word = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            text: word(&choice["message"]["content"]).unwrap_or_default(),
            finish: word(&choice["finish_reason"]),
            tokens: answer["usage"]["completion_tokens"].as_u64(),
            steps: steps.into_iter().flatten().filter_map(Step::read).collect(),
            refused: None,
        })
    }

    pub(super) fn refused(why: String) -> Self {
        Self {
            refused: Some(why),
            ..Self::default()
        }
    }
}

impl Step {
    fn read(step: &Value) -> Option<Self> {
        let top = step["top_logprobs"].as_array();
        let top = top.into_iter().flatten().filter_map(|entry| {
            Some((
                entry["token"].as_str()?.to_owned(),
                entry["logprob"].as_f64()?,
            ))
        });
        Some(Self {
            token: step["token"].as_str()?.to_owned(),
            top: top.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_read_with_its_tokens() {
        let answer = json!({
            "choices": [{ "finish_reason": "stop", "message": { "content": "Yes" }, "logprobs": {
                "content": [{ "token": "Yes", "logprob": -0.1, "top_logprobs": [
                    { "token": "Yes", "logprob": -0.1 }, { "token": "No", "logprob": -2.5 },
                ]}],
            }}],
            "usage": { "completion_tokens": 1 },
        });
        let answer = Answer::read(&answer).unwrap();
        assert_eq!((answer.text.as_str(), answer.tokens), ("Yes", Some(1)));
        assert_eq!(answer.steps[0].top[1], ("No".to_owned(), -2.5));
        assert!(Answer::read(&json!({ "error": "x" })).is_err());
    }
}
