/// The stages that the layers are split into (`pipeline_parallel_size`): a step passes one after
/// the other, and behind it comes the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pipeline {
    stages: f64,
    first_free_s: f64,
    last_free_s: f64,
}

impl Pipeline {
    pub(crate) fn new(stages: u32) -> Self {
        Self {
            stages: f64::from(stages),
            first_free_s: 0.0,
            last_free_s: 0.0,
        }
    }

    /// Starts a step that takes so many seconds through all stages; when its results are there.
    pub(crate) fn start(&mut self, now: f64, seconds: f64) -> f64 {
        let stage_s = seconds / self.stages;
        let start_s = now.max(self.first_free_s);
        self.first_free_s = start_s + stage_s;
        self.last_free_s = (start_s + seconds).max(self.last_free_s + stage_s);
        self.last_free_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_stage_by_stage() {
        let mut pipeline = Pipeline::new(4);
        let ends = [0; 3].map(|_| pipeline.start(0.0, 1.0));
        assert_eq!(ends, [1.0, 1.25, 1.5]);
        assert_eq!(pipeline.start(9.0, 1.0), 10.0);
        let mut single = Pipeline::new(1);
        assert_eq!([0; 3].map(|_| single.start(0.0, 1.0)), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn quick_step_does_not_pass_a_slow_one() {
        let mut pipeline = Pipeline::new(2);
        assert_eq!(pipeline.start(0.0, 8.0), 8.0);
        assert_eq!(pipeline.start(0.0, 1.0), 8.5);
    }
}
