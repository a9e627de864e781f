use sbt_schemas::CandidateRow;
use sbt_statistics::lower_bound;

/// Relative difference that is none to whoever deploys: on the log scale of the coordinates. Chosen:
/// knobs that change nothing leave less.
const TOLERANCE: f64 = 0.01;

/// Coordinates of one finalist by draw, all minimised; none where a draw has no value.
pub(crate) type ByDraw = Vec<Option<Vec<f64>>>;

/// Whether a feasible candidate surely dominates each one.
pub(crate) fn surely_dominated(rows: &[CandidateRow], places: &[ByDraw]) -> Vec<bool> {
    let by_any = |b: usize| {
        let mut others = (0..rows.len()).filter(|a| *a != b && rows[*a].feasible);
        others.any(|a| dominates(&places[a], &places[b]) && !dominates(&places[b], &places[a]))
    };
    (0..rows.len()).map(by_any).collect()
}

/// With 95 % for each objective, paired by draw: nowhere worse by more than the tolerance, and
/// somewhere better. Fewer than two draws that both have say nothing.
fn dominates(a: &ByDraw, b: &ByDraw) -> bool {
    let pairs = a
        .iter()
        .zip(b)
        .filter_map(|(a, b)| a.as_ref().zip(b.as_ref()));
    let pairs: Vec<(&Vec<f64>, &Vec<f64>)> = pairs.collect();
    let objectives = pairs.first().map_or(0, |(a, _)| a.len());
    let gains = (0..objectives).map(|k| {
        let gains: Vec<f64> = pairs.iter().map(|(a, b)| b[k] - a[k]).collect();
        lower_bound(&gains)
    });
    let Some(gains) = gains.collect::<Option<Vec<f64>>>() else {
        return false;
    };
    gains.iter().all(|gain| *gain >= -TOLERANCE) && gains.iter().any(|gain| *gain > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(draws: &[[f64; 2]]) -> ByDraw {
        draws.iter().map(|draw| Some(draw.to_vec())).collect()
    }

    #[test]
    fn better_in_every_draw_dominates_and_better_on_average_does_not() {
        let base = places(&[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]);
        let surely = places(&[[-0.2, 0.0], [-0.25, 0.0], [-0.22, 0.0], [-0.21, 0.0]]);
        let maybe = places(&[[-0.9, 0.0], [0.4, 0.0], [-0.5, 0.0], [0.2, 0.0]]);
        assert!(dominates(&surely, &base) && !dominates(&base, &surely));
        assert!(!dominates(&maybe, &base) && !dominates(&base, &maybe));
    }

    #[test]
    fn gain_in_one_objective_for_a_loss_in_another_dominates_nothing() {
        let base = places(&[[0.0, 0.0], [0.01, 0.0], [0.0, 0.01]]);
        let other = places(&[[-0.2, 0.1], [-0.2, 0.12], [-0.21, 0.1]]);
        assert!(!dominates(&other, &base) && !dominates(&base, &other));
    }

    #[test]
    fn one_draw_says_nothing() {
        assert!(!dominates(&places(&[[-1.0, -1.0]]), &places(&[[0.0, 0.0]])));
        assert!(!dominates(&vec![None], &vec![None]));
    }
}
