use sbt_engine::{Input, StageContext, StageError};
use sbt_schemas::{
    AttributionRow, CalibrationRow, CandidateRow, CounterfactualRow, FidelityRow, PlanRow,
    PlanSensitivityRow, PredictionRow, Provenance, QualityRow, RateCurveRow, RequestRow, Row,
    StabilityRow, TelemetryRow, TraceRow, TrialRow, VerdictRow, WorkloadRow,
};
use sbt_trials::Config;

/// The tables that a report is made of: those of a decision, of a measurement, or of both.
#[derive(Default)]
pub(crate) struct Inputs {
    /// Whether something was to be decided. Candidates that only sum up trials, as a stage of
    /// listed configurations gives them, are no decision.
    pub(crate) decides: bool,
    pub(crate) workload: Vec<WorkloadRow>,
    pub(crate) search: Vec<CandidateRow>,
    pub(crate) trace: Vec<TraceRow>,
    pub(crate) candidates: Vec<CandidateRow>,
    pub(crate) stability: Vec<StabilityRow>,
    pub(crate) attribution: Vec<AttributionRow>,
    pub(crate) counterfactual: Vec<CounterfactualRow>,
    pub(crate) quality: Vec<QualityRow>,
    pub(crate) plan: Vec<PlanRow>,
    pub(crate) plan_sensitivity: Vec<PlanSensitivityRow>,
    pub(crate) rate_curve: Vec<RateCurveRow>,
    pub(crate) verdicts: Vec<VerdictRow>,
    pub(crate) trials: Vec<TrialRow>,
    pub(crate) requests: Vec<RequestRow>,
    pub(crate) telemetry: Vec<TelemetryRow>,
    pub(crate) fidelity: Vec<FidelityRow>,
}

impl Inputs {
    pub(crate) fn declared() -> Vec<Input> {
        vec![
            Input::optional("workload", &WorkloadRow::TABLE),
            Input::optional("search", &CandidateRow::TABLE),
            Input::optional("trace", &TraceRow::TABLE),
            Input::optional("candidates", &CandidateRow::TABLE),
            Input::optional("stability", &StabilityRow::TABLE),
            Input::optional("attribution", &AttributionRow::TABLE),
            Input::optional("counterfactual", &CounterfactualRow::TABLE),
            Input::optional("quality", &QualityRow::TABLE),
            Input::optional("plan", &PlanRow::TABLE),
            Input::optional("plan_sensitivity", &PlanSensitivityRow::TABLE),
            Input::optional("rate_curve", &RateCurveRow::TABLE),
            Input::optional("verdicts", &VerdictRow::TABLE),
            Input::optional("trials", &TrialRow::TABLE),
            Input::optional("requests", &RequestRow::TABLE),
            Input::optional("telemetry", &TelemetryRow::TABLE),
            Input::optional("fidelity", &FidelityRow::TABLE),
            Input::optional("predictions", &PredictionRow::TABLE),
            Input::optional("calibration", &CalibrationRow::TABLE),
        ]
    }

    pub(crate) fn read(ctx: &StageContext) -> Result<Self, StageError> {
        let wired = |input: &str| ctx.tables.contains_key(input);
        if !wired("candidates") && !wired("trials") {
            return Err(StageError::user(
                "there is nothing to report: wire `candidates` for a decision, `trials` for a \
                 measurement, or `predictions` for a recorded run",
            ));
        }
        if !wired("trials") && (wired("requests") || wired("telemetry")) {
            return Err(StageError::user(
                "`requests` and `telemetry` are shown with their trials: wire `trials` too",
            ));
        }
        let inputs = Self::unchecked(ctx)?;
        if !inputs.decides && inputs.trials.is_empty() {
            return Err(StageError::user(
                "nothing was measured: `trials` has no rows",
            ));
        }
        for row in &inputs.candidates {
            Config::of_candidate(row).map_err(StageError::user)?;
        }
        Ok(inputs)
    }

    fn unchecked(ctx: &StageContext) -> Result<Self, StageError> {
        let wired = |input: &str| ctx.tables.contains_key(input);
        Ok(Self {
            decides: wired("stability") || !wired("trials"),
            workload: ctx.rows_if_wired("workload")?.unwrap_or_default(),
            search: ctx.rows_if_wired("search")?.unwrap_or_default(),
            trace: ctx.rows_if_wired("trace")?.unwrap_or_default(),
            candidates: ctx.rows_if_wired("candidates")?.unwrap_or_default(),
            stability: ctx.rows_if_wired("stability")?.unwrap_or_default(),
            attribution: ctx.rows_if_wired("attribution")?.unwrap_or_default(),
            counterfactual: ctx.rows_if_wired("counterfactual")?.unwrap_or_default(),
            quality: ctx.rows_if_wired("quality")?.unwrap_or_default(),
            plan: ctx.rows_if_wired("plan")?.unwrap_or_default(),
            plan_sensitivity: ctx.rows_if_wired("plan_sensitivity")?.unwrap_or_default(),
            rate_curve: ctx.rows_if_wired("rate_curve")?.unwrap_or_default(),
            verdicts: ctx.rows_if_wired("verdicts")?.unwrap_or_default(),
            trials: ctx.rows_if_wired("trials")?.unwrap_or_default(),
            requests: ctx.rows_if_wired("requests")?.unwrap_or_default(),
            telemetry: ctx.rows_if_wired("telemetry")?.unwrap_or_default(),
            fidelity: ctx.rows_if_wired("fidelity")?.unwrap_or_default(),
        })
    }

    /// Where the numbers come from that the report is about.
    pub(crate) fn provenance(&self) -> Provenance {
        let candidate = self.candidates.first().map(|row| row.provenance);
        let trial = self.trials.first().map(|row| row.provenance);
        let (first, second) = if self.decides {
            (candidate, trial)
        } else {
            (trial, candidate)
        };
        first.or(second).unwrap_or(Provenance::Inferred)
    }

    /// Whether the parts of E2E are inferred from what the client saw, for want of the server's own
    /// word.
    pub(crate) fn infers_parts(&self) -> bool {
        let mut parts = self.attribution.iter().map(|row| row.provenance);
        parts.any(|provenance| provenance == Provenance::Inferred)
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
