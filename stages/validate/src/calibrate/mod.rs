//! Mode `calibrate`: what a real run says of the step times.

mod fit;
mod params;
mod posterior;
mod prior;
mod regression;
mod stage;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use params::Params;
pub(crate) use posterior::Posterior;
pub(crate) use stage::CalibrateStage;
