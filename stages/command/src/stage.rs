use std::fs;
use std::path::{Path, PathBuf};

use sbt_engine::{
    Input, Output, OutputKind, ParamError, Stage, StageContext, StageError, StageKind, Table,
    Written, parse_params,
};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::params::Params;
use crate::process;

/// The kind `command`.
pub struct CommandKind;

impl StageKind for CommandKind {
    fn name(&self) -> &'static str {
        "command"
    }

    fn about(&self) -> &'static str {
        "Runs any program: inputs as paths in SBT_INPUT_NAME, outputs at SBT_OUTPUT_NAME"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        "run = [\"python3\", \"score.py\"]\noutputs = { scores = \"scores.parquet\" }\n"
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let mut errors = Vec::new();
        if params.run.is_empty() {
            errors.push(
                ParamError::at(&["run"], "is empty").help("name a program, then its arguments"),
            );
        }
        for (name, file) in &params.outputs {
            let path = Path::new(file);
            if path.is_absolute() || path.components().count() != 1 {
                errors.push(ParamError::at(
                    &["outputs", name],
                    "must be a plain file name",
                ));
            }
        }
        if errors.is_empty() {
            Ok(Box::new(CommandStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct CommandStage {
    params: Params,
}

fn is_table(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "parquet")
}

impl Stage for CommandStage {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn open_inputs(&self) -> bool {
        true
    }

    fn outputs(&self) -> Vec<Output> {
        let outputs = self.params.outputs.iter().map(|(name, file)| Output {
            name: name.clone(),
            kind: if is_table(file) {
                OutputKind::AnyTable
            } else {
                OutputKind::File
            },
        });
        outputs.collect()
    }

    fn key_params(&self) -> Value {
        json!({ "run": self.params.run, "outputs": self.params.outputs })
    }

    fn env(&self) -> Vec<String> {
        self.params.env.clone()
    }

    fn pass_env(&self) -> Vec<String> {
        let always = process::ALWAYS_PASSED.iter().map(|&name| name.to_owned());
        always.chain(self.params.pass_env.iter().cloned()).collect()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let mut variables = ctx.env.clone();
        for (name, table) in &ctx.tables {
            let path = write_input(ctx, name, table)?;
            variables.insert(variable("INPUT", name), path.display().to_string());
        }
        for (name, path) in &ctx.plain_files {
            let copy = copy_input(ctx, name, path)?;
            variables.insert(variable("INPUT", name), copy.display().to_string());
        }
        for (name, file) in &self.params.outputs {
            let path = absolute(&ctx.scratch.join(file));
            variables.insert(variable("OUTPUT", name), path.display().to_string());
        }
        process::run(&self.params.run, &variables, ctx)?;
        for (name, file) in &self.params.outputs {
            ctx.write(name, read_output(ctx, name, file)?);
        }
        Ok(())
    }
}

fn variable(direction: &str, name: &str) -> String {
    let name = name
        .to_uppercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("SBT_{direction}_{name}")
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn write_input(ctx: &StageContext, name: &str, table: &Table) -> Result<PathBuf, StageError> {
    let path = absolute(&ctx.scratch.join(format!("input-{name}.parquet")));
    let bytes = table.to_parquet().map_err(|source| StageError::Table {
        what: format!("input `{name}`"),
        source,
    })?;
    fs::write(&path, bytes).map_err(|source| StageError::Io {
        what: format!("cannot write {}", path.display()),
        source,
    })?;
    Ok(path)
}

/// A copy of its own: a program that writes into its input must not reach the store.
fn copy_input(ctx: &StageContext, name: &str, from: &Path) -> Result<PathBuf, StageError> {
    let path = absolute(&ctx.scratch.join(format!("input-{name}")));
    let bytes = fs::read(from).and_then(|bytes| fs::write(&path, bytes));
    bytes.map_err(|source| StageError::Io {
        what: format!("cannot copy input `{name}`"),
        source,
    })?;
    Ok(path)
}

fn read_output(ctx: &StageContext, name: &str, file: &str) -> Result<Written, StageError> {
    let path = ctx.scratch.join(file);
    let bytes = fs::read(&path).map_err(|error| {
        StageError::user(format!(
            "the program ended well and left no output `{name}`: {error}; it must write to ${}",
            variable("OUTPUT", name)
        ))
    })?;
    if !is_table(file) {
        return Ok(Written::File(bytes));
    }
    let table = Table::from_parquet(bytes).map_err(|source| StageError::Table {
        what: format!("output `{name}`"),
        source,
    })?;
    Ok(Written::Table(table))
}
