use crate::row::table;
use crate::{Provenance, Verdict};

table! {
    /// One row per variant and task family. A variant is the part of a configuration that can change answers.
    table "quality" version 2 key [variant, family];
    pub struct QualityRow {
        /// Knobs that can change answers, as canonical JSON; knobs at the server's default are left out.
        pub variant: String,
        /// Task family, or `overall`.
        pub family: String,
        /// Score of the variant, 0 to 1; null when unknown.
        pub score: Option<f64>,
        /// Score of the reference configuration, measured: on the same items; null when unknown.
        pub reference_score: Option<f64>,
        /// score / reference_score; null when unknown.
        pub relative: Option<f64>,
        /// Lower 95 % bound of `relative`; null when unknown.
        pub relative_lo: Option<f64>,
        /// Limit on `relative`, when there is one.
        pub relative_limit: Option<f64>,
        /// Limit on `score`, when there is one.
        pub absolute_limit: Option<f64>,
        /// Items that both answered; null when nobody was asked.
        pub n: Option<u64>,
        /// score - reference_score, paired by item; null when nobody was asked.
        pub difference: Option<f64>,
        /// Lower one-sided bound of `difference`: at 95 %, or what several looks leave of it.
        pub difference_lo: Option<f64>,
        /// Upper one-sided bound of `difference`, likewise.
        pub difference_hi: Option<f64>,
        /// Loss that is tolerated: passes when `difference_lo` is not below its negative.
        pub margin: Option<f64>,
        /// Probability of losing so much if the variant were as good, corrected by Holm over the families.
        pub p_worse: Option<f64>,
        /// Items that would decide with a power of 80 %, if the true difference is the one found (none, where the variant looks better): to pass, or to be called worse, whichever takes fewer.
        pub n_to_decide: Option<u64>,
        /// Items that are right on one side only; null where scores are no yes or no.
        pub flips: Option<u64>,
        /// Share of items with the same text as the reference's.
        pub identical_share: Option<f64>,
        /// Mean over items of `kl_mean` of table `quality_items`, nats a token; null without log-probabilities.
        pub kl_mean: Option<f64>,
        /// Mean over items of `top1_agreement` of table `quality_items`; null without log-probabilities.
        pub top1_agreement: Option<f64>,
        /// Whether the family is within its limits.
        pub verdict: Verdict,
        /// Where the numbers come from.
        pub provenance: Provenance,
        /// Publications behind the score, or how it was measured.
        pub source: String,
    }
}

impl QualityRow {
    /// A row of which nothing is known but where it comes from.
    #[must_use]
    pub fn unknown(variant: &str, family: &str, provenance: Provenance, source: String) -> Self {
        Self {
            variant: variant.to_owned(),
            family: family.to_owned(),
            score: None,
            reference_score: None,
            relative: None,
            relative_lo: None,
            relative_limit: None,
            absolute_limit: None,
            n: None,
            difference: None,
            difference_lo: None,
            difference_hi: None,
            margin: None,
            p_worse: None,
            n_to_decide: None,
            flips: None,
            identical_share: None,
            kl_mean: None,
            top1_agreement: None,
            verdict: Verdict::Inconclusive,
            provenance,
            source,
        }
    }

    /// The family that stands for all of them.
    pub const OVERALL: &'static str = "overall";

    /// What column `quality` of a candidate says of this row's variant: its score, or, where the
    /// reference's score is unknown, the share of it that the variant keeps. One table holds one
    /// model, so that candidates stay comparable.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        self.score.or(self.relative)
    }

    /// What a measured difference rests on, in words: itself with its bounds, items, flips and
    /// divergence; none where nobody was asked.
    #[must_use]
    pub fn evidence(&self) -> Option<String> {
        let points = |value: f64| format!("{:+.1}", value * 100.0);
        let mut text = format!("{} points", points(self.difference?));
        if let (Some(lo), Some(hi)) = (self.difference_lo, self.difference_hi) {
            text.push_str(&format!(" [{}, {}]", points(lo), points(hi)));
        }
        if let Some(n) = self.n {
            text.push_str(&format!(" over {n} items"));
        }
        if let Some(flips) = self.flips {
            text.push_str(&format!(", {flips} flips"));
        }
        if let Some(share) = self.identical_share {
            text.push_str(&format!(", {:.0} % of answers identical", share * 100.0));
        }
        if let (Verdict::Inconclusive, Some(n)) = (self.verdict, self.n_to_decide) {
            text.push_str(&format!("; {n} items would decide"));
        }
        Some(text)
    }
}
