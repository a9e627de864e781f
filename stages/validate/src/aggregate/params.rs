use sbt_engine::ParamError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A comparison with points of concurrency sweeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// CSV file of the points, in the columns of AIConfigurator's `silicon_sample.csv`; without one
    /// the run says that it is missing.
    pub(crate) points: String,
    /// Share of the points of each group on which host work and mixed attention are fitted; errors
    /// are those of the others.
    #[serde(default = "default_fit")]
    pub(crate) fit: f64,
    /// Largest mean absolute error of the time per output token that passes.
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// Limits by kind of model and GPU; nothing is judged where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Dense models.
    pub(crate) dense: Option<f64>,
    /// Dense models on GPUs with fp4, whose kernels change from month to month.
    pub(crate) dense_on_fp4: Option<f64>,
    /// Mixtures of experts.
    pub(crate) mixture: Option<f64>,
}

fn default_fit() -> f64 {
    0.2
}

impl Params {
    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let mut problems = Vec::new();
        if !(0.0..1.0).contains(&self.fit) {
            let wrong = format!("is {}, expected 0 or more and less than 1", self.fit);
            problems.push(ParamError::at(&["fit"], wrong));
        }
        let Limits {
            dense,
            dense_on_fp4,
            mixture,
        } = self.limits;
        let limits = [
            ("dense", dense),
            ("dense_on_fp4", dense_on_fp4),
            ("mixture", mixture),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit.filter(|limit| !(*limit > 0.0 && limit.is_finite())) {
                let wrong = format!("is {limit}, expected more than 0");
                problems.push(ParamError::at(&["limits", name], wrong));
            }
        }
        problems
    }
}
