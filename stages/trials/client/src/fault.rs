//! What errors mean.

use std::error::Error;
use std::io;

use sbt_schemas::RequestStatus;

use crate::answer::Fault;

/// Phrases in the refusals of prompts that do not fit: vLLM, SGLang, llama.cpp, OpenAI, TGI.
const OVERFLOW: [&str; 7] = [
    "context length",
    "context size",
    "exceed_context_size",
    "max_model_len",
    "context window",
    "context_length_exceeded",
    // vLLM lowers max_tokens to what is left of the context, and min_tokens, which asks for the
    // same length, is then above it.
    "min_tokens must be less than or equal to max_tokens",
];

/// Numbers of `EMFILE` and `ENFILE`: the standard library has no kind for them.
const NO_DESCRIPTOR: [i32; 2] = [24, 23];

/// Why a connection was not made.
pub(crate) fn of_connect(error: &io::Error) -> Fault {
    let number = error.raw_os_error();
    let status = if error.kind() == io::ErrorKind::ConnectionRefused {
        RequestStatus::ConnectRefused
    } else if number.is_some_and(|e| NO_DESCRIPTOR.contains(&e))
        || error.kind() == io::ErrorKind::AddrNotAvailable
    {
        // no descriptor, or no port of its own, is left
        RequestStatus::ClientFault
    } else {
        RequestStatus::ConnectTimeout
    };
    (status, error.to_string())
}

/// An error with all that caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}

/// The class of an HTTP status other than success, with the answer's text.
pub(crate) fn of_http(status: u16, text: &str) -> RequestStatus {
    match status {
        429 => RequestStatus::Http429,
        500.. => RequestStatus::Http5xx,
        400 | 413 | 422 if is_overflow(text) => RequestStatus::ContextOverflow,
        _ => RequestStatus::Http4xx,
    }
}

fn is_overflow(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    OVERFLOW.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_classes() {
        use RequestStatus::*;
        for (status, text, class) in [
            (
                400,
                "This model's maximum context length is 2048 tokens",
                ContextOverflow,
            ),
            (
                400,
                "exceeds the available context size (1024 tokens)",
                ContextOverflow,
            ),
            (
                400,
                "max_tokens=4000 cannot be greater than max_model_len=2048",
                ContextOverflow,
            ),
            (
                400,
                "min_tokens must be less than or equal to max_tokens=4, got 8.",
                ContextOverflow,
            ),
            (400, "temperature must be >= 0", Http4xx),
            (401, "invalid key for context length", Http4xx),
            (302, "", Http4xx),
            (429, "slow down", Http429),
            (503, "overloaded", Http5xx),
        ] {
            assert_eq!(of_http(status, text), class, "{status} {text}");
        }
    }

    #[test]
    fn failed_connects_have_their_classes() {
        for (number, class) in [
            (111, RequestStatus::ConnectRefused),
            (113, RequestStatus::ConnectTimeout),
            (24, RequestStatus::ClientFault),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(of_connect(&error).0, class);
        }
    }
}
