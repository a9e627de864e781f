use sbt_schemas::{Provenance, StudyCoverageRow};
use sbt_statistics::{LEVEL, wilson};

/// What the intervals of one figure did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    truth: f64,
    tried: u64,
    defined: u64,
    held: u64,
    below: u64,
    width: f64,
}

/// What a tally is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) interval: &'a str,
    pub(crate) metric: &'a str,
    pub(crate) load: f64,
    pub(crate) draws: u64,
    pub(crate) n_requests: u64,
}

impl Tally {
    /// Of intervals, none for those without finite bounds, that should hold a true value.
    pub(crate) fn of(truth: f64, intervals: impl Iterator<Item = Option<(f64, f64)>>) -> Self {
        let mut tally = Self {
            truth,
            tried: 0,
            defined: 0,
            held: 0,
            below: 0,
            width: 0.0,
        };
        for interval in intervals {
            tally.tried += 1;
            if let Some((low, high)) = interval {
                tally.defined += 1;
                tally.held += u64::from(low <= truth && truth <= high);
                tally.below += u64::from(high < truth);
                tally.width += high - low;
            }
        }
        tally
    }

    /// The row; none when nothing was tried.
    pub(crate) fn row(&self, subject: Subject<'_>, relative: bool) -> Option<StudyCoverageRow> {
        let bounds = wilson(self.held, self.defined);
        let of_defined = |part: f64| (self.defined > 0).then(|| part / self.defined as f64);
        let scale = if relative { self.truth } else { 1.0 };
        (self.tried > 0).then(|| StudyCoverageRow {
            interval: subject.interval.to_owned(),
            load: subject.load,
            metric: subject.metric.to_owned(),
            draws: subject.draws,
            n_requests: subject.n_requests,
            nominal: LEVEL,
            coverage: of_defined(self.held as f64),
            coverage_lo: bounds.map(|(low, _)| low),
            coverage_hi: bounds.map(|(_, high)| high),
            defined: self.defined as f64 / self.tried as f64,
            too_low: of_defined(self.below as f64),
            n: self.tried,
            truth: self.truth,
            width: of_defined(self.width / scale),
            provenance: Provenance::Simulated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_without_bounds_are_tried_but_cover_nothing() {
        let intervals = [Some((1.0, 3.0)), Some((0.0, 1.0)), None, Some((2.5, 3.0))];
        let subject = Subject {
            interval: "median",
            metric: "e2e_p95_s",
            load: 0.5,
            draws: 5,
            n_requests: 300,
        };
        let row = Tally::of(2.0, intervals.into_iter())
            .row(subject, true)
            .unwrap();
        assert_eq!((row.n, row.defined), (4, 0.75));
        assert_eq!(
            (row.coverage, row.too_low),
            (Some(1.0 / 3.0), Some(1.0 / 3.0))
        );
        assert!(row.coverage_lo < row.coverage && row.coverage < row.coverage_hi);
        assert!(
            Tally::of(1.0, std::iter::empty())
                .row(subject, true)
                .is_none()
        );
    }
}
