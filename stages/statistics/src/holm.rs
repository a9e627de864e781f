/// p-values adjusted for being several claims of one report (Holm 1979), in the order given; what
/// has no p-value is no claim. An adjusted value below 0.05 keeps the chance of one or more false
/// claims below 5 %.
#[must_use]
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p.len()).filter(|i| p[*i].is_some()).collect();
    order.sort_by(|a, b| p[*a].unwrap_or(1.0).total_cmp(&p[*b].unwrap_or(1.0)));
    let mut adjusted = vec![None; p.len()];
    let mut least: f64 = 0.0;
    for (place, i) in order.iter().enumerate() {
        let claims_left = (order.len() - place) as f64;
        least = least.max(p[*i].unwrap_or(1.0) * claims_left).min(1.0);
        adjusted[*i] = Some(least);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::holm;

    #[test]
    fn textbook_example_is_reproduced() {
        let adjusted = holm(&[Some(0.01), Some(0.04), None, Some(0.03), Some(0.005)]);
        let expected = [Some(0.03), Some(0.06), None, Some(0.06), Some(0.02)];
        for (got, wanted) in adjusted.iter().zip(expected) {
            assert_eq!(got.is_some(), wanted.is_some());
            let difference = got.unwrap_or(0.0) - wanted.unwrap_or(0.0);
            assert!(difference.abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn single_claim_is_left_alone_and_none_exceeds_one() {
        assert_eq!(holm(&[Some(0.2)]), [Some(0.2)]);
        assert_eq!(holm(&[Some(0.7), Some(0.8)]), [Some(1.0), Some(1.0)]);
    }
}
