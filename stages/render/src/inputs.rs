use sbt_engine::{Input, StageContext, StageError};
use sbt_schemas::{
    AttributionRow, CandidateRow, PlanRow, QualityRow, Row, StabilityRow, TraceRow, VerdictRow,
    WorkloadRow,
};
use sbt_trials::Config;

/// The tables that a report is made of.
pub(crate) struct Inputs {
    pub(crate) workload: Vec<WorkloadRow>,
    pub(crate) search: Vec<CandidateRow>,
    pub(crate) trace: Vec<TraceRow>,
    pub(crate) candidates: Vec<CandidateRow>,
    pub(crate) stability: Vec<StabilityRow>,
    pub(crate) attribution: Vec<AttributionRow>,
    pub(crate) quality: Vec<QualityRow>,
    pub(crate) plan: Vec<PlanRow>,
    pub(crate) verdicts: Vec<VerdictRow>,
}

impl Inputs {
    pub(crate) fn declared() -> Vec<Input> {
        vec![
            Input::optional("workload", &WorkloadRow::TABLE),
            Input::optional("search", &CandidateRow::TABLE),
            Input::optional("trace", &TraceRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            Input::required("stability", &StabilityRow::TABLE),
            Input::optional("attribution", &AttributionRow::TABLE),
            Input::optional("quality", &QualityRow::TABLE),
            Input::optional("plan", &PlanRow::TABLE),
            Input::optional("verdicts", &VerdictRow::TABLE),
        ]
    }

    pub(crate) fn read(ctx: &StageContext) -> Result<Self, StageError> {
        let inputs = Self::unchecked(ctx)?;
        for row in &inputs.candidates {
            Config::from_json(&row.config_name, &row.config).map_err(|error| {
                StageError::user(format!(
                    "configuration `{}` is unreadable: {error}",
                    row.config_name
                ))
            })?;
        }
        Ok(inputs)
    }

    fn unchecked(ctx: &StageContext) -> Result<Self, StageError> {
        Ok(Self {
            workload: ctx.rows_if_wired("workload")?.unwrap_or_default(),
            search: ctx.rows_if_wired("search")?.unwrap_or_default(),
            trace: ctx.rows_if_wired("trace")?.unwrap_or_default(),
            candidates: ctx.rows("candidates")?,
            stability: ctx.rows("stability")?,
            attribution: ctx.rows_if_wired("attribution")?.unwrap_or_default(),
            quality: ctx.rows_if_wired("quality")?.unwrap_or_default(),
            plan: ctx.rows_if_wired("plan")?.unwrap_or_default(),
            verdicts: ctx.rows_if_wired("verdicts")?.unwrap_or_default(),
        })
    }

    /// The baseline among the finalists.
    pub(crate) fn baseline(&self) -> Option<&CandidateRow> {
        self.candidates.iter().find(|row| row.sampler == "baseline")
    }

    /// Recommendations, best first.
    pub(crate) fn recommended(&self) -> Vec<&CandidateRow> {
        let mut rows: Vec<&CandidateRow> = self
            .candidates
            .iter()
            .filter(|row| row.recommended.is_some())
            .collect();
        rows.sort_by_key(|row| row.recommended);
        rows
    }

    /// A metric of a configuration, as it was measured again.
    pub(crate) fn stability_of(&self, config_id: &str, metric: &str) -> Option<&StabilityRow> {
        self.stability
            .iter()
            .find(|row| row.config_id == config_id && row.metric == metric)
    }
}
