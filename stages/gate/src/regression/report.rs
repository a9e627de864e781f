use sbt_schemas::VerdictRow;

use super::side::Side;

/// The comparison as a page for a pull request.
pub(crate) fn markdown(base: &Side, candidate: &Side, verdicts: &[VerdictRow]) -> String {
    let mut page = format!(
        "# `{}` against `{}`\n\nThe base is {}, the candidate {}. {}\n\n\
         | check | verdict | evidence |\n|---|---|---|\n",
        candidate.config_name,
        base.config_name,
        base.provenance,
        candidate.provenance,
        match (&base.workload, &candidate.workload) {
            (Some(base), Some(candidate)) if base == candidate =>
                "Both served the same workload: differences are paired by draw.",
            (Some(_), Some(_)) => "They served different workloads: differences are not paired.",
            (_, _) => "The workload of one is not known: differences are not paired.",
        },
    );
    for row in verdicts {
        let cells = [&row.check, &row.verdict.to_string(), &row.evidence];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    page
}
