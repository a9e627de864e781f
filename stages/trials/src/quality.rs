use std::collections::BTreeMap;

use sbt_schemas::{CandidateRow, QualityRow, Verdict};

use crate::{Config, ServerSpec};

/// What table `quality` says of the variants of a server.
pub struct Quality<'a> {
    server: &'a ServerSpec,
    by_variant: BTreeMap<String, Vec<QualityRow>>,
}

impl<'a> Quality<'a> {
    /// The table of a server; empty when quality is not looked at.
    #[must_use]
    pub fn new(server: &'a ServerSpec, rows: Vec<QualityRow>) -> Self {
        let mut by_variant: BTreeMap<String, Vec<QualityRow>> = BTreeMap::new();
        for row in rows {
            by_variant.entry(row.variant.clone()).or_default().push(row);
        }
        Self { server, by_variant }
    }

    /// Rows about a configuration's variant; empty when nothing is known of it.
    #[must_use]
    pub fn rows(&self, config: &Config) -> &[QualityRow] {
        let rows = self.by_variant.get(&self.server.variant(config));
        rows.map_or(&[], Vec::as_slice)
    }

    /// Fills `quality` of a candidate with the overall score of its variant.
    pub fn fill(&self, candidate: &mut CandidateRow, config: &Config) {
        let rows = self.rows(config);
        let overall = rows.iter().find(|row| row.family == QualityRow::OVERALL);
        candidate.quality = overall.and_then(QualityRow::expected);
        candidate.quality_variant = overall.map(|row| row.variant.clone());
    }

    /// Takes a candidate out that fails the gate of a family; call it when the goals are judged.
    /// An inconclusive family takes nobody out, and is shown as such.
    pub fn gate(&self, candidate: &mut CandidateRow, config: &Config) {
        for row in self
            .rows(config)
            .iter()
            .filter(|row| row.verdict == Verdict::Fail)
        {
            let short = |value: Option<f64>, limit: Option<f64>| match value.zip(limit) {
                Some((value, limit)) => (1.0 - value / limit).max(0.0),
                None => 0.0,
            };
            let relative = short(row.relative, row.relative_limit);
            let absolute = short(row.score, row.absolute_limit);
            let beyond = match row.difference.zip(row.margin) {
                Some((difference, margin)) => (-margin - difference).max(0.0),
                None => 0.0,
            };
            let size = relative.max(absolute).max(beyond);
            candidate.feasible = false;
            candidate.violation = candidate.violation.map(|violation| violation + size);
            let complaint = format!("quality gate: {}", row.family);
            candidate.violated = Some(match candidate.violated.take() {
                Some(others) => format!("{others}; {complaint}"),
                None => complaint,
            });
        }
    }
}
