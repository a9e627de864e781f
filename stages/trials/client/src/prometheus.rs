//! The text format of Prometheus, as servers show it at `/metrics`.

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name, such as `vllm:num_requests_running`.
    pub name: String,
    /// Labels with their values, in order.
    pub labels: Vec<(String, String)>,
    /// Value, in the metric's own unit; may be infinite or no number.
    pub value: f64,
}

/// Reads all samples; comments, and lines that are none of the format, are passed over.
#[must_use]
pub fn parse(text: &str) -> Vec<Sample> {
    text.lines().filter_map(sample).collect()
}

/// The sum of all samples of one of these names; none when there is none.
#[must_use]
pub fn sum(samples: &[Sample], names: &[String]) -> Option<f64> {
    samples
        .iter()
        .filter(|s| names.contains(&s.name) && s.value.is_finite())
        .map(|s| s.value)
        .reduce(|a, b| a + b)
}

fn sample(line: &str) -> Option<Sample> {
    let line = line.trim();
    let end = line.find(|c: char| !is_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    // a comment has no name
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    // a stamp in milliseconds may follow
    let value = number(rest.split_whitespace().next()?)?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Reads labels up to the closing brace; gives what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_stamps_and_special_values_are_read() {
        let text = "# HELP a b\n# TYPE a gauge\na 1\nv:b{x=\"1,}\",y=\"q\\\"\\n\"} 2.5e3 1700000000\nc_bucket{le=\"+Inf\",} +Inf\n\nd{} NaN";
        let samples = parse(text);
        assert_eq!(samples.len(), 4);
        assert_eq!((samples[0].name.as_str(), samples[0].value), ("a", 1.0));
        assert_eq!(samples[1].value, 2500.0);
        assert_eq!(samples[1].labels[0], ("x".to_owned(), "1,}".to_owned()));
        assert_eq!(samples[1].labels[1], ("y".to_owned(), "q\"\n".to_owned()));
        assert_eq!(samples[2].value, f64::INFINITY);
        assert!(samples[3].value.is_nan());
    }

    #[test]
    fn lines_of_no_format_are_passed_over() {
        for line in ["", "{", "a", "a{b=\"c} 1", "a{b} 1", "1a 2", "a x", "é 1"] {
            assert_eq!(parse(line), [], "{line}");
        }
    }

    #[test]
    fn values_of_several_names_are_summed() {
        let samples = parse("a{e=\"0\"} 1\na{e=\"1\"} 2\nb 4\nc NaN");
        let names = |n: &[&str]| n.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        assert_eq!(sum(&samples, &names(&["a", "b"])), Some(7.0));
        assert_eq!(sum(&samples, &names(&["c", "d"])), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[a-z{}=\",\\\\ \n#0-9éN+]{0,60}") {
            let _ = parse(&text);
        }
    }
}
