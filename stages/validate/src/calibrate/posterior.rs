use sbt_schemas::CalibrationRow;
use sbt_simulator::{Coefficients, StepSource, Term};
use sbt_trials::{coefficients, posterior_draws};

use super::prior::prior_sd;

/// Share of the prior's standard deviation up to which a coefficient counts as identified.
const IDENTIFIED: f64 = 0.8;

/// What is known of the coefficients: their logarithms are normal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Posterior {
    /// Means, in the order of [`Term::ALL`].
    pub(crate) mean: Vec<f64>,
    pub(crate) covariance: Vec<Vec<f64>>,
    /// Standard deviation of log(measured / simulated) of one request that remains, in the order
    /// of [`crate::latencies::Metric::ALL`].
    pub(crate) remains: [f64; 3],
    pub(crate) method: Method,
}

/// What coefficients were calibrated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Times of engine steps.
    Steps,
    /// Latencies of requests.
    Requests,
}

impl Method {
    const ALL: [Self; 2] = [Self::Steps, Self::Requests];

    fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Requests => "requests",
        }
    }
}

impl Posterior {
    /// The most likely step times.
    pub(crate) fn source(&self) -> StepSource {
        source(&self.mean)
    }

    /// Step times under draws of the coefficients.
    pub(crate) fn draws(&self, n: usize, seed: u64) -> Vec<StepSource> {
        posterior_draws(&self.mean, &self.covariance, n, seed)
            .into_iter()
            .map(of_coefficients)
            .collect()
    }

    /// As a table.
    pub(crate) fn rows(&self, n: u64) -> Vec<CalibrationRow> {
        let rows = Term::ALL.into_iter().enumerate().map(|(i, term)| {
            let log_sd = self.covariance[i][i].sqrt();
            CalibrationRow {
                term: term.name().to_owned(),
                coefficient: self.mean[i].exp(),
                log_mean: self.mean[i],
                log_sd,
                prior_log_sd: prior_sd(term),
                identified: log_sd <= IDENTIFIED * prior_sd(term),
                log_covariance: self.covariance[i].clone(),
                n,
                method: self.method.name().to_owned(),
                ttft_log_sd: self.remains[0],
                tpot_log_sd: self.remains[1],
                e2e_log_sd: self.remains[2],
            }
        });
        rows.collect()
    }

    /// From a table, and the requests that it was calibrated on; none when nothing was.
    ///
    /// # Errors
    /// When a term is missing.
    pub(crate) fn from_rows(rows: &[CalibrationRow]) -> Result<Option<(Self, usize)>, String> {
        let Some(any) = rows.first() else {
            return Ok(None);
        };
        let known: Vec<String> = Term::ALL.map(|term| term.name().to_owned()).to_vec();
        let found: Vec<&String> = rows.iter().map(|row| &row.term).collect();
        if found != known.iter().collect::<Vec<_>>() {
            return Err(format!(
                "expected the terms {}, in this order",
                known.join(", ")
            ));
        }
        let method = Method::ALL.into_iter().find(|m| m.name() == any.method);
        let posterior = Self {
            method: method.ok_or_else(|| format!("unknown method `{}`", any.method))?,
            mean: rows.iter().map(|row| row.log_mean).collect(),
            covariance: rows.iter().map(|row| row.log_covariance.clone()).collect(),
            remains: [any.ttft_log_sd, any.tpot_log_sd, any.e2e_log_sd],
        };
        Ok(Some((
            posterior,
            usize::try_from(any.n).unwrap_or(usize::MAX),
        )))
    }
}

/// Step times of the data sheet under logarithms of the coefficients.
pub(crate) fn source(logs: &[f64]) -> StepSource {
    of_coefficients(coefficients(logs))
}

fn of_coefficients(coefficients: Coefficients) -> StepSource {
    StepSource {
        coefficients,
        kernels: None,
    }
}
