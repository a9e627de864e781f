use std::collections::BTreeSet;

use sbt_engine::StageError;
use sbt_schemas::CandidateRow;
use sbt_trials::Config;

/// A configuration to measure again, and what the search saw of it.
pub(crate) struct Finalist {
    /// Who proposed it first; `baseline` for the baseline.
    pub(crate) sampler: String,
    pub(crate) config: Config,
    pub(crate) seen: CandidateRow,
}

impl Finalist {
    fn of(row: &CandidateRow, sampler: &str) -> Result<Self, StageError> {
        let config = Config::of_candidate(row).map_err(StageError::user)?;
        Ok(Self {
            sampler: sampler.to_owned(),
            config,
            seen: row.clone(),
        })
    }
}

/// The baseline, then the best `per_sampler` recommendations of each sampler, each configuration
/// once.
pub(crate) fn finalists(
    baseline: &CandidateRow,
    candidates: &[CandidateRow],
    per_sampler: u64,
) -> Result<Vec<Finalist>, StageError> {
    let mut finalists = vec![Finalist::of(baseline, "baseline")?];
    let mut chosen = BTreeSet::from([baseline.config_id.as_str()]);
    let mut ranked: Vec<&CandidateRow> = candidates
        .iter()
        .filter(|row| row.recommended.is_some_and(|place| place <= per_sampler))
        .collect();
    ranked.sort_by(|a, b| (a.recommended, &a.sampler).cmp(&(b.recommended, &b.sampler)));
    for row in ranked {
        if chosen.insert(&row.config_id) {
            finalists.push(Finalist::of(row, &row.sampler)?);
        }
    }
    Ok(finalists)
}
