//! Numbers as people read them, the same way everywhere.

use sbt_schemas::unit;

/// What stands for a value that could not be obtained.
pub(crate) const NOTHING: &str = "–";

/// A value of a metric with its unit.
pub(crate) fn metric(name: &str, value: f64) -> String {
    match unit(name) {
        Some("s") => seconds(value),
        Some("fraction") => share(value),
        Some("MB") => format!("{:.1} GB", value / 1000.0),
        Some("W") => format!("{} W", digits(value)),
        Some("USD/h") => format!("${value:.2}/h"),
        Some("USD/month") => money(value),
        Some("USD per million output tokens") => format!("${}/Mtok", digits(value)),
        Some("requests/s") => format!("{} req/s", digits(value)),
        Some("tokens/s") => format!("{} tok/s", digits(value)),
        _ => digits(value),
    }
}

/// A value that may be missing.
pub(crate) fn maybe(name: &str, value: Option<f64>) -> String {
    value.map_or(NOTHING.to_owned(), |value| metric(name, value))
}

/// A part of a whole.
pub(crate) fn share(value: f64) -> String {
    format!("{:.2} %", value * 100.0)
}

/// Seconds, or milliseconds below a tenth.
pub(crate) fn seconds(value: f64) -> String {
    if value.abs() < 0.1 {
        format!("{} ms", digits(value * 1000.0))
    } else {
        format!("{} s", digits(value))
    }
}

/// Three significant digits, thousands set apart.
pub(crate) fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = usize::try_from((2 - magnitude).clamp(0, 6)).unwrap_or(0);
    grouped(&format!("{value:.decimals$}"))
}

/// A whole number, thousands set apart.
pub(crate) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// How many of something.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(n as u64))
}

/// Dollars without cents.
pub(crate) fn money(value: f64) -> String {
    format!("${}", grouped(&format!("{value:.0}")))
}

/// A relative difference with its sign.
pub(crate) fn percent(value: f64) -> String {
    format!("{:+.1} %", value * 100.0)
}

/// A relative difference with its interval.
pub(crate) fn delta(value: f64, lo: Option<f64>, hi: Option<f64>) -> String {
    match lo.zip(hi) {
        Some((lo, hi)) => format!("{} [{}, {}]", percent(value), percent(lo), percent(hi)),
        None => percent(value),
    }
}

/// A value with its interval.
pub(crate) fn interval(name: &str, lo: Option<f64>, hi: Option<f64>) -> String {
    match lo.zip(hi) {
        Some((lo, hi)) => format!("{} to {}", metric(name, lo), metric(name, hi)),
        None => NOTHING.to_owned(),
    }
}

fn grouped(text: &str) -> String {
    let (sign, rest) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest
        .split_once('.')
        .map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{out}.{fraction}"),
        None => format!("{sign}{out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_their_units_and_three_digits() {
        assert_eq!(metric("ttft_p95_s", 0.012_34), "12.3 ms");
        assert_eq!(metric("e2e_p95_s", 3.456), "3.46 s");
        assert_eq!(metric("slo_share", 0.9876), "98.76 %");
        assert_eq!(metric("cost_per_mtok", 0.1234), "$0.123/Mtok");
        assert_eq!(metric("vram_peak_mb", 78_216.0), "78.2 GB");
        assert_eq!(money(12_345.6), "$12\u{202f}346");
    }

    #[test]
    fn differences_have_a_sign_and_their_interval() {
        assert_eq!(
            delta(-0.123, Some(-0.2), Some(-0.05)),
            "-12.3 % [-20.0 %, -5.0 %]"
        );
        assert_eq!(maybe("ttft_p95_s", None), NOTHING);
    }
}
