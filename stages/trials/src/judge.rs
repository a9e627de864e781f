use sbt_engine::Expr;
use sbt_schemas::{CandidateRow, Cell, Outcome, Row};

use crate::goals::{BASELINE, Wanted, parse};
use crate::scale::Scale;
use crate::{Goals, front_numbers, hypervolume};

mod appraise;
mod kept;

pub use appraise::Appraisal;

/// Objectives up to which hypervolumes are computed: chosen, the cost grows with their power.
const MOST_OBJECTIVES_FOR_VOLUME: usize = 8;
/// What a constraint over a null value adds to the violation. Chosen: as much as twice the limit.
const VIOLATION_BY_NULL: f64 = 1.0;

/// Judges candidates against goals and a baseline. One implementation for the search and for the
/// finalists, so that both mean the same by feasible, dominated and recommended.
pub struct Judge {
    pub(crate) objectives: Vec<Objective>,
    constraints: Vec<Expr>,
    pub(crate) baseline: Option<CandidateRow>,
    /// How each objective is measured against the baseline; none without one.
    scales: Option<Vec<Scale>>,
}

/// One objective.
pub(crate) struct Objective {
    pub(crate) expr: Expr,
    pub(crate) maximize: bool,
}

impl Judge {
    /// A judge. Goals that name the baseline need one that has the values.
    ///
    /// # Errors
    /// When an expression does not parse, names no column, or compares with what the baseline
    /// does not have; says which.
    pub fn new(goals: &Goals, baseline: Option<&CandidateRow>) -> Result<Self, String> {
        let read = |source: &String, wanted| {
            let expr = parse(source, wanted)?;
            baseline_has_values(&expr, baseline)?;
            Ok(expr)
        };
        let objective = |source, maximize| {
            let expr = read(source, Wanted::Number)?;
            Ok(Objective { expr, maximize })
        };
        let minimize = goals.minimize.iter().map(|source| objective(source, false));
        let maximize = goals.maximize.iter().map(|source| objective(source, true));
        let constraints = goals.subject_to.iter();
        let mut judge = Self {
            objectives: minimize.chain(maximize).collect::<Result<_, String>>()?,
            constraints: constraints
                .map(|source| read(source, Wanted::Condition))
                .collect::<Result<_, String>>()?,
            baseline: baseline.cloned(),
            scales: None,
        };
        judge.scales = baseline.and_then(|row| judge.scales_of(row));
        Ok(judge)
    }

    fn scales_of(&self, baseline: &CandidateRow) -> Option<Vec<Scale>> {
        let values = self.values(baseline)?.into_iter().zip(&self.objectives);
        let scales = values.map(|(baseline, objective)| Scale {
            baseline,
            maximize: objective.maximize,
        });
        Some(scales.collect())
    }

    /// Number of objectives: `minimize`, then `maximize`.
    #[must_use]
    pub fn objectives(&self) -> usize {
        self.objectives.len()
    }

    /// Objective values of a candidate, all to be minimised (maximised ones negated); none when
    /// one of them is null or the outcome is not `ok`.
    #[must_use]
    pub fn score(&self, candidate: &CandidateRow) -> Option<Vec<f64>> {
        let values = self.values(candidate)?.into_iter().zip(&self.objectives);
        Some(
            values
                .map(|(value, objective)| if objective.maximize { -value } else { value })
                .collect(),
        )
    }

    /// Objective values as they are.
    pub(crate) fn values(&self, candidate: &CandidateRow) -> Option<Vec<f64>> {
        let values = self.objectives.iter();
        let values = values.map(|objective| self.number(&objective.expr, candidate));
        values
            .collect::<Option<_>>()
            .filter(|_| candidate.outcome == Outcome::Ok)
    }

    /// The value of an expression that is a number; none when it is null.
    pub(crate) fn number(&self, expr: &Expr, candidate: &CandidateRow) -> Option<f64> {
        match expr.eval(&|name| self.cell(candidate, name)) {
            Ok(Cell::Number(value)) => Some(value),
            Ok(Cell::Null | Cell::Bool(_) | Cell::Text(_)) | Err(_) => None,
        }
    }

    pub(crate) fn cell(&self, candidate: &CandidateRow, name: &str) -> Option<Cell> {
        match name.strip_prefix(BASELINE) {
            Some(column) => self.baseline.as_ref()?.cell(column),
            None => candidate.cell(name),
        }
    }

    /// Fills `feasible`, `violation` and `violated` of a candidate. A constraint over a value
    /// that is null is not kept: a percentile that failed requests reach is beyond any limit.
    pub fn assess(&self, candidate: &mut CandidateRow) {
        candidate.feasible = false;
        candidate.violation = None;
        candidate.violated = None;
        if candidate.outcome != Outcome::Ok {
            return;
        }
        let mut sum = 0.0;
        let mut broken = Vec::new();
        for constraint in &self.constraints {
            let lookup = |name: &str| self.cell(candidate, name);
            let violation = constraint.violation(&lookup).unwrap_or(None);
            let violation = violation.unwrap_or(VIOLATION_BY_NULL);
            if violation > 0.0 {
                broken.push(self.complaint(constraint, candidate));
            }
            sum += violation;
        }
        candidate.feasible = broken.is_empty();
        candidate.violation = Some(sum);
        candidate.violated = (!broken.is_empty()).then(|| broken.join("; "));
    }

    /// A constraint with the values that it compares.
    fn complaint(&self, constraint: &Expr, candidate: &CandidateRow) -> String {
        let values = constraint.names().into_iter().map(|name| {
            let value = match self.cell(candidate, name) {
                Some(Cell::Number(value)) => crate::wording::figures(value),
                Some(Cell::Bool(value)) => value.to_string(),
                Some(Cell::Text(value)) => value,
                Some(Cell::Null) | None => "null".to_owned(),
            };
            format!("{name} is {value}")
        });
        let values: Vec<String> = values.collect();
        format!("{constraint} ({})", values.join(", "))
    }

    /// Fills `rank`, `on_front` and `hypervolume_share` of assessed candidates. Ranks: feasible
    /// ones by front, then those without a value for an objective, then infeasible ones by
    /// violation, last what did not end `ok`.
    pub fn rank(&self, candidates: &mut [CandidateRow]) {
        let scores: Vec<Option<Vec<f64>>> = candidates.iter().map(|c| self.score(c)).collect();
        let compared = candidates.iter().zip(&scores);
        let compared: Vec<Option<&[f64]>> = compared
            .map(|(candidate, score)| score.as_deref().filter(|_| candidate.feasible))
            .collect();
        let points: Vec<&[f64]> = compared.iter().copied().flatten().collect();
        let mut fronts = front_numbers(&points).into_iter();
        let standing = candidates.iter().zip(&compared).map(|(candidate, point)| {
            match point.and_then(|_| fronts.next()) {
                Some(front) => Standing::Front(front),
                None => Standing::off_front(candidate),
            }
        });
        let standing: Vec<Standing> = standing.collect();
        let mut order = standing.clone();
        order.sort_by(Standing::compare);
        order.dedup();
        for (candidate, standing) in candidates.iter_mut().zip(&standing) {
            let rank = order.iter().position(|s| s == standing);
            candidate.rank = rank.expect("every standing is in the order") as u64;
            candidate.on_front = *standing == Standing::Front(0);
            candidate.hypervolume_share = None;
        }
        self.share_volume(candidates);
    }

    /// Where a candidate lies against the baseline, per objective: below 0 is better, and the
    /// volume counts up to 1.1 times the baseline. None without a score or a baseline's score.
    #[must_use]
    pub fn coordinates(&self, candidate: &CandidateRow) -> Option<Vec<f64>> {
        let scales = self.scales.as_ref()?;
        let values = self.values(candidate)?.into_iter().zip(scales);
        Some(
            values
                .map(|(value, scale)| scale.coordinate(value))
                .collect(),
        )
    }

    /// Hypervolume of the feasible ones among some candidates, in units of the log of the ratio to
    /// the baseline, up to 1.1 times the baseline in each objective. None without a baseline that
    /// has every objective, or with more objectives than can be computed.
    #[must_use]
    pub fn hypervolume<'a>(
        &self,
        candidates: impl IntoIterator<Item = &'a CandidateRow>,
    ) -> Option<f64> {
        self.scales.as_ref()?;
        let feasible = candidates.into_iter().filter(|c| c.feasible);
        let points: Vec<Vec<f64>> = feasible.filter_map(|c| self.coordinates(c)).collect();
        self.volume(&points)
    }

    fn volume(&self, points: &[Vec<f64>]) -> Option<f64> {
        let reference = vec![Scale::REFERENCE; self.objectives()];
        let computable = (1..=MOST_OBJECTIVES_FOR_VOLUME).contains(&self.objectives());
        computable.then(|| hypervolume(points, &reference))
    }

    fn share_volume(&self, candidates: &mut [CandidateRow]) {
        let front: Vec<usize> = (0..candidates.len())
            .filter(|&i| candidates[i].on_front)
            .collect();
        let points = front.iter().map(|&i| self.coordinates(&candidates[i]));
        let Some(points) = points.collect::<Option<Vec<Vec<f64>>>>() else {
            return;
        };
        let Some(whole) = self.volume(&points).filter(|volume| *volume > 0.0) else {
            return;
        };
        for (place, &i) in front.iter().enumerate() {
            let mut others = points.clone();
            others.remove(place);
            let left = self.volume(&others);
            candidates[i].hypervolume_share = left.map(|left| ((whole - left) / whole).max(0.0));
        }
    }
}

fn baseline_has_values(expr: &Expr, baseline: Option<&CandidateRow>) -> Result<(), String> {
    for name in expr.names() {
        let Some(column) = name.strip_prefix(BASELINE) else {
            continue;
        };
        let Some(row) = baseline else {
            return Err(format!("`{expr}` names the baseline, but there is none"));
        };
        if row.cell(column) == Some(Cell::Null) {
            let because = match &row.reason {
                Some(reason) => format!("it ended `{}`: {reason}", row.outcome),
                None => "it was not obtained".to_owned(),
            };
            return Err(format!(
                "`{expr}` compares with the baseline's {column}, which is null: {because}; \
                 set an absolute limit, or choose a baseline that has it"
            ));
        }
    }
    Ok(())
}

/// What decides the rank of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Standing {
    Front(u64),
    WithoutObjective,
    Infeasible { violation: f64 },
    Failed,
}

impl Standing {
    fn off_front(candidate: &CandidateRow) -> Self {
        match (candidate.outcome, candidate.feasible, candidate.violation) {
            (Outcome::Ok, true, _) => Self::WithoutObjective,
            (Outcome::Ok, false, Some(violation)) => Self::Infeasible { violation },
            (_, _, _) => Self::Failed,
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let key = |standing: &Self| match standing {
            Self::Front(number) => (0, *number as f64),
            Self::WithoutObjective => (1, 0.0),
            Self::Infeasible { violation } => (2, *violation),
            Self::Failed => (3, 0.0),
        };
        let ((class, within), (other_class, other_within)) = (key(self), key(other));
        class
            .cmp(&other_class)
            .then(within.total_cmp(&other_within))
    }
}

#[cfg(test)]
mod tests;
