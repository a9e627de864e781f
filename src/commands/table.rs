use std::io::{self, Write};
use std::path::Path;

use sbt_engine::{Query, Table, find_table, query};

use crate::arguments::{TableArgs, TableFormat};
use crate::commands::stored::{open_log, open_store};
use crate::failure::{Exit, Failure};
use crate::terminal::grid::grid;

pub(crate) fn table(arguments: &TableArgs, store: &Path) -> Result<(), Failure> {
    let store = open_store(store)?;
    let table = find_table(&arguments.reference, &store, &open_log(&store))?;
    let sort = arguments.sort.as_deref();
    let wanted = Query {
        condition: arguments.condition.clone(),
        select: arguments.select.clone(),
        sort: sort.map(|column| column.trim_start_matches('-').to_owned()),
        descending: sort.is_some_and(|column| column.starts_with('-')),
        limit: arguments.limit,
    };
    let table = query(&table, &wanted).map_err(Failure::usage)?;
    print(&table, arguments.format)
}

fn print(table: &Table, format: TableFormat) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let broken = |error: sbt_engine::TableIoError| Failure::new(Exit::StageFailed, error);
    match format {
        TableFormat::Parquet => out.write_all(&table.to_parquet().map_err(broken)?)?,
        TableFormat::Csv => out.write_all(table.to_csv().map_err(broken)?.as_bytes())?,
        TableFormat::Json => out.write_all(table.to_json_lines().map_err(broken)?.as_bytes())?,
        TableFormat::Table => {
            let (head, rows) = table.to_text().map_err(broken)?;
            let head: Vec<&str> = head.iter().map(String::as_str).collect();
            writeln!(out, "{}", grid(&head, rows))?;
        }
    }
    Ok(())
}
