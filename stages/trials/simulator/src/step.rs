use crate::Server;
use crate::batch::{Batch, Entry, Share};

/// What one step of a server works on, where that is known from outside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// Contexts of the requests that decode, tokens, the new one among them; 1 or more each.
    pub decodes: Vec<u32>,
    /// Tokens behind each prompt chunk, and those of the chunk.
    pub chunks: Vec<(u32, u32)>,
}

impl Server {
    /// How long a step takes on an engine of its own, s.
    #[must_use]
    pub fn step_s(&self, step: &Step) -> f64 {
        let decodes = step.decodes.iter().map(|context| Share {
            computed: context.saturating_sub(1),
            tokens: 1,
            decode: true,
        });
        let chunks = step.chunks.iter().map(|(computed, tokens)| Share {
            computed: *computed,
            tokens: *tokens,
            decode: false,
        });
        let mut batch = Batch::default();
        for (share, request) in decodes.chain(chunks).zip(0..) {
            batch.add(Entry {
                request,
                admission: request,
                attempt: 0,
                epoch: 0,
                samples: share.decode,
                drafts: 0,
                share,
            });
        }
        self.step_time().seconds(&batch.load)
    }
}
