use sbt_simulator::{Client, EngineConfig, Gpu, Model, Request, Served, Server, StepSource, Term};
use sbt_trials::SimulatedMachine;

use super::fit::fit;
use super::posterior::{Method, Posterior, source};
use super::steps::reconstruct;
use crate::interval::intervals;
use crate::latencies::Metric;
use crate::scene::{Clock, Scene, Stream};

/// A run of a server whose true coefficients are known: requests of mixed lengths, 6 a second.
fn run(truth: &StepSource) -> Scene {
    let request = |i: u32| Request {
        start_s: f64::from(i) / 6.0,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens: 200 + (i * 397) % 1800,
        output_tokens: 100 + (i * 61) % 200,
        block_ids: Vec::new(),
        block_tokens: 16,
    };
    let mut scene = Scene {
        title: "test".to_owned(),
        machine: SimulatedMachine {
            model: Model::named("llama-3.1-8b").unwrap().clone(),
            gpu: Gpu::named("l40s").unwrap().clone(),
            gpus: 1,
            config: EngineConfig {
                max_model_len: Some(4096),
                ..EngineConfig::default()
            },
        },
        clock: Clock::Server,
        requests: (0..120).map(request).collect(),
        measured: Vec::new(),
        streams: Vec::new(),
    };
    scene.measured = scene.simulate(truth).unwrap();
    scene
}

/// The same with the times of its tokens.
fn streamed(truth: &StepSource) -> Scene {
    let scene = run(truth);
    let server = scene.machine.launch(truth).unwrap();
    Scene {
        streams: streams(&server, &scene.requests),
        ..scene
    }
}

fn streams(server: &Server, requests: &[Request]) -> Vec<Stream> {
    let run = server.simulate(requests, &Client::default());
    let served = run.requests.iter().enumerate();
    let stream = |(index, served): (usize, &Served)| {
        let mut at_s = served.first_token_s.unwrap();
        let mut tokens_s = vec![at_s];
        for gap in run.itl_s(index) {
            at_s += gap;
            tokens_s.push(at_s);
        }
        Stream {
            sent_s: served.sent_s.unwrap(),
            tokens_s,
            cached: 0,
        }
    };
    served.map(stream).collect()
}

/// Logarithms of coefficients, of the terms that are not 0.
fn logs(set: &[(Term, f64)]) -> Vec<f64> {
    let of = |term| {
        set.iter()
            .find(|(t, _)| *t == term)
            .map_or(0.0, |(_, log)| *log)
    };
    Term::ALL.into_iter().map(of).collect()
}

fn error_of_mean(scene: &Scene, source: &StepSource, metric: Metric) -> f64 {
    let mean = |all: &[crate::latencies::Latencies]| {
        let values: Vec<f64> = all.iter().skip(30).filter_map(|l| l.get(metric)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    mean(&scene.simulate(source).unwrap()) / mean(&scene.measured) - 1.0
}

fn slow() -> StepSource {
    source(&logs(&[
        (Term::Linear, 0.12),
        (Term::DecodeAttention, 0.2),
        (Term::MixedAttention, 0.3),
    ]))
}

#[test]
fn thirty_requests_of_a_slower_server_predict_the_rest() {
    let scene = run(&slow());
    let before = error_of_mean(&scene, &StepSource::default(), Metric::E2e);
    assert!(
        before < -0.1,
        "the test needs something to correct: {before}"
    );
    let posterior = fit(&scene, 30).unwrap();
    // A queue amplifies what is left.
    for (metric, most) in [
        (Metric::Ttft, 0.05),
        (Metric::Tpot, 0.03),
        (Metric::E2e, 0.03),
    ] {
        let error = error_of_mean(&scene, &posterior.source(), metric);
        assert!(error.abs() < most, "{metric:?}: {error}");
    }
}

/// Prompts of several steps, whose first chunks nobody sees, among them.
#[test]
fn steps_of_a_run_are_told_by_its_tokens() {
    for asynchronous in [true, false] {
        let mut scene = run(&slow());
        scene.machine.config.async_scheduling = asynchronous;
        scene.machine.config.max_num_batched_tokens = Some(512);
        scene.machine.config.max_num_seqs = Some(64);
        let server = scene.machine.launch(&slow()).unwrap();
        let scene = Scene {
            streams: streams(&server, &scene.requests),
            ..scene
        };
        let steps = reconstruct(&scene, 30).unwrap();
        let chunks = steps.mixed.iter().flat_map(|(_, step)| &step.chunks);
        assert!(chunks.filter(|(computed, _)| *computed > 0).count() > 20);
        let (pure, mixed) = (steps.pure.len(), steps.mixed.len());
        assert!(pure > 50 && mixed > 200, "{pure} {mixed}");
        let wrong = steps
            .pure
            .iter()
            .chain(&steps.mixed)
            .filter(|(seconds, step)| {
                let error = server.step_s(step) / seconds - 1.0;
                error.abs() > 1e-6
            });
        // A request that was sent just before a schedule had not arrived.
        let wrong = wrong.count();
        assert!(wrong <= 5, "{wrong} of {}", pure + mixed);
    }
}

#[test]
fn tokens_say_more_than_latencies() {
    let scene = streamed(&slow());
    let posterior = fit(&scene, 30).unwrap();
    assert_eq!(posterior.method, Method::Steps);
    let of_requests = fit(&run(&slow()), 30).unwrap();
    assert_eq!(of_requests.method, Method::Requests);
    for metric in [Metric::Ttft, Metric::Tpot, Metric::E2e] {
        let error = error_of_mean(&scene, &posterior.source(), metric);
        assert!(error.abs() < 0.002, "{metric:?}: {error}");
    }
    for (term, truth) in [
        (Term::Linear, 0.12),
        (Term::DecodeAttention, 0.2),
        (Term::MixedAttention, 0.3),
    ] {
        let found = posterior.mean[term as usize];
        assert!((found - truth).abs() < 0.01, "{term:?}: {found}");
    }
}

#[test]
fn run_without_steps_of_one_engine_is_fitted_by_its_latencies() {
    let mut scene = streamed(&slow());
    scene.machine.config.stream_interval = 4;
    assert_eq!(reconstruct(&scene, 30), None);
    let scene = streamed(&slow());
    assert_eq!(
        reconstruct(&scene, 0),
        None,
        "no request is to be looked at"
    );
}

#[test]
fn what_the_run_does_not_show_keeps_its_prior() {
    let posterior = fit(&run(&slow()), 30).unwrap();
    let rows = posterior.rows(30);
    let row = |term: &str| rows.iter().find(|row| row.term == term).unwrap();
    let communication = row("communication");
    assert!(
        !communication.identified && communication.log_mean == 0.0,
        "there is one GPU"
    );
    assert!(row("linear").identified && row("linear").log_mean > 0.05);
    let read = Posterior::from_rows(&rows).unwrap().unwrap();
    assert_eq!(read, (posterior, 30));
}

#[test]
fn calibration_without_rows_is_none_and_one_of_other_terms_is_refused() {
    assert_eq!(Posterior::from_rows(&[]), Ok(None));
    let rows = fit(&run(&slow()), 5).unwrap().rows(5);
    assert!(
        Posterior::from_rows(&rows[1..])
            .unwrap_err()
            .contains("expected the terms linear")
    );
}

/// The truth is drawn from the prior of what the run can show: over several truths, intervals of
/// 90 % must hold about that share of the requests.
#[test]
fn intervals_hold_the_requests_that_were_not_seen() {
    let (mut held, mut all) = (0, 0);
    for truth in [
        [(Term::Linear, -0.08), (Term::DecodeAttention, 0.25)],
        [(Term::Linear, 0.1), (Term::MixedAttention, -0.4)],
        [(Term::Linear, 0.04), (Term::PrefillAttention, 0.5)],
    ] {
        let scene = run(&source(&logs(&truth)));
        let posterior = fit(&scene, 30).unwrap();
        let centre = scene.simulate(&posterior.source()).unwrap();
        let [ttft, ..] = intervals(&scene, &centre, &posterior, 40, 1).unwrap();
        for (interval, measured) in ttft.iter().zip(&scene.measured).skip(30) {
            held += usize::from(interval.unwrap().holds(measured.ttft_s));
            all += 1;
        }
    }
    let share = held as f64 / all as f64;
    assert!(share > 0.8, "{share}");
}

#[test]
fn fit_is_the_same_every_time() {
    let scene = run(&slow());
    assert_eq!(fit(&scene, 10).unwrap(), fit(&scene, 10).unwrap());
}
