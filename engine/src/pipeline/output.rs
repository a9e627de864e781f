use sbt_schemas::TableSpec;

use crate::diagnostic::Diagnostic;
use crate::params::nearest_name;
use crate::{Input, Output, OutputKind};

/// The output of a stage that an input is wired to: the named one, else the only one, else the
/// only one of the wanted table, else the one named like the table or the input.
pub(crate) fn choose_output(
    stage: &str,
    outputs: &[Output],
    named: Option<&str>,
    wanted: &Input,
) -> Result<String, Diagnostic> {
    let by_name = |name: &str| outputs.iter().find(|output| output.name == name);
    let chosen = match (named, outputs) {
        (Some(name), _) => by_name(name).ok_or_else(|| unknown(stage, name, outputs))?,
        (None, [only]) => only,
        (None, _) => {
            let of_table = only_of_table(outputs, wanted.table);
            let like_table = || wanted.table.and_then(|table| by_name(table.name));
            of_table
                .or_else(like_table)
                .or_else(|| by_name(&wanted.name))
                .ok_or_else(|| undecided(stage, outputs, wanted))?
        }
    };
    check(stage, chosen, wanted)?;
    Ok(chosen.name.clone())
}

fn only_of_table<'a>(outputs: &'a [Output], table: Option<&TableSpec>) -> Option<&'a Output> {
    let wanted = table?.name;
    let is_wanted = |output: &&Output| match output.kind {
        OutputKind::Table(spec) => spec.name == wanted,
        OutputKind::AnyTable | OutputKind::File | OutputKind::Folder => false,
    };
    let mut matching = outputs.iter().filter(is_wanted);
    matching.next().filter(|_| matching.next().is_none())
}

fn check(stage: &str, output: &Output, wanted: &Input) -> Result<(), Diagnostic> {
    let wrong = |is: &str| {
        let wants = match wanted.table {
            Some(table) => format!("the table `{}`", table.name),
            None => "a table or file".to_owned(),
        };
        let message = format!(
            "input `{}` needs {wants}, but `{stage}.{}` is {is}",
            wanted.name, output.name
        );
        Err(Diagnostic::new("sbt::wiring::table", message))
    };
    match (output.kind, wanted.table) {
        (OutputKind::Table(given), Some(table)) if given.name == table.name => {
            columns(stage, output, given, table)
        }
        (OutputKind::Table(given), Some(_)) => wrong(&format!("the table `{}`", given.name)),
        (OutputKind::Folder, _) => wrong("a folder for people"),
        (OutputKind::File, Some(_)) => wrong("a file"),
        // Whether the columns are right shows when the table is there.
        (OutputKind::AnyTable, _) | (OutputKind::Table(_) | OutputKind::File, None) => Ok(()),
    }
}

/// A table of the same name may be of another version.
fn columns(
    stage: &str,
    output: &Output,
    given: &TableSpec,
    wanted: &TableSpec,
) -> Result<(), Diagnostic> {
    let lacking = wanted
        .columns
        .iter()
        .filter_map(|column| match given.column(column.name) {
            Some(found) if found.kind == column.kind => None,
            Some(found) => Some(format!(
                "`{}` as {:?}, not {:?}",
                column.name, column.kind, found.kind
            )),
            None => (!column.nullable).then(|| format!("`{}`", column.name)),
        });
    let lacking: Vec<String> = lacking.collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let message = format!(
        "table `{}` of `{stage}.{}` lacks {}",
        given.name,
        output.name,
        lacking.join(", ")
    );
    Err(Diagnostic::new("sbt::wiring::columns", message))
}

fn unknown(stage: &str, name: &str, outputs: &[Output]) -> Diagnostic {
    let message = format!("`{stage}` has no output `{name}`");
    let names = outputs.iter().map(|output| output.name.as_str());
    let help = match nearest_name(name, names) {
        Some(near) => format!("did you mean `{stage}.{near}`?"),
        None => list(stage, outputs),
    };
    Diagnostic::new("sbt::wiring::output", message).help(help)
}

fn undecided(stage: &str, outputs: &[Output], wanted: &Input) -> Diagnostic {
    let fits = |output: &Output| match (output.kind, wanted.table) {
        (OutputKind::Table(given), Some(table)) => given.name == table.name,
        (OutputKind::AnyTable, _) | (OutputKind::Table(_) | OutputKind::File, None) => true,
        (OutputKind::File, Some(_)) | (OutputKind::Folder, _) => false,
    };
    let message = match wanted.table {
        _ if outputs.iter().any(fits) => format!("`{stage}` has several outputs; write which"),
        Some(table) => format!("`{stage}` has no table `{}`", table.name),
        None => format!("`{stage}` has no table or file"),
    };
    Diagnostic::new("sbt::wiring::output", message).help(list(stage, outputs))
}

fn list(stage: &str, outputs: &[Output]) -> String {
    if outputs.is_empty() {
        return "it has no outputs".to_owned();
    }
    let names = outputs
        .iter()
        .map(|output| format!("{stage}.{}", output.name));
    format!("its outputs are: {}", names.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use sbt_schemas::{Row, TrialRow};

    use super::*;

    static NARROW: TableSpec = TableSpec {
        name: "trials",
        version: 1,
        about: "trials of another version",
        key: &[],
        columns: &[],
    };

    #[test]
    fn a_table_without_needed_columns_is_refused() {
        let outputs = [Output::table(&NARROW)];
        let wanted = Input::required("baseline", &TrialRow::TABLE);
        let problem = choose_output("old", &outputs, None, &wanted).unwrap_err();
        assert_eq!(problem.code, "sbt::wiring::columns");
        assert!(
            problem
                .message
                .starts_with("table `trials` of `old.trials` lacks `")
        );
        let same = [Output::table(&TrialRow::TABLE)];
        assert_eq!(
            choose_output("new", &same, None, &wanted).unwrap(),
            "trials"
        );
    }
}
