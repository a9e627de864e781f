use sbt_engine::{StageContext, StageError};
use sbt_schemas::{RequestRow, TrialRow, WorkloadRow};

use crate::{Backend, Config, Protocol};

/// One trial to run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialSpec {
    /// Configuration under test.
    pub config: Config,
    /// Draw of the workload to serve.
    pub draw: u64,
    /// Factor on the arrival rate.
    pub rate_scale: f64,
    /// Whether the caller needs [`Trial::requests`].
    pub keep_requests: bool,
}

/// One trial that ended, well or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its aggregates and outcome.
    pub row: TrialRow,
    /// Its requests; empty unless asked for, or when nothing was served.
    pub requests: Vec<RequestRow>,
}

/// Runs trials against one backend under one protocol; remembers each on its own.
pub struct TrialRunner<'a> {
    ctx: &'a StageContext,
}

impl<'a> TrialRunner<'a> {
    /// A runner for the draws in `workload`.
    ///
    /// # Errors
    /// When the backend names something that the catalogue does not have.
    pub fn new(
        ctx: &'a StageContext,
        backend: &Backend,
        protocol: &Protocol,
        workload: &[WorkloadRow],
    ) -> Result<Self, StageError> {
        let _ = (backend, protocol, workload);
        Ok(Self { ctx })
    }

    /// Runs trials in parallel, up to the context's jobs, and returns them in the order given.
    /// What the memo knows is not run again. Configuration failures are outcomes, not errors.
    ///
    /// # Errors
    /// When the infrastructure fails or the run is being stopped; finished trials stay in the
    /// memo.
    pub fn run(&self, specs: &[TrialSpec]) -> Result<Vec<Trial>, StageError> {
        let _ = (self.ctx, specs);
        todo!("trials helper")
    }
}
