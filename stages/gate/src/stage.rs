use sbt_engine::{
    Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{CandidateRow, Provenance, QualityRow, Row, StabilityRow, Verdict, VerdictRow};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::check::check;
use crate::figures::Figures;
use crate::limits::{Params, problems};

/// What relative limits are against, in words.
const BASELINE: &str = "the baseline";

/// The kind `gate`.
pub struct GateKind;

impl StageKind for GateKind {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn about(&self) -> &'static str {
        "Judges the recommendation against limits: pass, fail or inconclusive"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        "[limits]\ne2e_p95_s = { max_increase = 0.10 }\nquality = { min_ratio = 0.98 }\n"
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let errors = problems(&params.limits);
        if errors.is_empty() {
            Ok(Box::new(GateStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct GateStage {
    params: Params,
}

impl Stage for GateStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("stability", &StabilityRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            Input::optional("quality", &QualityRow::TABLE),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&VerdictRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let candidates: Vec<CandidateRow> = ctx.rows("candidates")?;
        let Some(first) = candidates.iter().find(|row| row.recommended == Some(1)) else {
            return ctx.write_rows("verdicts", &[nothing_recommended(&candidates)]);
        };
        let stability: Vec<StabilityRow> = ctx.rows("stability")?;
        let mut verdicts = Vec::new();
        for (metric, limits) in &self.params.limits {
            let row = stability
                .iter()
                .find(|row| row.config_id == first.config_id && row.metric == *metric);
            let figures = row.map(Figures::from);
            let subject = &first.config_name;
            verdicts.extend(check(metric, limits, subject, BASELINE, figures.as_ref()));
        }
        let quality: Option<Vec<QualityRow>> = ctx.rows_if_wired("quality")?;
        verdicts.extend(
            quality
                .into_iter()
                .flatten()
                .filter_map(|row| family(&row, first)),
        );
        ctx.write_rows("verdicts", &verdicts)
    }
}

fn nothing_recommended(candidates: &[CandidateRow]) -> VerdictRow {
    VerdictRow {
        check: "recommendation".to_owned(),
        subject: "none".to_owned(),
        verdict: Verdict::Fail,
        value: None,
        limit: None,
        evidence: format!(
            "none of {} finalists kept every constraint",
            candidates.len()
        ),
        provenance: candidates
            .first()
            .map_or(Provenance::Inferred, |row| row.provenance),
    }
}

/// Verdict of a task family, when the row is about the variant of the recommendation: the knobs
/// of the variant are those that the configuration sets away from their defaults.
fn family(row: &QualityRow, recommended: &CandidateRow) -> Option<VerdictRow> {
    if recommended.quality_variant.as_deref() != Some(row.variant.as_str()) {
        return None;
    }
    let (value, limit) = match row.difference {
        Some(difference) => (Some(difference), row.margin.map(|margin| -margin)),
        None => (row.relative, row.relative_limit),
    };
    Some(VerdictRow {
        check: format!("quality of {}", row.family),
        subject: recommended.config_name.clone(),
        verdict: row.verdict,
        value,
        limit,
        evidence: match (row.evidence(), row.relative) {
            (Some(measured), _) => format!("{measured}; {}", row.source),
            (None, Some(relative)) => {
                format!("{relative:.4} of the reference's score; {}", row.source)
            }
            (None, None) => row.source.clone(),
        },
        provenance: row.provenance,
    })
}
