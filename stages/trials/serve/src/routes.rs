use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SERVER};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api_error::ApiError;
use crate::app::App;
use crate::asked::{check_model, parse};
use crate::body::ScriptBody;
use crate::clock::unix_s;
use crate::generate::generate;
use crate::tokenizer::{Message, chat_tokens, text, tokens};
use crate::wire::Line;

/// A body in one piece or one that is written as time goes by.
pub(crate) type Body = Either<Full<Bytes>, ScriptBody>;

/// Longest request taken: a prompt of some ten million tokens.
const MOST_BYTES: usize = 64 << 20;

const REQUEST_ID: &str = "x-request-id";

/// Answers a request.
pub(crate) async fn answer(
    app: Arc<App>,
    line: Line,
    request: Request<Incoming>,
) -> Response<Body> {
    let answered = route(&app, &line, request).await;
    let mut response = answered.unwrap_or_else(|error| refusal(&error));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("sbt-simulated"));
    line.note(|record| {
        // Made up or not: by this name the client finds it in the truth log.
        if let Ok(id) = record.request_id.parse() {
            headers.insert(REQUEST_ID, id);
        }
    });
    let status = response.status().as_u16();
    line.note(|record| record.status = Some(status));
    if matches!(response.body(), Either::Left(_)) {
        line.end();
    }
    response
}

async fn route(
    app: &Arc<App>,
    line: &Line,
    request: Request<Incoming>,
) -> Result<Response<Body>, ApiError> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let wanted = match path.as_str() {
        "/health" | "/ping" | "/version" | "/metrics" | "/v1/models" => Method::GET,
        "/v1/chat/completions"
        | "/v1/completions"
        | "/tokenize"
        | "/detokenize"
        | "/reset_prefix_cache" => Method::POST,
        _ => return Err(ApiError::no_route()),
    };
    if head.method != wanted {
        return Err(ApiError::wrong_method());
    }
    if path.starts_with("/v1/") {
        authorize(app, &head.headers)?;
    }
    let body = Limited::new(body, MOST_BYTES).collect().await;
    let body = body.map_err(|_| ApiError::too_large())?.to_bytes();
    match path.as_str() {
        "/v1/chat/completions" => generate(app, line, &head.headers, &body, true).await,
        "/v1/completions" => generate(app, line, &head.headers, &body, false).await,
        "/tokenize" => tokenize(app, &body).map(ok),
        "/detokenize" => detokenize(&body).map(ok),
        "/reset_prefix_cache" => Ok(ok(json!({ "success": app.engine.reset_prefix_cache() }))),
        "/v1/models" => Ok(ok(models(app))),
        "/version" => Ok(ok(
            json!({ "version": concat!("sbt-simulated-", env!("CARGO_PKG_VERSION")) }),
        )),
        "/metrics" => Ok(metrics(app)),
        _ => Ok(whole(StatusCode::OK, "text/plain", "")),
    }
}

fn authorize(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(key) = &app.api_key else {
        return Ok(());
    };
    let sent = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    if sent.and_then(|sent| sent.strip_prefix("Bearer ")) == Some(key) {
        Ok(())
    } else {
        Err(ApiError::unauthorized())
    }
}

/// A response in one piece.
pub(crate) fn whole(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

pub(crate) fn ok(value: Value) -> Response<Body> {
    whole(StatusCode::OK, "application/json", value.to_string())
}

pub(crate) fn refusal(error: &ApiError) -> Response<Body> {
    let body = error.body().to_string();
    let mut response = whole(error.status, "application/json", body);
    if error.status == StatusCode::TOO_MANY_REQUESTS {
        let one_second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, one_second);
    }
    response
}

fn models(app: &App) -> Value {
    json!({ "object": "list", "data": [{
        "id": app.model,
        "object": "model",
        "created": unix_s(),
        "owned_by": "sbt-simulated",
        "root": app.model,
        "parent": null,
        "max_model_len": app.max_model_len,
    }]})
}

fn metrics(app: &App) -> Response<Body> {
    let text = app.metrics.render(&app.engine.gauges(), &app.model);
    whole(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

/// vLLM's form has a prompt or messages, llama.cpp's has content.
#[derive(Deserialize)]
struct Tokenize {
    model: Option<String>,
    prompt: Option<String>,
    messages: Option<Vec<Message>>,
    add_special_tokens: Option<bool>,
    content: Option<String>,
    #[serde(default)]
    add_special: bool,
}

fn tokenize(app: &App, body: &[u8]) -> Result<Value, ApiError> {
    let body: Tokenize = parse(body)?;
    check_model(body.model.as_deref(), &app.model)?;
    if let Some(content) = &body.content {
        return Ok(json!({ "tokens": tokens(content, body.add_special) }));
    }
    let ids = match (&body.prompt, &body.messages) {
        (Some(prompt), _) => tokens(prompt, body.add_special_tokens.unwrap_or(true)),
        (None, Some(messages)) => chat_tokens(messages),
        (None, None) => {
            return Err(ApiError::bad_request(
                "prompt, messages or content is missing",
            ));
        }
    };
    Ok(json!({
        "count": ids.len(),
        "max_model_len": app.max_model_len,
        "tokens": ids,
        "token_strs": null,
    }))
}

#[derive(Deserialize)]
struct Detokenize {
    tokens: Vec<u32>,
}

/// vLLM answers with `prompt`, llama.cpp with `content`: both are given.
fn detokenize(body: &[u8]) -> Result<Value, ApiError> {
    let body: Detokenize = parse(body)?;
    let text = text(&body.tokens);
    Ok(json!({ "prompt": text, "content": text }))
}
