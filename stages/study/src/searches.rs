use std::collections::BTreeMap;

use arrow::array::StringArray;
use sbt_engine::{StageContext, StageError, Table};
use sbt_schemas::CandidateRow;

/// Which search evaluated a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Search {
    pub(crate) scenario: String,
    pub(crate) sampler: String,
    pub(crate) seed: String,
}

/// What each search evaluated, in its order.
pub(crate) type Searches = BTreeMap<Search, Vec<CandidateRow>>;

/// The searches of an input whose instances differ in `scenario`, and perhaps in `seed`; none when
/// it is not wired.
///
/// # Errors
/// When there is no column `scenario`.
pub(crate) fn searches(ctx: &StageContext, input: &str) -> Result<Searches, StageError> {
    let Some(rows) = ctx.rows_if_wired::<CandidateRow>(input)? else {
        return Ok(Searches::new());
    };
    let table = &ctx.tables[input];
    let scenarios = axis(table, "scenario").ok_or_else(|| {
        StageError::user(format!(
            "input `{input}` has no column `scenario`: give the searches a `matrix` with that axis"
        ))
    })?;
    let seeds = axis(table, "seed");
    let mut searches = Searches::new();
    for (i, row) in rows.into_iter().enumerate() {
        let search = Search {
            scenario: scenarios.value(i).to_owned(),
            sampler: row.sampler.clone(),
            seed: seeds.map_or_else(String::new, |seeds| seeds.value(i).to_owned()),
        };
        searches.entry(search).or_default().push(row);
    }
    for rows in searches.values_mut() {
        rows.sort_by_key(|row| row.evaluation);
    }
    Ok(searches)
}

/// The column that an axis of a matrix became.
fn axis<'a>(table: &'a Table, name: &str) -> Option<&'a StringArray> {
    let column = table.batch.column_by_name(name)?;
    column.as_any().downcast_ref()
}
