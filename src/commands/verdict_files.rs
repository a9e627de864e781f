//! Verdicts in the forms that continuous integration reads.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use sbt_engine::StoredVerdict;

use crate::environment::Environment;
use crate::failure::{Exit, Failure};

/// A file to which GitHub adds what stands in it to the page of a job.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Writes JUnit XML: a suite for each stage, a case for each check. What is inconclusive counts as
/// skipped.
pub(crate) fn write_junit(
    path: &Path,
    pipeline: &str,
    verdicts: &[(String, StoredVerdict)],
) -> Result<(), Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::CannotWrite,
            format!("{} cannot be written: {error}", path.display()),
        )
    };
    let text = junit(pipeline, verdicts).map_err(|error| cannot(&error))?;
    std::fs::write(path, text).map_err(|error| cannot(&error))
}

fn junit(
    pipeline: &str,
    verdicts: &[(String, StoredVerdict)],
) -> Result<String, quick_junit::SerializeError> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for (stage, verdict) in verdicts {
        let suite = suites.entry(stage);
        let suite = suite.or_insert_with(|| TestSuite::new(stage.as_str()));
        suite.add_test_case(case(stage, verdict));
    }
    let mut report = Report::new(pipeline);
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn case(stage: &str, verdict: &StoredVerdict) -> TestCase {
    let evidence = verdict.evidence.as_deref().unwrap_or_default();
    let mut status = match verdict.verdict.as_str() {
        "pass" => TestCaseStatus::success(),
        "fail" => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::skipped(),
    };
    if verdict.verdict != "pass" {
        status.set_message(evidence);
    }
    let mut case = TestCase::new(verdict.check.as_str(), status);
    let subject = verdict.subject.as_deref().unwrap_or_default();
    case.set_classname(format!("{stage}.{subject}"));
    if verdict.verdict == "pass" {
        case.set_system_out(evidence);
    }
    case
}

/// Adds a table of the verdicts to the summary of a job of GitHub Actions, when this is one.
pub(crate) fn add_step_summary(
    pipeline: &str,
    verdicts: &[(String, StoredVerdict)],
    environment: &Environment,
) -> Result<(), Failure> {
    let path = environment.variables.get(STEP_SUMMARY);
    let Some(path) = path.filter(|path| !path.is_empty() && !verdicts.is_empty()) else {
        return Ok(());
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let added = file.and_then(|mut file| file.write_all(markdown(pipeline, verdicts).as_bytes()));
    added.map_err(|error| {
        Failure::new(
            Exit::CannotWrite,
            format!("{path} ({STEP_SUMMARY}) cannot be written: {error}"),
        )
    })
}

fn markdown(pipeline: &str, verdicts: &[(String, StoredVerdict)]) -> String {
    let mut text = format!("### {pipeline}\n\n| | check | evidence |\n|---|---|---|\n");
    for (_, verdict) in verdicts {
        let evidence = verdict.evidence.as_deref().unwrap_or_default();
        let cells = [verdict.verdict.as_str(), &verdict.check, evidence];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts() -> Vec<(String, StoredVerdict)> {
        let verdict = |check: &str, verdict: &str, evidence: &str| StoredVerdict {
            check: check.to_owned(),
            subject: Some("x".to_owned()),
            verdict: verdict.to_owned(),
            value: None,
            limit: None,
            evidence: Some(evidence.to_owned()),
        };
        let all = [
            verdict("ttft", "pass", "-3 %"),
            verdict("e2e", "fail", "+20 % <limit +10 %> a|b"),
            verdict("quality", "inconclusive", "too few"),
        ];
        all.map(|verdict| ("gate".to_owned(), verdict)).into()
    }

    #[test]
    fn junit_has_a_case_for_each_check() {
        let text = junit("regression", &verdicts()).unwrap();
        for part in [
            r#"<testsuites name="regression" tests="3" skipped="1" failures="1""#,
            r#"<testsuite name="gate" tests="3" skipped="1""#,
            r#"<testcase name="ttft" classname="gate.x">"#,
            r#"<failure message="+20 % &lt;limit +10 %&gt; a|b""#,
            r#"<skipped message="too few"/>"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn step_summary_is_a_table_whose_cells_hold() {
        let text = markdown("regression", &verdicts());
        assert!(
            text.contains("| fail | e2e | +20 % <limit +10 %> a\\|b |\n"),
            "{text}"
        );
    }
}
