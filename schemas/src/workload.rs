use crate::row::table;

table! {
    /// One row per request to serve. A draw is one random realisation; draws share no randomness.
    table "workload" version 2 key [draw, request_id];
    pub struct WorkloadRow {
        /// Which realisation of the workload it belongs to, from 0.
        pub draw: u64,
        /// Number of the request within its draw, from 0, in order of first arrival.
        pub request_id: u64,
        /// Session that it belongs to, unique within the draw.
        pub session: u64,
        /// Turn within the session, from 0.
        pub turn: u64,
        /// Intended send of a first turn, from the start; null for later turns, which follow the end of the turn before.
        pub arrival_s: Option<f64>,
        /// Pause of a later turn after the end of the turn before; null for first turns.
        pub think_s: Option<f64>,
        /// Whether the prompt carries on the conversation of the turn before, which it then needs; a user of a closed loop also starts new ones.
        pub continues: bool,
        /// Tokens of the whole prompt, context of earlier turns included.
        pub prompt_tokens: u64,
        /// Tokens to generate.
        pub output_tokens: u64,
        /// Identity of each leading block of the sequence (prompt, then output): equal id, equal block and equal blocks before it. Tokens beyond the last id are shared with nobody.
        pub prefix_block_ids: Vec<u64>,
        /// Tokens of one block; the last may be partial.
        pub prefix_block_tokens: u64,
        /// What kind of request it is.
        pub category: String,
        /// Prompt text, where the source has one.
        pub prompt: Option<String>,
    }
}
