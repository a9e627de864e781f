use std::fs;
use std::io::{self, Write};
use std::path::Path;

use sbt_engine::pipeline_schema;
use sbt_schemas::{TABLES, TableSpec};
use sbt_stages::KINDS;
use serde_json::Value;

use crate::arguments::SchemaArgs;
use crate::failure::{Exit, Failure};

pub(crate) fn schema(arguments: &SchemaArgs) -> Result<(), Failure> {
    if let Some(dir) = &arguments.write {
        return write_all(dir);
    }
    let schema = match &arguments.table {
        None => pipeline_schema(KINDS),
        Some(name) => table(name)?.json_schema(),
    };
    io::stdout().write_all(text(&schema).as_bytes())?;
    Ok(())
}

fn table(name: &str) -> Result<&'static TableSpec, Failure> {
    let found = TABLES.iter().find(|table| table.name == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        Failure::usage(format!("no table `{name}`")).hint(format!("tables: {}", names.join(", ")))
    })
}

fn write_all(dir: &Path) -> Result<(), Failure> {
    write(&dir.join("pipeline.schema.json"), &pipeline_schema(KINDS))?;
    for table in TABLES {
        let path = dir.join("tables").join(format!("{}.json", table.name));
        write(&path, &table.json_schema())?;
    }
    Ok(())
}

fn write(path: &Path, schema: &Value) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text(schema)))
        .map_err(|error| {
            Failure::new(
                Exit::CannotWrite,
                format!("cannot write {}: {error}", path.display()),
            )
        })
}

fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}
