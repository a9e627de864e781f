/// A value with three significant digits, never in scientific form.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    let digits = usize::try_from(digits.max(0)).unwrap_or(0);
    format!("{value:.digits$}")
}

/// A relative difference with its sign, such as `-12.3 %`.
pub(crate) fn percent(delta: f64) -> String {
    format!("{:+.1} %", delta * 100.0)
}

/// A size in bytes, in the unit that fits.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KB", "MB", "GB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{size} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keeps_three_digits() {
        assert_eq!(short(0.012_345), "0.0123");
        assert_eq!(short(1.234_5), "1.23");
        assert_eq!(short(123.45), "123");
        assert_eq!(short(12_345.0), "12345");
    }

    #[test]
    fn bytes_picks_the_unit() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
    }
}
