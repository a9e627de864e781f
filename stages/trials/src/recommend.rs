use sbt_schemas::CandidateRow;

use crate::Judge;
use crate::wording::quantity;

/// A member of the front that may be recommended.
struct Member {
    index: usize,
    values: Vec<f64>,
    /// Distance to the best of each objective, each scaled to 0..1 over the front.
    distance: f64,
}

/// Relative difference up to which two values of an objective are the same to whoever deploys.
/// Chosen: knobs that change nothing leave less than that.
const ALIKE: f64 = 0.01;

impl Member {
    /// Whether every objective is about the same: no alternative to each other.
    fn is_like(&self, other: &Self) -> bool {
        let pairs = self.values.iter().zip(&other.values);
        pairs
            .into_iter()
            .all(|(a, b)| (a - b).abs() <= ALIKE * a.abs().max(b.abs()))
    }
}

impl Judge {
    /// Marks up to `top` members of the front as recommended, best first, each with its reason.
    /// First the best balance: the member nearest to the point that has the best of every
    /// objective, with each objective scaled to its range over the front (log of the ratio to the
    /// baseline where there is one). Then the best of each objective, in their order; then the
    /// next best balances. Of configurations that are alike, the first is recommended.
    pub fn recommend(&self, candidates: &mut [CandidateRow], top: usize) {
        for candidate in candidates.iter_mut() {
            candidate.recommended = None;
            candidate.why = None;
        }
        let members = self.members(candidates);
        let reasons = self.ordered_reasons(&members);
        let mut chosen: Vec<&Member> = Vec::new();
        for (member, why) in reasons {
            let member = &members[member];
            if chosen.len() < top && !chosen.iter().any(|other| member.is_like(other)) {
                chosen.push(member);
                let candidate = &mut candidates[member.index];
                candidate.recommended = Some(chosen.len() as u64);
                candidate.why = Some(why);
            }
        }
    }

    /// The front, nearest to the ideal first.
    fn members(&self, candidates: &[CandidateRow]) -> Vec<Member> {
        let front = candidates.iter().enumerate().filter(|(_, c)| c.on_front);
        let front = front.filter_map(|(index, candidate)| {
            let values = self.values(candidate)?;
            let coordinates = self
                .coordinates(candidate)
                .or_else(|| self.score(candidate))?;
            Some((index, values, coordinates))
        });
        let front: Vec<(usize, Vec<f64>, Vec<f64>)> = front.collect();
        let range = |k: usize| {
            let column = front.iter().map(|(_, _, coordinates)| coordinates[k]);
            column.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            })
        };
        let ranges: Vec<(f64, f64)> = (0..self.objectives()).map(range).collect();
        let distance = |coordinates: &[f64]| {
            let parts = coordinates.iter().zip(&ranges).map(|(x, (low, high))| {
                if high > low {
                    ((x - low) / (high - low)).powi(2)
                } else {
                    0.0
                }
            });
            parts.sum::<f64>().sqrt()
        };
        let mut members: Vec<Member> = front
            .iter()
            .map(|(index, values, coordinates)| Member {
                index: *index,
                values: values.clone(),
                distance: distance(coordinates),
            })
            .collect();
        members.sort_by(|a, b| {
            a.distance
                .total_cmp(&b.distance)
                .then(a.index.cmp(&b.index))
        });
        members
    }

    /// Members in the order of recommendation, with the reason; a member may come up again.
    fn ordered_reasons(&self, members: &[Member]) -> Vec<(usize, String)> {
        if members.is_empty() {
            return Vec::new();
        }
        let mut reasons = vec![(0, self.reason_of_balance(members))];
        for k in 0..self.objectives() {
            let best = self.best_of(members, k);
            let objective = &self.objectives[k];
            let extreme = if objective.maximize {
                "highest"
            } else {
                "lowest"
            };
            let value = self.with_gain(k, members[best].values[k], " against the baseline");
            reasons.push((
                best,
                format!("{extreme} {} on the front: {value}", objective.expr),
            ));
        }
        for (place, member) in members.iter().enumerate().skip(1) {
            let values = self.all_values(member);
            reasons.push((place, format!("next best balance: {values}")));
        }
        reasons
    }

    fn reason_of_balance(&self, members: &[Member]) -> String {
        let values = self.all_values(&members[0]);
        let best_of_all = (0..self.objectives()).all(|k| self.best_of(members, k) == 0);
        match (members.len(), best_of_all) {
            (1, _) => format!("the only one on the front: {values}"),
            (_, true) => format!("best of every objective: {values}"),
            (n, false) => {
                format!("best balance of {n} on the front, nearest to the best of each: {values}")
            }
        }
    }

    fn best_of(&self, members: &[Member], objective: usize) -> usize {
        let sign = if self.objectives[objective].maximize {
            -1.0
        } else {
            1.0
        };
        let value = |i: usize| sign * members[i].values[objective];
        (0..members.len())
            .min_by(|&a, &b| value(a).total_cmp(&value(b)))
            .expect("callers have members")
    }

    fn all_values(&self, member: &Member) -> String {
        let values = member.values.iter().enumerate();
        let values: Vec<String> = values
            .map(|(k, value)| {
                let against = if k == 0 { " against the baseline" } else { "" };
                let value = self.with_gain(k, *value, against);
                format!("{} {value}", self.objectives[k].expr)
            })
            .collect();
        values.join(", ")
    }

    /// A value with its unit, and in brackets how it compares with the baseline.
    fn with_gain(&self, objective: usize, value: f64, against: &str) -> String {
        let expr = &self.objectives[objective].expr;
        let text = quantity(&expr.to_string(), value);
        let baseline = self.baseline.as_ref();
        let baseline = baseline.and_then(|row| self.number(expr, row));
        match baseline.filter(|baseline| *baseline > 0.0) {
            None => text,
            Some(baseline) => {
                let percent = ((value / baseline - 1.0) * 100.0).round() + 0.0;
                format!("{text} ({percent:+} %{against})")
            }
        }
    }
}
