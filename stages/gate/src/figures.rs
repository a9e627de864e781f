use sbt_schemas::{Provenance, StabilityRow};

/// What is known of one metric of the configuration that is judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// Median or mean over draws.
    pub(crate) value: f64,
    /// Its 95 % bounds.
    pub(crate) lo: Option<f64>,
    pub(crate) hi: Option<f64>,
    /// Relative difference to what it is held against; none when that is not known.
    pub(crate) delta: Option<f64>,
    /// 95 % bounds of `delta`.
    pub(crate) delta_lo: Option<f64>,
    pub(crate) delta_hi: Option<f64>,
    /// What the value rests on, as ` over 5 fresh seeds`.
    pub(crate) value_basis: String,
    /// What the difference rests on.
    pub(crate) delta_basis: String,
    pub(crate) provenance: Provenance,
}

impl From<&StabilityRow> for Figures {
    fn from(row: &StabilityRow) -> Self {
        let basis = match row.n_seeds {
            0 => ", inferred".to_owned(),
            n => format!(" over {n} fresh seeds"),
        };
        Self {
            value: row.value,
            lo: row.lo,
            hi: row.hi,
            delta: row.delta,
            delta_lo: row.delta_lo,
            delta_hi: row.delta_hi,
            value_basis: basis.clone(),
            delta_basis: basis,
            provenance: row.provenance,
        }
    }
}
