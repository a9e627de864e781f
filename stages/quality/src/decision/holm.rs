/// p-values corrected for their number, by Holm: each may then be compared with the level alone.
pub(crate) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![1.0; p.len()];
    let mut most = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        let tests_left = (p.len() - rank) as f64;
        most = most.max((p[place] * tests_left).min(1.0));
        corrected[place] = most;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::holm;

    #[test]
    fn smallest_pays_for_all_and_none_overtakes() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        for (found, expected) in corrected.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
    }
}
