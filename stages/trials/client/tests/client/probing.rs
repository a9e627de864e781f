//! The probe, and the calls beside the load.

use std::time::Duration;

use sbt_client::side::{Side, SideError, TokenizeForm};
use sbt_client::{Api, Ask, Features, Limits, PromptForm, Vocabulary, probe, run};
use sbt_schemas::RequestStatus;
use serde_json::{Value, json};

use crate::mock::{Mock, Received, Step, done, event, finish, good, head, last, plain, token};
use crate::support::{FEATURES, Patient, ask};

const ALL: Features = Features {
    include_usage: true,
    continuous_usage: true,
    ignore_eos: true,
    min_tokens: true,
};

/// A server with a template: 10 tokens around a message, 4 more around an answer.
fn counting(request: &Received) -> Vec<Step> {
    let words = |text: &Value| text.as_str().unwrap().split_whitespace().count();
    let (count, added) = match request.body["messages"].as_array() {
        Some(messages) => {
            let said = messages.iter().map(|m| words(&m["content"])).sum();
            (said, 10 + 4 * (messages.len() / 2))
        }
        None => match request.body["prompt"].as_array() {
            Some(tokens) => (tokens.len(), 0),
            None => (words(&request.body["prompt"]), 1),
        },
    };
    let tokens = request.body["max_tokens"].as_u64().unwrap();
    let usage = json!({"choices": [], "usage": {
        "prompt_tokens": count + added, "completion_tokens": tokens,
    }});
    let mut steps = vec![head()];
    steps.extend((0..tokens).map(|_| token(" a")));
    steps.extend([finish("length"), event(&usage.to_string()), done(), last()]);
    steps
}

fn probed(mock: &Mock) -> Result<sbt_client::Probe, sbt_client::ProbeFailure> {
    let limits = Limits::default();
    let words = Vocabulary::default();
    probe(&mock.target(), ALL, &words, None, PromptForm::Text, &limits)
}

#[test]
fn template_of_a_chat_is_measured() {
    let probe = probed(&Mock::start(counting)).unwrap();
    assert_eq!(probe.is_exact, Some(true));
    let vocabulary = &probe.vocabulary;
    assert_eq!((vocabulary.frame_tokens, vocabulary.turn_tokens), (10, 4));
    assert!(probe.target.address.is_some());
    // usage came at the end alone
    assert!(!probe.features.continuous_usage && probe.features.include_usage);
    assert_eq!(probe.observed.status, RequestStatus::Ok);
}

#[test]
fn refused_features_are_left_out() {
    let mock = Mock::start(|request| {
        let refused = ["ignore_eos", "min_tokens"];
        match refused.iter().find(|f| request.body.get(**f).is_some()) {
            Some(name) => plain("400 Bad Request", "", &format!("unknown field {name}")),
            None => counting(request),
        }
    });
    let features = probed(&mock).unwrap().features;
    assert!(!features.ignore_eos && !features.min_tokens);
    assert!(features.include_usage);
}

#[test]
fn server_without_chat_is_asked_for_completions() {
    let mock = Mock::start(|request| {
        if request.head.contains("/chat/") {
            plain("404 Not Found", "", r#"{"detail":"Not Found"}"#)
        } else {
            counting(request)
        }
    });
    let probe = probed(&mock).unwrap();
    assert_eq!(probe.target.api, Api::Completions);
    assert_eq!(probe.vocabulary.frame_tokens, 1);
}

#[test]
fn server_without_usage_counts_no_prompts() {
    let mut steps = good(4);
    steps.remove(steps.len() - 3);
    let probe = probed(&Mock::always(steps)).unwrap();
    assert_eq!(probe.is_exact, None);
    assert!(!probe.features.include_usage);
}

#[test]
fn words_of_two_tokens_are_noticed() {
    let mock = Mock::start(|request| {
        let text = request.body["messages"].to_string();
        let tokens = 2 * text.split_whitespace().count();
        let usage = format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":{tokens},"completion_tokens":1}}}}"#
        );
        vec![
            head(),
            token(" a"),
            finish("length"),
            event(&usage),
            done(),
            last(),
        ]
    });
    assert_eq!(probed(&mock).unwrap().is_exact, Some(false));
}

#[test]
fn words_that_the_server_splits_are_dropped() {
    let mock = Mock::start(|request| {
        if !request.head.contains("/tokenize") {
            return counting(request);
        }
        let text = request.body["content"].as_str().unwrap();
        let tokens = text.split_whitespace();
        let tokens: Vec<u32> = tokens
            .flat_map(|w| vec![1; 1 + usize::from(w == "government")])
            .collect();
        plain("200 OK", "", &json!({ "tokens": tokens }).to_string())
    });
    let (limits, all) = (Limits::default(), Vocabulary::default());
    let form = Some(TokenizeForm::Llamacpp);
    let probe = probe(&mock.target(), ALL, &all, form, PromptForm::Text, &limits).unwrap();
    let words = &probe.vocabulary.words;
    assert_eq!(words.len(), all.words.len() - 1);
    assert!(!words.iter().any(|w| w == "government"));
}

/// Tokens of a server on which `government` is two, and `a` is 7.
fn tokenized(text: &str) -> Vec<u64> {
    let mut tokens = Vec::new();
    for word in text.split_whitespace() {
        tokens.push(word.bytes().fold(0, |id, byte| 31 * id + u64::from(byte)) % 100_000);
        if word == "government" {
            tokens.push(1);
        }
    }
    tokens
}

fn tokenizing() -> Mock {
    Mock::start(|request| {
        if !request.head.contains("/tokenize") {
            return counting(request);
        }
        let tokens = tokenized(request.body["content"].as_str().unwrap());
        plain("200 OK", "", &json!({ "tokens": tokens }).to_string())
    })
}

#[test]
fn prompts_of_tokens_have_the_length_asked_for() {
    let mock = tokenizing();
    let mut target = mock.target();
    target.api = Api::Completions;
    let (limits, all) = (Limits::default(), Vocabulary::default());
    let tokenize = Some(TokenizeForm::Llamacpp);
    let probe = probe(&target, ALL, &all, tokenize, PromptForm::TokenIds, &limits).unwrap();
    let vocabulary = &probe.vocabulary;
    assert_eq!((probe.is_exact, vocabulary.frame_tokens), (Some(true), 0));
    assert!(!vocabulary.words.iter().any(|word| word == "government"));
    let of_word: Vec<u64> = vocabulary
        .words
        .iter()
        .flat_map(|word| tokenized(word))
        .collect();
    assert_eq!(vocabulary.ids, of_word);
    let ask = Ask {
        prompt_tokens: 1000,
        ..ask(0.0)
    };
    let seen = run(&target, FEATURES, vocabulary, &[ask], &limits, &Patient).unwrap();
    assert_eq!(seen.requests[0].status, RequestStatus::Ok);
    assert_eq!(seen.requests[0].prompt_tokens, Some(1000));
    let sent = mock.received().pop().unwrap();
    let sent = sent.body["prompt"].as_array().unwrap().clone();
    assert_eq!(sent.len(), 1000);
    assert!(
        sent.iter()
            .all(|id| of_word.contains(&id.as_u64().unwrap()))
    );
}

#[test]
fn prompts_of_tokens_need_a_tokenizer_completions_and_no_conversation() {
    let limits = Limits::default();
    let all = Vocabulary::default();
    let (mock, form) = (tokenizing(), PromptForm::TokenIds);
    let failure = |tokenize| probe(&mock.target(), ALL, &all, tokenize, form, &limits).unwrap_err();
    let said = failure(None).evidence;
    assert!(said.contains("no /tokenize"), "{said}");
    let said = failure(Some(TokenizeForm::Llamacpp)).evidence;
    assert!(said.contains("`completions`"), "{said}");
    let said = failure(Some(TokenizeForm::Vllm)).evidence;
    assert!(said.contains("/tokenize"), "{said}");
    let ids = (0..).take(all.words.len()).collect();
    let vocabulary = Vocabulary { ids, ..all };
    let mut target = mock.target();
    target.api = Api::Completions;
    let turn = Ask {
        after: Some(0),
        continues: true,
        ..ask(0.0)
    };
    let asks = [ask(0.0), turn];
    let error = run(&target, FEATURES, &vocabulary, &asks, &limits, &Patient).unwrap_err();
    assert!(error.to_string().contains("no conversation"), "{error}");
}

#[test]
fn failure_carries_status_and_the_server_s_words() {
    for (steps, status, said) in [
        (
            plain("401 Unauthorized", "", "wrong key"),
            RequestStatus::Http4xx,
            "wrong key",
        ),
        (
            plain("404 Not Found", "", r#"{"error":"no model `m`"}"#),
            RequestStatus::Http4xx,
            "no model `m`",
        ),
        (
            plain("503 Unavailable", "", "loading"),
            RequestStatus::Http5xx,
            "loading",
        ),
        (
            vec![head(), done(), last()],
            RequestStatus::Empty,
            "no token",
        ),
    ] {
        let failure = probed(&Mock::always(steps)).unwrap_err();
        assert_eq!(failure.status, status);
        assert!(failure.evidence.contains(said), "{failure}");
    }
    let unknown = sbt_client::Target::parse("http://no-such-host.invalid").unwrap();
    let vocabulary = Vocabulary::default();
    let failure = probe(
        &unknown,
        ALL,
        &vocabulary,
        None,
        PromptForm::Text,
        &Limits::default(),
    )
    .unwrap_err();
    assert_eq!(failure.status, RequestStatus::Dns);
}

fn side(mock: &Mock) -> Side {
    Side::new(&mock.target(), Duration::from_secs(10)).unwrap()
}

#[test]
fn side_calls_read_the_answers_of_servers() {
    let mock = Mock::start(|request| {
        let path = request.head.split(' ').nth(1).unwrap();
        let body = match path {
            "/v1/models" => {
                r#"{"data":[{"id":"a","max_model_len":2048},{"id":"b","meta":{"n_ctx":512}}]}"#
            }
            "/props" => r#"{"build_info":"b1-7e4c0a9"}"#,
            "/tokenize" => r#"{"count":2,"tokens":[19556,905]}"#,
            "/metrics" => "a 1",
            "/health" | "/reset_prefix_cache" => "{}",
            _ => return plain("404 Not Found", "", "no such path"),
        };
        plain("200 OK", "", body)
    });
    let side = side(&mock);
    let models = side.models().unwrap();
    assert_eq!(
        (models[0].id.as_str(), models[0].max_tokens),
        ("a", Some(2048))
    );
    assert_eq!(models[1].max_tokens, Some(512));
    assert_eq!(side.version().unwrap(), "b1-7e4c0a9");
    let tokens = side.tokenize(TokenizeForm::Vllm, "hello you").unwrap();
    assert_eq!(tokens, [19556, 905]);
    assert_eq!(side.metrics().unwrap(), "a 1");
    side.health("/health").unwrap();
    side.reset("POST", "/reset_prefix_cache").unwrap();
    let refused = side.health("/nowhere").unwrap_err();
    let url = format!("{}/nowhere", mock.target().url().trim_end_matches("/v1"));
    assert_eq!(
        refused.to_string(),
        format!("{url} answered 404: no such path")
    );
}

#[test]
fn side_call_without_an_answer_says_so() {
    let mock = Mock::always(vec![Step::Close]);
    let error = side(&mock).models().unwrap_err();
    assert!(matches!(error, SideError::NoAnswer { .. }), "{error}");
    let other = Mock::always(plain("200 OK", "", "<html>"));
    let error = side(&other).models().unwrap_err();
    assert!(matches!(error, SideError::OtherForm { .. }), "{error}");
}
