//! Numbers in sentences.

use sbt_schemas::unit;

/// Three significant figures, without trailing zeros after the point.
pub(crate) fn figures(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = 2 - value.abs().log10().floor() as i32;
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or(0));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A value of a column with its unit.
pub(crate) fn quantity(column: &str, value: f64) -> String {
    let number = figures(value);
    match unit(column) {
        Some("fraction") | None => number,
        Some(unit) => format!("{number} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{figures, quantity};

    #[test]
    fn three_figures_remain() {
        assert_eq!(figures(3.214_9), "3.21");
        assert_eq!(figures(0.012_345), "0.0123");
        assert_eq!(figures(12_345.6), "12346");
        assert_eq!(figures(1.0), "1");
        assert_eq!(figures(-0.5), "-0.5");
        assert_eq!(figures(0.0), "0");
    }

    #[test]
    fn unit_follows_from_the_column() {
        assert_eq!(quantity("e2e_p95_s", 3.214_9), "3.21 s");
        assert_eq!(quantity("timeout_rate", 0.02), "0.02");
        assert_eq!(quantity("quality", 0.981_2), "0.981");
    }
}
