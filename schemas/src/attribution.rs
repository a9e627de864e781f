use crate::row::table;
use crate::{Population, Provenance};

table! {
    /// One row per configuration, component of E2E, and population: where the time goes. Shares of one population add to 1.
    table "attribution" version 1 key [config_id, population, component];
    pub struct AttributionRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Which requests.
        pub population: Population,
        /// Part of E2E: retry, network, queue, prefill or decode; of an excess length (tokens at the median pace) and speed (what their own pace adds) instead of decode.
        pub component: String,
        /// Mean seconds of the part within the population; of an excess the difference of two means.
        pub seconds: f64,
        /// The part's share of the population's E2E.
        pub share: f64,
        /// Lower bound of the 95 % bootstrap interval of `share`.
        pub share_lo: Option<f64>,
        /// Upper bound of the 95 % bootstrap interval of `share`.
        pub share_hi: Option<f64>,
        /// Requests in the population.
        pub n: u64,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
