//! Regression gates: limits in, verdicts out.
