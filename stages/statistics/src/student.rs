use statrs::distribution::{ContinuousCDF, StudentsT};

/// Quantile of Student's t with `freedom` degrees of freedom; none without at least one.
#[must_use]
pub fn student_quantile(freedom: usize, probability: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(t.inverse_cdf(probability))
}
