//! What a protocol may ask of the client that a backend has.

use sbt_engine::ParamError;

use super::{Backend, EndpointApi};
use crate::server::{RequestForm, TokenizeForm};
use crate::{PromptForm, Protocol};

impl Backend {
    /// What is wrong with a protocol for this backend, with `path` leading to it.
    #[must_use]
    pub fn problems_of_protocol(&self, protocol: &Protocol, path: &[&str]) -> Vec<ParamError> {
        let of_client = protocol.client.problem();
        let of_client = of_client.map(|(name, message)| (vec!["client", name], message));
        let of_backend = match self {
            Self::Simulator(_) => protocol.beyond_the_simulator().map(|name| {
                let message =
                    "the simulator's client has no such setting; that of real servers has";
                (name, message.to_owned())
            }),
            Self::Server(_) | Self::Endpoint(_) => self
                .problem_of_prompts(protocol.prompts)
                .map(|message| (vec!["prompts"], message)),
        };
        let problems = of_client.into_iter().chain(of_backend);
        problems
            .map(|(names, message)| ParamError::at(&[path, &names].concat(), message))
            .collect()
    }

    fn problem_of_prompts(&self, form: PromptForm) -> Option<String> {
        // an unknown server is a problem of its own
        let server = self.server().ok()?;
        let is_chat = match self {
            Self::Endpoint(endpoint) => endpoint.api == EndpointApi::Chat,
            Self::Server(_) | Self::Simulator(_) => {
                !server.api.requests.contains(&RequestForm::Completions)
            }
        };
        let why = match form {
            PromptForm::Text => return None,
            PromptForm::TokenIds if server.api.tokenize == TokenizeForm::None => {
                format!("{} is not known to have /tokenize", server.name)
            }
            PromptForm::TokenIds if is_chat => "the interface chat takes no tokens".to_owned(),
            PromptForm::TokenIds => return None,
        };
        Some(format!("is token_ids, expected text: {why}"))
    }
}
