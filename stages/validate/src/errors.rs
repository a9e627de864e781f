/// Mean size of the relative errors of pairs of simulated and measured values.
pub(crate) fn mape(pairs: &[(f64, f64)]) -> f64 {
    let sizes = pairs.iter().map(|(s, m)| (s / m - 1.0).abs());
    mean(sizes)
}

pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}
