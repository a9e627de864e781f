use sbt_schemas::{Provenance, QualityRow, Verdict, VerdictRow};

use crate::params::Checks;

/// Checks of the stage: of each family of the A/A run that the gate does not fire on it; and where
/// they are asked for, each family of each variant.
pub(super) fn verdicts(
    again: &[QualityRow],
    variants: &[(String, Vec<QualityRow>)],
    checks: Checks,
) -> Vec<VerdictRow> {
    let a_a = again.iter().map(|row| VerdictRow {
        check: format!("a_a quality of {}", row.family),
        verdict: match row.verdict {
            Verdict::Fail => Verdict::Fail,
            // whether so few items could show a loss is not asked here
            Verdict::Pass | Verdict::Inconclusive => Verdict::Pass,
        },
        evidence: format!("the reference against itself: {}", evidence(row)),
        ..verdict("reference", row)
    });
    let of_variants = variants.iter().flat_map(|(name, rows)| {
        rows.iter().map(move |row| VerdictRow {
            check: format!("quality of {}: {name}", row.family),
            ..verdict(name, row)
        })
    });
    match checks {
        Checks::AA => a_a.collect(),
        Checks::All => a_a.chain(of_variants).collect(),
    }
}

fn verdict(subject: &str, row: &QualityRow) -> VerdictRow {
    VerdictRow {
        check: String::new(),
        subject: subject.to_owned(),
        verdict: row.verdict,
        value: row.difference,
        limit: row.margin.map(|margin| -margin),
        evidence: evidence(row),
        provenance: Provenance::Measured,
    }
}

fn evidence(row: &QualityRow) -> String {
    row.evidence().unwrap_or_else(|| row.source.clone())
}
