use hyper::StatusCode;
use serde_json::{Value, json};

/// An error in the words and the form of vLLM.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            param: None,
        }
    }

    fn about(self, param: &'static str) -> Self {
        Self {
            param: Some(param),
            ..self
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestError", message)
    }

    /// JSON that does not parse, or of another shape.
    pub(crate) fn invalid_body(error: &serde_json::Error) -> Self {
        let message = format!("1 validation error:\n  {error}");
        Self::new(StatusCode::BAD_REQUEST, "Bad Request", message).about("body")
    }

    pub(crate) fn prompt_too_long(tokens: usize, max_model_len: u32) -> Self {
        Self::bad_request(format!(
            "This model's maximum context length is {max_model_len} tokens. However, your prompt \
             contains at least {tokens} input tokens, which exceeds this limit even without any \
             output tokens. Please reduce the length of the input prompt. \
             (parameter=input_tokens, value={tokens})"
        ))
        .about("input_tokens")
    }

    pub(crate) fn no_room(tokens: usize, output: u32, max_model_len: u32) -> Self {
        Self::bad_request(format!(
            "This model's maximum context length is {max_model_len} tokens. However, you requested \
             {output} output tokens and your prompt contains {tokens} input tokens, for a total of \
             {total} tokens. Please reduce the length of the input prompt or the number of \
             requested output tokens. (parameter=input_tokens, value={tokens})",
            total = tokens as u64 + u64::from(output),
        ))
        .about("input_tokens")
    }

    pub(crate) fn max_tokens(value: u64, max_model_len: u32) -> Self {
        Self::bad_request(format!(
            "max_tokens={value} cannot be greater than max_model_len={max_model_len}. Please \
             request fewer output tokens. (parameter=max_tokens, value={value})"
        ))
        .about("max_tokens")
    }

    pub(crate) fn unknown_model(asked: &str, served: &str) -> Self {
        let message = format!("The model `{asked}` does not exist. Valid aliases: {served}.");
        Self::new(StatusCode::NOT_FOUND, "NotFoundError", message).about("model")
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFoundError", "Not Found")
    }

    pub(crate) fn wrong_method() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "Method Not Allowed", "Method Not Allowed")
    }

    pub(crate) fn too_large() -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, "BadRequestError", "the request body is too large")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "AuthenticationError",
            "Unauthorized",
        )
    }

    pub(crate) fn overloaded() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let message = "The server is overloaded: its queue is full. Please retry later.";
        Self::new(status, "ServiceUnavailableError", message)
    }

    pub(crate) fn too_many_requests() -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "RateLimitError", "Too many requests")
    }

    pub(crate) fn internal() -> Self {
        let message =
            "EngineCore encountered an issue. See stack trace (above) for the root cause.";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            message,
        )
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.status.as_u16(),
        }})
    }
}
