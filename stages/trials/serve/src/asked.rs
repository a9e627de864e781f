use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api_error::ApiError;
use crate::tokenizer::{Message, chat_tokens, tokens};

/// Tokens of an answer whose length was not asked for; it ends by itself then.
const OWN_LENGTH: u32 = 128;

/// A request to generate, understood.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) prompt: Vec<u32>,
    /// Tokens to generate.
    pub(crate) output: u32,
    /// `length`, or `stop` when the answer ends by itself.
    pub(crate) finish_reason: &'static str,
    pub(crate) stream: bool,
    /// Usage as the last event.
    pub(crate) usage: bool,
    /// Usage in every event.
    pub(crate) continuous_usage: bool,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a string, a list of strings or a list of token ids"
)]
enum Prompt {
    Text(String),
    Texts(Vec<String>),
    Ids(Vec<u32>),
    ListsOfIds(Vec<Vec<u32>>),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StreamOptions {
    include_usage: bool,
    continuous_usage_stats: bool,
}

/// The fields that matter here; a server takes many more, and so any other is let pass.
#[derive(Deserialize)]
struct Body {
    model: Option<String>,
    prompt: Option<Prompt>,
    messages: Option<Vec<Message>>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    min_tokens: u64,
    #[serde(default)]
    ignore_eos: bool,
    n: Option<u64>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
}

/// Parses a body.
///
/// # Errors
/// 400 in the words for a bad body.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::invalid_body(&error))
}

/// Whether the model that is asked for is the one served; none means any.
pub(crate) fn check_model(asked: Option<&str>, served: &str) -> Result<(), ApiError> {
    match asked {
        Some(asked) if asked != served => Err(ApiError::unknown_model(asked, served)),
        Some(_) | None => Ok(()),
    }
}

impl Asked {
    pub(crate) fn parse(
        body: &[u8],
        chat: bool,
        model: &str,
        max_model_len: u32,
    ) -> Result<Self, ApiError> {
        let body: Body = parse(body)?;
        check_model(body.model.as_deref(), model)?;
        if body.n.is_some_and(|n| n != 1) {
            return Err(ApiError::bad_request(
                "n must be 1: one choice is simulated",
            ));
        }
        let prompt = prompt(&body, chat)?;
        let options = body.stream_options.as_ref();
        let (output, finish_reason) = output(&body, prompt.len(), max_model_len)?;
        Ok(Self {
            prompt,
            output,
            finish_reason,
            stream: body.stream,
            usage: options.is_some_and(|o| o.include_usage),
            continuous_usage: options.is_some_and(|o| o.include_usage && o.continuous_usage_stats),
        })
    }
}

fn prompt(body: &Body, chat: bool) -> Result<Vec<u32>, ApiError> {
    let ids = if chat {
        match &body.messages {
            Some(messages) if !messages.is_empty() => chat_tokens(messages),
            Some(_) | None => return Err(ApiError::bad_request("messages must not be empty")),
        }
    } else {
        match &body.prompt {
            Some(Prompt::Text(text)) => tokens(text, true),
            Some(Prompt::Texts(texts)) if texts.len() == 1 => tokens(&texts[0], true),
            Some(Prompt::Ids(ids)) => ids.clone(),
            Some(Prompt::ListsOfIds(lists)) if lists.len() == 1 => lists[0].clone(),
            Some(Prompt::Texts(_) | Prompt::ListsOfIds(_)) => {
                return Err(ApiError::bad_request("one prompt a request is simulated"));
            }
            None => return Err(ApiError::bad_request("prompt is missing")),
        }
    };
    if ids.is_empty() {
        return Err(ApiError::bad_request("the prompt has no tokens"));
    }
    Ok(ids)
}

/// Tokens to generate and why they end. What is asked for is generated: there is no end of
/// sequence to ignore.
fn output(body: &Body, prompt: usize, max_len: u32) -> Result<(u32, &'static str), ApiError> {
    let room = u64::from(max_len).saturating_sub(prompt as u64);
    if room == 0 {
        return Err(ApiError::prompt_too_long(prompt, max_len));
    }
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    let Some(asked) = body.max_completion_tokens.or(body.max_tokens) else {
        let own = u64::from(OWN_LENGTH).max(body.min_tokens);
        let length = u32::try_from(own).unwrap_or(u32::MAX).min(room);
        let ends_by_itself = length < room && !body.ignore_eos;
        return Ok((length, if ends_by_itself { "stop" } else { "length" }));
    };
    let within = u32::try_from(asked).ok().filter(|asked| *asked <= max_len);
    match within {
        None => Err(ApiError::max_tokens(asked, max_len)),
        Some(0) => Err(ApiError::bad_request(
            "max_tokens must be at least 1, got 0.",
        )),
        Some(asked) if asked > room => Err(ApiError::no_room(prompt, asked, max_len)),
        Some(asked) if body.min_tokens > u64::from(asked) => Err(ApiError::bad_request(format!(
            "min_tokens must be less than or equal to max_tokens={asked}, got {}.",
            body.min_tokens
        ))),
        Some(asked) => Ok((asked, "length")),
    }
}
