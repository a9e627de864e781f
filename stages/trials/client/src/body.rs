//! The JSON of a request.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::vocabulary::Said;
use crate::{Api, Ask, ClientError, Features, Observed, Vocabulary};

/// What was said before in a conversation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conversation {
    /// Messages of the user and answers, in turn.
    said: Vec<(Arc<str>, Arc<str>)>,
    /// Tokens of all this, by the server.
    tokens: u64,
}

impl Conversation {
    /// One message and its answer, of unknown length.
    pub(crate) fn of(text: &str, answer: &str) -> Self {
        Self {
            said: vec![(text.into(), answer.into())],
            tokens: 0,
        }
    }

    /// The conversation after `text` was answered with what was seen.
    pub(crate) fn after(&self, text: &str, ask: &Ask, seen: &Observed) -> Self {
        let mut said = self.said.clone();
        said.push((text.into(), seen.text.as_str().into()));
        let prompt = seen.prompt_tokens.unwrap_or(ask.prompt_tokens.into());
        Self {
            said,
            tokens: prompt.saturating_add(seen.output_tokens),
        }
    }
}

/// What every body of a run has in common.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    pub(crate) api: Api,
    pub(crate) model: String,
    pub(crate) features: Features,
    pub(crate) vocabulary: Vocabulary,
}

impl Bodies {
    /// Checks what the types leave open: tokens cannot stand in a chat, nor carry on an answer's text.
    pub(crate) fn check(&self, asks: &[Ask]) -> Result<(), ClientError> {
        self.vocabulary.check()?;
        if self.vocabulary.ids.is_empty() {
            return Ok(());
        }
        if self.api == Api::Chat {
            return Err(ClientError::Ids("the interface `completions`"));
        }
        if asks.iter().any(|ask| ask.continues) {
            return Err(ClientError::Ids("requests that carry on no conversation"));
        }
        Ok(())
    }

    /// What an ask that comes after `before` says anew.
    pub(crate) fn say(&self, ask: &Ask, before: &Conversation) -> Said {
        self.vocabulary
            .say(&ask.words, ask.prompt_tokens, before.tokens)
    }

    /// The body of a request that says something after `before`.
    pub(crate) fn body(&self, said: &Said, before: &Conversation, output_tokens: u32) -> Bytes {
        let Features {
            include_usage,
            continuous_usage,
            ignore_eos,
            min_tokens,
        } = self.features;
        let is_chat = self.api == Api::Chat;
        let body = Body {
            model: &self.model,
            messages: is_chat.then(|| messages(said.text(), before)),
            prompt: (!is_chat).then(|| prompt(said, before)),
            max_tokens: output_tokens,
            min_tokens: min_tokens.then_some(output_tokens),
            ignore_eos: ignore_eos.then_some(true),
            temperature: 0,
            stream: true,
            stream_options: include_usage.then_some(StreamOptions {
                include_usage: true,
                continuous_usage_stats: continuous_usage.then_some(true),
            }),
        };
        serde_json::to_vec(&body)
            .expect("text and numbers are always JSON")
            .into()
    }
}

fn messages<'a>(text: &'a str, before: &'a Conversation) -> Vec<Message<'a>> {
    let user = |content| Message {
        role: "user",
        content,
    };
    let mut messages = Vec::with_capacity(2 * before.said.len() + 1);
    for (asked, answer) in &before.said {
        messages.push(user(asked));
        messages.push(Message {
            role: "assistant",
            content: answer,
        });
    }
    messages.push(user(text));
    messages
}

fn prompt<'a>(said: &'a Said, before: &Conversation) -> Prompt<'a> {
    let text = match said {
        Said::Ids(ids) => return Prompt::Ids(ids),
        Said::Text(text) => text,
    };
    let mut prompt = String::new();
    for (asked, answer) in &before.said {
        prompt.push_str(asked);
        prompt.push_str(answer);
    }
    prompt.push_str(text);
    Prompt::Text(prompt)
}

#[derive(Serialize)]
#[serde(untagged)]
enum Prompt<'a> {
    Text(String),
    Ids(&'a [u64]),
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Prompt<'a>>,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_eos: Option<bool>,
    temperature: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuous_usage_stats: Option<bool>,
}
