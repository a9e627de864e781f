use sbt_engine::ParamError;

/// Everything that is wrong with a part of `with`, found before anything runs.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<ParamError>);

impl Problems {
    /// Notes a problem with `key` unless the condition holds.
    pub(crate) fn require(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds {
            self.0.push(ParamError::at(&[key], message));
        }
    }

    /// Notes a problem with `key` unless the number is finite and above 0.
    pub(crate) fn positive(&mut self, key: &str, value: f64) {
        let holds = value.is_finite() && value > 0.0;
        self.require(holds, key, format!("must be above 0, not {value}"));
    }

    /// Notes a problem with `key` unless the number is finite and not below 0.
    pub(crate) fn not_negative(&mut self, key: &str, value: f64) {
        let holds = value.is_finite() && value >= 0.0;
        self.require(holds, key, format!("must be 0 or more, not {value}"));
    }

    /// Takes over the problems of the value under `key`.
    pub(crate) fn under(&mut self, key: &str, inner: Self) {
        self.0
            .extend(inner.0.into_iter().map(|error| error.under(key)));
    }

    /// The errors, or nothing when there are none.
    pub(crate) fn into_result(self) -> Result<(), Vec<ParamError>> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0)
        }
    }
}
