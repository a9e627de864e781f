use crate::row::table;

table! {
    /// One row per variant, run and item: every answer that a verdict on quality rests on.
    table "quality_items" version 1 key [variant, run, item];
    pub struct QualityItemRow {
        /// Variant, as in table `quality`.
        pub variant: String,
        /// `reference`, `a_a` (the reference asked again) or `candidate`.
        pub run: String,
        /// Name of the item, with its suite.
        pub item: String,
        /// Task family.
        pub family: String,
        /// Tags of the item, with commas.
        pub tags: String,
        /// Score, 0 to 1; null when it could not be scored.
        pub score: Option<f64>,
        /// Score of the reference; null in its own run.
        pub reference_score: Option<f64>,
        /// `lost` when only the reference is right, `gained` when only the variant is; null else.
        pub flip: Option<String>,
        /// The answer.
        pub answer: String,
        /// What the scorer says, or why there is no score.
        pub detail: Option<String>,
        /// Why the answer ended, by the server.
        pub finish: Option<String>,
        /// Tokens of the answer, by the server.
        pub tokens: Option<u64>,
        /// Whether it is the reference's answer, letter by letter; null in its own run.
        pub identical: Option<bool>,
        /// ROUGE-L of the answer against the reference's, 0 to 1; null in its own run.
        pub likeness: Option<f64>,
        /// Index of the first token that differs from the reference's; null when none does, or the server tells no tokens.
        pub first_divergence: Option<u64>,
        /// Mean Kullback-Leibler divergence of the variant from the reference, nats a token, up to the first token that differs. A lower bound: tokens outside of both lists count as one.
        pub kl_mean: Option<f64>,
        /// Greatest such divergence of one token, nats.
        pub kl_max: Option<f64>,
        /// Share of those places at which both hold the same token most likely.
        pub top1_agreement: Option<f64>,
    }
}
