use sbt_schemas::{PlanSummary, Recommendation, Summary};
use serde_json::json;

use super::{answer, effects, measured, samplers};
use crate::inputs::Inputs;
use crate::params::Params;

/// What was decided or measured in one document.
pub(crate) fn summary(pipeline: &str, params: &Params, inputs: &Inputs) -> Summary {
    let first = inputs.recommended().first().copied();
    let plan = first.and_then(|row| {
        inputs
            .plan
            .iter()
            .find(|plan| plan.config_id == row.config_id)
    });
    Summary {
        pipeline: pipeline.to_owned(),
        provenance: inputs.provenance(),
        backend: params.backend().words(),
        baseline: inputs
            .baseline()
            .map_or(String::new(), |row| row.config_name.clone()),
        recommended: first.map(|row| {
            let config = answer::config(row);
            Recommendation {
                config_name: row.config_name.clone(),
                knobs: config
                    .knobs
                    .iter()
                    .map(|(name, knob)| (name.clone(), json!(knob)))
                    .collect(),
                command: answer::command(params, &config),
                why: row.why.clone().unwrap_or_default(),
            }
        }),
        effects: effects::numbers(params, inputs),
        verdicts: inputs
            .verdicts
            .iter()
            .map(|row| (row.check.clone(), row.verdict))
            .collect(),
        plan: plan.map(|plan| PlanSummary {
            max_rps: plan.max_rps,
            peak_rps: plan.peak_rps,
            replicas: plan.replicas.map(|replicas| replicas + plan.spares),
            gpus: plan.gpus,
            cost_usd_month: plan.cost_usd_month,
        }),
        samplers: samplers::numbers(inputs),
        measurements: measured::numbers(inputs),
        fidelity: Vec::new(),
    }
}
