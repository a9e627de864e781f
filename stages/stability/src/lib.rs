//! Finalists measured again on fresh seeds: what is reported was never selected on.

mod counterfactual;
mod domination;
mod finalists;
mod judged;
mod params;
mod stage;
mod table;

pub use stage::StabilityKind;
