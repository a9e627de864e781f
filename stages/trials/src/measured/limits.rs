//! From the settings of a protocol to those of the client.

use sbt_client as client;
use sbt_client::Limits;

use crate::draw::Draw;
use crate::protocol::{AtCap, ClientLimits, Connections, PromptForm};

/// Time limit of a request where none is set: a server that hangs must not hang the trial.
const LONGEST_S: f64 = 600.0;
/// Connections that are opened before the first send. Chosen: at 200 a second it takes a second;
/// an open loop rarely has more in flight.
const MOST_OPEN: u64 = 200;
pub(crate) fn limits(set: &ClientLimits, draw: &Draw) -> Limits {
    Limits {
        max_in_flight: set.max_in_flight,
        at_cap: match set.at_cap {
            AtCap::Queue => client::AtCap::Queue,
            AtCap::Shed => client::AtCap::Shed,
        },
        open_before: draw
            .sessions()
            .min(set.max_in_flight.unwrap_or(u64::MAX))
            .min(MOST_OPEN),
        connections: connections(set.connections),
        shards: set.shards,
        connect_timeout_s: Some(set.connect_timeout_s),
        ttft_timeout_s: set.ttft_timeout_s,
        idle_timeout_s: set.idle_timeout_s,
        total_timeout_s: Some(set.timeout_s.unwrap_or(LONGEST_S)),
        retries: set.retries,
        backoff_s: set.backoff_s,
        drain_timeout_s: Some(set.drain_timeout_s),
    }
}

fn connections(connections: Connections) -> client::Connections {
    match connections {
        Connections::Reuse => client::Connections::Reuse,
        Connections::Fresh => client::Connections::Fresh,
        Connections::StickySession => client::Connections::StickySession,
    }
}

pub(crate) fn prompt_form(form: PromptForm) -> client::PromptForm {
    match form {
        PromptForm::Text => client::PromptForm::Text,
        PromptForm::TokenIds => client::PromptForm::TokenIds,
    }
}
