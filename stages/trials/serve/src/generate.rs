use std::future::pending;
use std::sync::Arc;

use http_body_util::Either;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use crate::answer::Answer;
use crate::api_error::ApiError;
use crate::app::App;
use crate::asked::Asked;
use crate::body::{Cut, ScriptBody};
use crate::clock::{monotonic_s, unix_s};
use crate::fault::Fault;
use crate::progress::Progress;
use crate::routes::{Body, ok, whole};
use crate::tokenizer::{answer_word, chained, tokens};
use crate::voice::Voice;
use crate::wire::Line;

/// Header that asks for a fault.
const FAULT: &str = "x-sbt-fault";

/// Bytes of the headers that `cut_headers` lets through.
const CUT_HEADERS_AFTER: usize = 40;

/// Answers a request to generate.
pub(crate) async fn generate(
    app: &Arc<App>,
    line: &Line,
    headers: &HeaderMap,
    body: &[u8],
    chat: bool,
) -> Result<Response<Body>, ApiError> {
    let received_s = monotonic_s();
    let serial = app.count();
    let fault = match headers.get(FAULT) {
        Some(word) => Some(fault_named(word)?),
        None => app.faults.of(serial),
    };
    line.note(|record| {
        record.received_s = received_s;
        record.fault = fault.map(Fault::word);
    });
    let mut asked = Asked::parse(body, chat, &app.model, app.max_model_len)?;
    if let Some(fault) = fault
        && let Some(response) = instead(fault, &asked, app, line).await
    {
        return response;
    }
    if fault == Some(Fault::Short) {
        asked.output = (asked.output / 2).max(1);
        asked.finish_reason = "stop";
    }
    let prompt_hash = chained(0, &asked.prompt);
    let words = (0..asked.output).map(|n| answer_word(prompt_hash, n));
    let words = tokens(&words.collect::<String>(), false);
    let generation = app.engine.submit(received_s, &asked.prompt, &words);
    let answer = Answer {
        generation: generation.ok_or_else(ApiError::overloaded)?,
        voice: Voice::new(serial, unix_s(), &app.model, chat),
        fault,
        line: line.clone(),
        metrics: Arc::clone(&app.metrics),
        progress: Progress::new(received_s, asked.prompt.len()),
        prompt_hash,
        tokens_per_event: match fault {
            Some(Fault::Chunked4) => 4,
            Some(_) | None => app.tokens_per_event,
        },
        events_per_write: app.events_per_write,
        asked,
    };
    if answer.asked.stream && fault != Some(Fault::NotStreamed) {
        Ok(streamed(
            ScriptBody::new(|out| answer.stream(out)),
            "text/event-stream; charset=utf-8",
        ))
    } else {
        in_one_piece(answer).await
    }
}

fn fault_named(word: &HeaderValue) -> Result<Fault, ApiError> {
    let word = String::from_utf8_lossy(word.as_bytes());
    word.parse::<Fault>()
        .map_err(|unknown| ApiError::bad_request(unknown.to_string()))
}

/// What a fault puts in the place of any answer.
async fn instead(
    fault: Fault,
    asked: &Asked,
    app: &App,
    line: &Line,
) -> Option<Result<Response<Body>, ApiError>> {
    let error = if fault == Fault::Http503 {
        ApiError::overloaded()
    } else if fault == Fault::Http429 {
        ApiError::too_many_requests()
    } else if fault == Fault::Http500 {
        ApiError::internal()
    } else if fault == Fault::Http400 {
        ApiError::bad_request("refused, as asked")
    } else if fault == Fault::ContextOverflow {
        ApiError::prompt_too_long(asked.prompt.len(), app.max_model_len)
    } else if fault == Fault::Unauthorized {
        ApiError::unauthorized()
    } else if fault == Fault::ErrorJson {
        return Some(Ok(ok(ApiError::internal().body())));
    } else if fault == Fault::HangHeaders {
        pending::<()>().await;
        return None;
    } else {
        if fault == Fault::CutHeaders {
            line.cut_after(CUT_HEADERS_AFTER);
        }
        return None;
    };
    Some(Err(error))
}

fn streamed(body: ScriptBody, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Either::Right(body));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The answer as one JSON body. Of the faults of a stream, those that break it or replace it apply
/// to the body; those about single events have no meaning.
async fn in_one_piece(mut answer: Answer) -> Result<Response<Body>, ApiError> {
    let fault = answer.fault;
    let is = |faults: &[Fault]| fault.is_some_and(|fault| faults.contains(&fault));
    if is(&[Fault::HangFirst, Fault::Hang, Fault::SlowComments]) {
        pending::<()>().await;
    }
    if is(&[Fault::ErrorFirst, Fault::ErrorAfter]) {
        return Ok(ok(ApiError::internal().body()));
    }
    let mut text = String::new();
    if !is(&[Fault::Empty]) {
        while let Some((word, _)) = answer.next_word().await {
            text.push_str(&word);
        }
    }
    let finish = if is(&[Fault::Empty]) {
        "stop"
    } else {
        answer.asked.finish_reason
    };
    let usage = answer.usage();
    let metrics = answer.progress.metrics();
    let body = answer
        .voice
        .whole(&text, finish, usage.as_ref(), &metrics)
        .to_string();
    let half = body.len() / 2;
    answer.line.carries(answer.progress.tokens);
    if is(&[Fault::Garbage, Fault::BadUtf8, Fault::OnlyDone]) {
        let broken = [&body.as_bytes()[..half], b"\xff"].concat();
        return Ok(whole(StatusCode::OK, "application/json", broken));
    }
    if is(&[Fault::Cut, Fault::Reset]) {
        let line = answer.line.clone();
        let reset = is(&[Fault::Reset]);
        let script = ScriptBody::new(|out| async move {
            out.write(body.into_bytes()[..half].to_vec()).await;
            if reset {
                line.reset();
            }
            Err(Cut)
        });
        return Ok(streamed(script, "application/json"));
    }
    Ok(whole(StatusCode::OK, "application/json", body))
}
