/// Values over such a range of ratios are drawn on a log scale.
const LOG_FROM: f64 = 20.0;
/// Ticks to aim for.
const TICKS: f64 = 5.0;
/// More labels than this would run into one another.
const MOST_LOG_TICKS: usize = 9;
/// Room around the values, as a share of their range.
const ROOM: f64 = 0.06;

/// From values to places on the plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// A scale that shows all of some values; none when there is no finite one.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let values = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return None;
        }
        let log = low > 0.0 && high / low > LOG_FROM;
        let (low, high) = if log {
            let room = (high / low).powf(ROOM);
            (low / room, high * room)
        } else {
            let room = if high > low {
                (high - low) * ROOM
            } else {
                high.abs().max(1.0) * ROOM
            };
            (low - room, high + room)
        };
        Some(Self {
            low,
            high,
            from,
            to,
            log,
        })
    }

    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round values within the scale.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if self.log {
            self.log_ticks()
        } else {
            self.linear_ticks()
        }
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * power);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }

    fn log_ticks(&self) -> Vec<f64> {
        let within = |factors: &[f64]| -> Vec<f64> {
            let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let all = powers.flat_map(|power| factors.iter().map(move |f| f * 10_f64.powi(power)));
            all.filter(|value| (self.low..=self.high).contains(value))
                .collect()
        };
        let fine = within(&[1.0, 2.0, 5.0]);
        if fine.len() > MOST_LOG_TICKS {
            within(&[1.0])
        } else {
            fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let scale = Scale::of([0.31, 1.74], 0.0, 100.0).unwrap();
        let ticks = scale.ticks();
        assert!(
            ticks.len() >= 3 && ticks.iter().all(|t| (0.2..1.9).contains(t)),
            "{ticks:?}"
        );
        assert!(
            Scale::of([0.1, 50.0], 0.0, 1.0)
                .unwrap()
                .ticks()
                .contains(&10.0)
        );
    }

    #[test]
    fn wide_log_scales_have_powers_of_ten_alone() {
        let ticks = Scale::of([0.004, 60.0], 0.0, 100.0).unwrap().ticks();
        assert_eq!(ticks.len(), 5, "0.01 to 100: {ticks:?}");
        assert!(ticks.iter().all(|tick| tick.log10().fract().abs() < 1e-9));
    }

    #[test]
    fn one_value_has_a_scale_and_none_has_not() {
        assert!((Scale::of([3.0], 0.0, 10.0).unwrap().place(3.0) - 5.0).abs() < 1e-9);
        assert!(Scale::of([], 0.0, 1.0).is_none());
    }
}
