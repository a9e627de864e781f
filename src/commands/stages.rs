use std::io::{self, Write};

use sbt_engine::{OutputKind, StageKind};
use sbt_stages::{KINDS, ServerSpec};
use serde_json::{Value, json};

use super::server;
use crate::arguments::StagesArgs;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::terminal::style::Paint;

pub(crate) fn stages(arguments: &StagesArgs, environment: &Environment) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let paint = Paint::new(environment.colour_out);
    if let Some(name) = &arguments.server {
        let spec = ServerSpec::named(name).map_err(Failure::usage)?;
        if arguments.json {
            writeln!(out, "{:#}", server::json(spec))?;
        } else {
            out.write_all(server::reference(spec, paint).as_bytes())?;
        }
        return Ok(());
    }
    match &arguments.kind {
        None if arguments.json => writeln!(out, "{:#}", list_json())?,
        None => out.write_all(list(paint).as_bytes())?,
        Some(name) => {
            let kind = named(name)?;
            if arguments.json {
                writeln!(out, "{:#}", kind_json(kind))?;
            } else {
                out.write_all(reference(kind, paint).as_bytes())?;
            }
        }
    }
    Ok(())
}

fn named(name: &str) -> Result<&'static dyn StageKind, Failure> {
    let found = KINDS.iter().find(|kind| kind.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name()).collect();
        Failure::usage(format!("no stage kind `{name}`"))
            .hint(format!("kinds: {}", names.join(", ")))
    })
}

fn list(paint: Paint) -> String {
    let lines = KINDS.iter().map(|kind| {
        format!(
            "{}  {}\n",
            paint.bold(&format!("{:<10}", kind.name())),
            kind.about()
        )
    });
    let mut text: String = lines.collect();
    text.push_str("\nsbt stages KIND shows the parameters, inputs and outputs of one.\n");
    text
}

fn list_json() -> Value {
    KINDS
        .iter()
        .map(|kind| json!({ "name": kind.name(), "about": kind.about() }))
        .collect()
}

fn kind_json(kind: &'static dyn StageKind) -> Value {
    let (inputs, outputs) = ports(kind);
    json!({
        "name": kind.name(),
        "about": kind.about(),
        "revision": kind.revision(),
        "inputs": inputs,
        "outputs": outputs,
        "example": kind.example(),
        "with": kind.params(),
    })
}

/// Inputs and outputs of the kind's example.
fn ports(kind: &'static dyn StageKind) -> (Vec<Value>, Vec<Value>) {
    let example = toml::from_str::<Value>(kind.example());
    let Ok(Ok(stage)) = example.map(|with| kind.plan(&with)) else {
        return (Vec::new(), Vec::new());
    };
    let inputs = stage.inputs().into_iter().map(|input| {
        json!({
            "name": input.name,
            "table": input.table.map(|table| table.name),
            "optional": input.optional,
        })
    });
    let outputs = stage.outputs().into_iter().map(|output| {
        let what = match output.kind {
            OutputKind::Table(spec) => format!("table {}", spec.name),
            OutputKind::AnyTable => "table".to_owned(),
            OutputKind::File => "file".to_owned(),
            OutputKind::Folder => "folder".to_owned(),
        };
        json!({ "name": output.name, "what": what })
    });
    (inputs.collect(), outputs.collect())
}

fn reference(kind: &'static dyn StageKind, paint: Paint) -> String {
    let (inputs, outputs) = ports(kind);
    let mut text = format!("{}  {}\n", paint.bold(kind.name()), kind.about());
    section(
        &mut text,
        paint,
        "inputs",
        inputs.iter().map(|input| {
            let table = input["table"].as_str().unwrap_or("anything");
            let optional = if input["optional"] == true {
                ", optional"
            } else {
                ""
            };
            (name_of(input), format!("table {table}{optional}"))
        }),
    );
    section(
        &mut text,
        paint,
        "outputs",
        outputs.iter().map(|output| {
            (
                name_of(output),
                output["what"].as_str().unwrap_or("").to_owned(),
            )
        }),
    );
    let schema = kind.params().to_value();
    for (title, parameters) in alternatives(&schema) {
        section(&mut text, paint, &title, parameters.into_iter());
    }
    if schema["properties"].get("backend").is_some() {
        section(&mut text, paint, "servers", server::list().into_iter());
        text.push_str("\nsbt stages --server NAME shows the knobs of one.\n");
    }
    text.push_str(&format!("\n{}\n", paint.bold("example")));
    for line in kind.example().trim().lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn name_of(port: &Value) -> String {
    port["name"].as_str().unwrap_or("").to_owned()
}

/// Adds lines of names and what they mean, under a title.
pub(super) fn section(
    text: &mut String,
    paint: Paint,
    title: &str,
    rows: impl Iterator<Item = (String, String)>,
) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    text.push_str(&format!("\n{}\n", paint.bold(title)));
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, about) in rows {
        text.push_str(format!("  {name:width$}  {about}").trim_end());
        text.push('\n');
    }
}

/// Parameters with their meaning, nested ones as dotted paths, under a title; of a kind with
/// modes those of each mode.
fn alternatives(schema: &Value) -> Vec<(String, Vec<(String, String)>)> {
    let parameters = |node: &Value| {
        let mut rows = Vec::new();
        walk(schema, node, "", &mut rows, 0);
        rows
    };
    let Some(modes) = schema["anyOf"].as_array() else {
        return vec![("with".to_owned(), parameters(schema))];
    };
    let modes = modes.iter().map(|mode| {
        let name = mode["properties"]["mode"]["const"].as_str();
        let title = format!("with mode = \"{}\"", name.unwrap_or_default());
        (title, parameters(mode))
    });
    modes.collect()
}

/// Deeper nesting than this is left to the JSON Schema.
const DEPTH: usize = 3;

fn walk(root: &Value, node: &Value, prefix: &str, rows: &mut Vec<(String, String)>, depth: usize) {
    let Some(properties) = node["properties"].as_object() else {
        return;
    };
    let required = node["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in properties {
        let path = format!("{prefix}{name}");
        let target = resolve(root, property);
        let about = property["description"]
            .as_str()
            .or(target["description"].as_str());
        let need = if required.contains(&Value::from(name.as_str())) {
            " (required)".to_owned()
        } else {
            property
                .get("default")
                .map_or(String::new(), |v| format!(" [default: {v}]"))
        };
        let about = about.unwrap_or("").replace('\n', " ");
        rows.push((path.clone(), format!("{about}{need}")));
        if depth < DEPTH {
            walk(root, target, &format!("{path}."), rows, depth + 1);
        }
    }
}

/// Follows `$ref`, also through the `anyOf` of an optional value.
fn resolve<'a>(root: &'a Value, property: &'a Value) -> &'a Value {
    let reference = property["$ref"].as_str().or_else(|| {
        let choices = property["anyOf"].as_array()?;
        choices.iter().find_map(|choice| choice["$ref"].as_str())
    });
    reference
        .and_then(|path| root.pointer(path.trim_start_matches('#')))
        .unwrap_or(property)
}
