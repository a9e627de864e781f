use crate::row::table;
use crate::{Provenance, Verdict};

table! {
    /// One row per check of a gate.
    table "verdicts" version 1 key [check];
    pub struct VerdictRow {
        /// Name of the check.
        pub check: String,
        /// Configuration that is judged.
        pub subject: String,
        /// How it ended.
        pub verdict: Verdict,
        /// Value that was judged.
        pub value: Option<f64>,
        /// Limit that it was judged against.
        pub limit: Option<f64>,
        /// What the verdict rests on, in words, with intervals and seeds.
        pub evidence: String,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
