use std::time::Duration;

/// Reads `"30m"`, `"90s"`, `"1h30m"`, `"250ms"`, `"7d"`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit());
        let (unit, after) = rest.split_at(letters.unwrap_or(rest.len()));
        let millis = count.checked_mul(millis_per(unit.trim())?)?;
        total = total.checked_add(Duration::from_millis(millis))?;
        rest = after;
        if rest.is_empty() {
            return (!total.is_zero()).then_some(total);
        }
    }
}

fn millis_per(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

/// A duration such as `30m` or `7d`.
///
/// # Errors
/// With the form that is expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text).ok_or_else(|| format!("`{text}` is no duration; write it as 90s, 30m, 1h30m or 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_with_units_are_read() {
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn durations_without_unit_or_length_are_refused() {
        for text in [
            "",
            "30",
            "m",
            "0s",
            "30 minutes",
            "-3s",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
