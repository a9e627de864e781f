//! Finalists measured again on fresh seeds: what is reported was never selected on.

mod counterfactual;
mod finalists;
mod intervals;
mod params;
mod stage;

pub use stage::StabilityKind;
