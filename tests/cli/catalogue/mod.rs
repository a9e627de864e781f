//! Every way in which a real server fails, brought about on purpose: `tests/install` says where the
//! servers and their model are.

mod case;
mod llamacpp;
mod processes;
mod vllm;

pub(crate) use llamacpp::llama;
