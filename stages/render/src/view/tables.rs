use std::collections::BTreeMap;

use sbt_schemas::{CandidateRow, Outcome, Population, Verdict};
use serde::Serialize;

use crate::format::{self, NOTHING};
use crate::inputs::Inputs;

/// A verdict of a gate.
#[derive(Debug, Serialize)]
pub(crate) struct VerdictView {
    pub(crate) check: String,
    pub(crate) verdict: String,
    pub(crate) evidence: String,
    pub(crate) provenance: String,
}

pub(crate) fn verdicts(inputs: &Inputs) -> Vec<VerdictView> {
    let views = inputs.verdicts.iter().map(|row| VerdictView {
        check: row.check.clone(),
        verdict: row.verdict.to_string(),
        evidence: brief(&row.evidence),
        provenance: row.provenance.to_string(),
    });
    views.collect()
}

/// Evidence without the list of sources that the section on quality gives in full.
fn brief(evidence: &str) -> String {
    /// Characters that a table cell has room for.
    const ROOM: usize = 160;
    match evidence.char_indices().nth(ROOM) {
        Some((end, _)) => format!("{} … (in full under Quality)", &evidence[..end]),
        None => evidence.to_owned(),
    }
}

/// Constraints that candidates of the search broke, most often first, with counts.
pub(crate) fn broken(inputs: &Inputs) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for violated in inputs
        .search
        .iter()
        .filter_map(|row| row.violated.as_deref())
    {
        for constraint in violated.split("; ") {
            let name = constraint.split(" (").next().unwrap_or(constraint);
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let total = format::count(inputs.search.len() as u64);
    let lines = counts
        .into_iter()
        .map(|(name, n)| format!("{name}: broken by {n} of {total}"));
    lines.collect()
}

/// Where the time goes, of one configuration and population.
#[derive(Debug, Serialize)]
pub(crate) struct TailView {
    pub(crate) name: String,
    pub(crate) population: String,
    pub(crate) component: String,
    pub(crate) seconds: String,
    pub(crate) share: String,
    pub(crate) interval: String,
    pub(crate) n: String,
}

pub(crate) fn tail(inputs: &Inputs) -> Vec<TailView> {
    let views = inputs.attribution.iter().map(|row| TailView {
        name: row.config_name.clone(),
        population: whom(row.population).to_owned(),
        component: row.component.clone(),
        seconds: format::seconds(row.seconds),
        share: format!("{:.1} %", row.share * 100.0),
        interval: match row.share_lo.zip(row.share_hi) {
            Some((lo, hi)) => format!("{:.1} to {:.1} %", lo * 100.0, hi * 100.0),
            None => NOTHING.to_owned(),
        },
        n: format::count(row.n),
    });
    views.collect()
}

/// Whose time it is.
pub(crate) fn whom(population: Population) -> &'static str {
    match population {
        Population::All => "all requests",
        Population::Tail => "slowest 5 %",
        Population::Excess => "slowest 5 % beyond the middle",
    }
}

/// What a factor costs one configuration and population.
#[derive(Debug, Serialize)]
pub(crate) struct CounterfactualView {
    pub(crate) name: String,
    pub(crate) population: &'static str,
    pub(crate) factor: String,
    pub(crate) seconds: String,
    pub(crate) interval: String,
    pub(crate) share: String,
}

pub(crate) fn counterfactual(inputs: &Inputs) -> Vec<CounterfactualView> {
    let views = inputs.counterfactual.iter().map(|row| CounterfactualView {
        name: row.config_name.clone(),
        population: whom(row.population),
        factor: match row.factor.as_str() {
            "queue" => "places of server and client",
            "kv_cache" => "size of the KV cache",
            "prefill" => "prompts of others",
            "retry" => "time limits and retries",
            "rest" => "what remains without all of these",
            other => other,
        }
        .to_owned(),
        seconds: format::seconds(row.seconds),
        interval: match row.seconds_lo.zip(row.seconds_hi) {
            Some((lo, hi)) => format!("{} to {}", format::seconds(lo), format::seconds(hi)),
            None => NOTHING.to_owned(),
        },
        share: format!("{:.1} %", row.share * 100.0),
    });
    views.collect()
}

/// One finalist in the comparison.
#[derive(Debug, Serialize)]
pub(crate) struct ComparisonView {
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) place: String,
    pub(crate) ttft: String,
    pub(crate) tpot: String,
    pub(crate) e2e: String,
    pub(crate) goodput: String,
    pub(crate) cost: String,
    pub(crate) quality: String,
    pub(crate) p_feasible: String,
    pub(crate) p_on_front: String,
    pub(crate) state: String,
}

pub(crate) fn comparison(inputs: &Inputs) -> Vec<ComparisonView> {
    let mut rows: Vec<&CandidateRow> = inputs.candidates.iter().collect();
    rows.sort_by_key(|row| {
        (
            row.recommended.unwrap_or(u64::MAX),
            row.rank,
            row.evaluation,
        )
    });
    let views = rows.into_iter().map(|row| ComparisonView {
        name: row.config_name.clone(),
        from: row.sampler.clone(),
        place: row
            .recommended
            .map_or(NOTHING.to_owned(), |place| place.to_string()),
        ttft: format::maybe("ttft_p95_s", row.ttft_p95_s),
        tpot: format::maybe("tpot_p95_s", row.tpot_p95_s),
        e2e: format::maybe("e2e_p95_s", row.e2e_p95_s),
        goodput: format::maybe("goodput_rps", row.goodput_rps),
        cost: format::maybe("cost_per_mtok", row.cost_per_mtok),
        quality: row
            .quality
            .map_or(NOTHING.to_owned(), |v| format!("{v:.4}")),
        p_feasible: probability(row.p_feasible),
        p_on_front: probability(row.p_on_front),
        state: state(row),
    });
    views.collect()
}

fn probability(p: Option<f64>) -> String {
    p.map_or(NOTHING.to_owned(), |p| format!("{:.0} %", p * 100.0))
}

fn state(row: &CandidateRow) -> String {
    if row.outcome != Outcome::Ok {
        return format!(
            "{}: {}",
            row.outcome,
            row.reason.as_deref().unwrap_or("no reason")
        );
    }
    match (&row.violated, row.on_front) {
        (Some(violated), _) => format!("breaks {violated}"),
        (None, true) => "feasible, on the front".to_owned(),
        (None, false) => "feasible, dominated".to_owned(),
    }
}

/// One metric of one finalist over the seeds.
#[derive(Debug, Serialize)]
pub(crate) struct StabilityView {
    pub(crate) name: String,
    pub(crate) metric: String,
    pub(crate) value: String,
    pub(crate) interval: String,
    pub(crate) search: String,
    pub(crate) shrinkage: String,
    pub(crate) delta: String,
    pub(crate) seeds: String,
}

/// Metrics of the stability table in the reports; the Parquet table has all.
const SHOWN: &[&str] = &[
    "ttft_p95_s",
    "tpot_p95_s",
    "e2e_p95_s",
    "e2e_p99_s",
    "goodput_rps",
    "cost_per_mtok",
];

pub(crate) fn stability(inputs: &Inputs) -> Vec<StabilityView> {
    let shown = inputs
        .stability
        .iter()
        .filter(|row| SHOWN.contains(&row.metric.as_str()));
    let views = shown.map(|row| StabilityView {
        name: row.config_name.clone(),
        metric: row.metric.clone(),
        value: format::metric(&row.metric, row.value),
        interval: match &row.unbounded {
            Some(why) => why.clone(),
            None => format::interval(&row.metric, row.lo, row.hi),
        },
        search: format::maybe(&row.metric, row.search_value),
        shrinkage: row
            .search_value
            .filter(|seen| *seen != 0.0)
            .map_or(NOTHING.to_owned(), |seen| {
                format::percent(row.value / seen - 1.0)
            }),
        delta: row.delta.map_or(NOTHING.to_owned(), |delta| {
            format::delta(delta, row.delta_lo, row.delta_hi)
        }),
        seeds: row.n_seeds.to_string(),
    });
    views.collect()
}

/// What is expected of one variant and family.
#[derive(Debug, Serialize)]
pub(crate) struct QualityView {
    pub(crate) variant: String,
    pub(crate) family: String,
    pub(crate) kept: String,
    pub(crate) limit: String,
    pub(crate) verdict: String,
    pub(crate) source: String,
}

pub(crate) fn quality(inputs: &Inputs) -> Vec<QualityView> {
    let percent =
        |value: Option<f64>| value.map_or(NOTHING.to_owned(), |v| format!("{:.2} %", v * 100.0));
    let views = inputs.quality.iter().map(|row| QualityView {
        variant: if row.variant == "{}" {
            "reference".to_owned()
        } else {
            row.variant.clone()
        },
        family: row.family.clone(),
        kept: percent(row.relative),
        limit: percent(row.relative_limit),
        verdict: match row.verdict {
            Verdict::Inconclusive => "inconclusive".to_owned(),
            Verdict::Pass | Verdict::Fail => row.verdict.to_string(),
        },
        source: row.source.clone(),
    });
    views.collect()
}

/// How the trials of the search ended.
#[derive(Debug, Serialize)]
pub(crate) struct OutcomeView {
    pub(crate) outcome: String,
    pub(crate) count: String,
    pub(crate) example: String,
}

pub(crate) fn outcomes(inputs: &Inputs) -> Vec<OutcomeView> {
    let mut by_outcome: BTreeMap<Outcome, (u64, Option<&CandidateRow>)> = BTreeMap::new();
    for row in &inputs.search {
        let entry = by_outcome.entry(row.outcome).or_default();
        entry.0 += 1;
        if row.reason.is_some() {
            entry.1.get_or_insert(row);
        }
    }
    let views = by_outcome
        .into_iter()
        .map(|(outcome, (count, example))| OutcomeView {
            outcome: outcome.to_string(),
            count: format::count(count),
            example: example
                .and_then(|row| Some(format!("{}: {}", row.config_name, row.reason.as_ref()?)))
                .unwrap_or_default(),
        });
    views.collect()
}
