use crate::row::table;
use crate::{Population, Provenance};

table! {
    /// One row per configuration, population and factor: how much faster requests would be in a world without the factor. Shapley shares of the mean E2E over simulations of the same draws without each subset of the factors; with the rest, they add to 1.
    table "counterfactual" version 1 key [config_id, population, factor];
    pub struct CounterfactualRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Which requests; the tail of each world is its own.
        pub population: Population,
        /// What is taken away: queue (places of server and client), kv_cache (a KV cache of a size), prefill (prompts of others in the steps of a decoding request), retry (time limits, refusals and further attempts). `rest`: what remains without all of them.
        pub factor: String,
        /// Mean seconds of E2E that the factor costs.
        pub seconds: f64,
        /// Lower bound of the 95 % t-interval of `seconds` over draws; null with one draw.
        pub seconds_lo: Option<f64>,
        /// Upper bound of the 95 % t-interval of `seconds` over draws; null with one draw.
        pub seconds_hi: Option<f64>,
        /// Its share of the mean E2E.
        pub share: f64,
        /// Draws of the workload.
        pub n_draws: u64,
        /// Always simulated: no server runs without a factor.
        pub provenance: Provenance,
    }
}
