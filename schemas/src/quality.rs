use crate::row::table;
use crate::{Provenance, Verdict};

table! {
    /// One row per variant and task family. A variant is the part of a configuration that can change answers.
    table "quality" version 1 key [variant, family];
    pub struct QualityRow {
        /// Knobs that can change answers, as canonical JSON; knobs at the reference's value are left out.
        pub variant: String,
        /// Task family, or `overall`.
        pub family: String,
        /// Score of the variant, 0 to 1; null when unknown.
        pub score: Option<f64>,
        /// Score of the reference configuration; null when unknown.
        pub reference_score: Option<f64>,
        /// score / reference_score; null when unknown.
        pub relative: Option<f64>,
        /// Lower 95 % bound of `relative`; null when unknown.
        pub relative_lo: Option<f64>,
        /// Limit on `relative`, when there is one.
        pub relative_limit: Option<f64>,
        /// Limit on `score`, when there is one.
        pub absolute_limit: Option<f64>,
        /// Whether the family is within its limits.
        pub verdict: Verdict,
        /// Where the numbers come from.
        pub provenance: Provenance,
        /// Publications behind the score.
        pub source: String,
    }
}

impl QualityRow {
    /// The family that stands for all of them.
    pub const OVERALL: &'static str = "overall";

    /// What column `quality` of a candidate says of this row's variant: its score, or, where the
    /// reference's score is unknown, the share of it that the variant keeps. One table holds one
    /// model, so that candidates stay comparable.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        self.score.or(self.relative)
    }
}
