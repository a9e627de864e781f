use std::ops::Range;

/// The steps that gave a request its tokens, one each: ranges of successive steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Emitted {
    /// Further ranges exist only where a preemption came between.
    first: Range<u32>,
    further: Vec<Range<u32>>,
}

impl Emitted {
    /// Adds tokens of later steps.
    pub(crate) fn extend(&mut self, steps: Range<u32>) {
        if steps.is_empty() {
            return;
        }
        let last = self.further.last_mut().unwrap_or(&mut self.first);
        if last.end == last.start {
            *last = steps;
        } else if last.end == steps.start {
            last.end = steps.end;
        } else {
            self.further.push(steps);
        }
    }

    /// The steps, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = u32> + Clone {
        let further = self.further.iter().cloned().flatten();
        self.first.clone().chain(further)
    }

    pub(crate) fn count(&self) -> u64 {
        let further = self.further.iter().map(|range| range.len() as u64);
        self.first.len() as u64 + further.sum::<u64>()
    }

    /// Step of the first token.
    pub(crate) fn first(&self) -> Option<u32> {
        (!self.first.is_empty()).then_some(self.first.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successive_steps_are_one_range_and_a_pause_starts_another() {
        let mut emitted = Emitted::default();
        assert_eq!((emitted.first(), emitted.count()), (None, 0));
        for steps in [3..4, 4..4, 4..7, 9..10, 10..11] {
            emitted.extend(steps);
        }
        assert_eq!(emitted.further.len(), 1);
        assert_eq!(emitted.steps().collect::<Vec<u32>>(), [3, 4, 5, 6, 9, 10]);
        assert_eq!((emitted.first(), emitted.count()), (Some(3), 6));
    }
}
