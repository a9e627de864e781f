//! The simulator as those who run trials use it: laws, and what each part of it changes.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod counterfactual;
mod invariants;
mod pipeline;
mod policies;
mod sglang;
mod speculation;

use sbt_schemas::RequestStatus;
use sbt_simulator::{Client, EngineConfig, Gpu, Model, Request, Run, Server, StepSource};

/// Llama-3.1-8B on a GPU of the catalogue.
fn launch(config: &EngineConfig, gpu: &str, gpus: u32) -> Server {
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named(gpu).unwrap();
    Server::launch(config, model, gpu, gpus, &StepSource::default()).unwrap()
}

/// A request that shares nothing with others.
fn request(start_s: f64, prompt: u32, output: u32) -> Request {
    Request {
        start_s,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens: prompt,
        output_tokens: output,
        block_ids: Vec::new(),
        block_tokens: 16,
    }
}

/// Serves requests, each of which has to get all its tokens.
fn run_whole(server: &Server, requests: &[Request]) -> Run {
    let run = server.simulate(requests, &Client::default());
    for (served, request) in run.requests.iter().zip(requests) {
        assert_eq!(served.status, RequestStatus::Ok);
        assert_eq!(served.output_tokens, u64::from(request.output_tokens));
    }
    run
}
