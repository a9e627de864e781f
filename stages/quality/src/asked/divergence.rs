use super::answer::{Answer, Step};

/// Least probability that is told from none.
const TINY: f64 = 1e-12;

/// How far a variant's answer is from the reference's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Divergence {
    /// Index of the first token that differs.
    pub(super) first: Option<u64>,
    /// Of the places at which both had read the same.
    pub(super) kl_mean: Option<f64>,
    pub(super) kl_max: Option<f64>,
    pub(super) top1_agreement: Option<f64>,
}

/// Compares answers token by token. Up to and with the first token that differs both had the same
/// text before them, so that their probabilities compare as if one were made to say the other's
/// words; beyond it they do not.
pub(super) fn divergence(reference: &Answer, variant: &Answer) -> Divergence {
    let (p, q) = (&reference.steps, &variant.steps);
    if p.is_empty() || q.is_empty() {
        return Divergence::default();
    }
    let same = p.iter().zip(q).take_while(|(p, q)| p.token == q.token);
    let same = same.count();
    let ended_alike = same == p.len() && same == q.len();
    let places: Vec<(&Step, &Step)> = p
        .iter()
        .zip(q)
        .take(same + 1)
        .filter(|(p, q)| !p.top.is_empty() && !q.top.is_empty())
        .collect();
    let kls = places.iter().map(|(p, q)| kl(p, q));
    let kls: Vec<f64> = kls.collect();
    let n = places.len() as f64;
    let agree = places.iter().filter(|(p, q)| p.top[0].0 == q.top[0].0);
    let of_places = |value: f64| (!places.is_empty()).then_some(value);
    Divergence {
        first: (!ended_alike).then_some(same as u64),
        kl_mean: of_places(kls.iter().sum::<f64>() / n),
        kl_max: kls.iter().copied().max_by(f64::total_cmp),
        top1_agreement: of_places(agree.count() as f64 / n),
    }
}

/// KL divergence of `q` from `p` with all tokens that are not in both lists taken as one: at most
/// the whole one.
fn kl(p: &Step, q: &Step) -> f64 {
    let (mut sum, mut p_left, mut q_left) = (0.0, 1.0, 1.0);
    for (token, log_p) in &p.top {
        let Some((_, log_q)) = q.top.iter().find(|(other, _)| other == token) else {
            continue;
        };
        sum += log_p.exp() * (log_p - log_q);
        p_left -= log_p.exp();
        q_left -= log_q.exp();
    }
    let (p_left, q_left) = (f64::max(p_left, TINY), f64::max(q_left, TINY));
    (sum + p_left * (p_left / q_left).ln()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(steps: &[(&str, &[(&str, f64)])]) -> Answer {
        let step = |(token, top): &(&str, &[(&str, f64)])| Step {
            token: (*token).to_owned(),
            top: top.iter().map(|(t, p)| ((*t).to_owned(), p.ln())).collect(),
        };
        Answer {
            steps: steps.iter().map(step).collect(),
            ..Answer::default()
        }
    }

    #[test]
    fn equal_answers_do_not_diverge() {
        let a = answer(&[("a", &[("a", 0.9), ("b", 0.1)]), ("c", &[("c", 0.6)])]);
        let found = divergence(&a, &a);
        assert_eq!((found.first, found.top1_agreement), (None, Some(1.0)));
        assert!(found.kl_max.unwrap() < 1e-9);
    }

    #[test]
    fn first_other_token_still_counts_and_nothing_after_it() {
        let p = answer(&[("a", &[("a", 0.75), ("b", 0.25)]), ("x", &[("x", 1.0)])]);
        let q = answer(&[("b", &[("b", 0.5), ("a", 0.5)]), ("x", &[("y", 1.0)])]);
        let found = divergence(&p, &q);
        let expected = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
        assert_eq!((found.first, found.top1_agreement), (Some(0), Some(0.0)));
        assert!((found.kl_mean.unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn tokens_of_one_list_alone_are_one() {
        let p = answer(&[("a", &[("a", 0.5), ("b", 0.3)])]);
        let q = answer(&[("a", &[("a", 0.5), ("c", 0.3)])]);
        assert!(divergence(&p, &q).kl_mean.unwrap() < 1e-9);
        assert_eq!(divergence(&p, &Answer::default()), Divergence::default());
    }

    #[test]
    fn one_that_goes_on_differs_where_the_other_ended() {
        let short = answer(&[("a", &[])]);
        let long = answer(&[("a", &[]), ("b", &[])]);
        let found = divergence(&short, &long);
        assert_eq!((found.first, found.kl_mean), (Some(1), None));
    }
}
