use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::arguments::InitArgs;
use crate::failure::{Exit, Failure};

/// A file of the package that a new project starts from.
struct Template {
    path: &'static str,
    content: &'static str,
}

macro_rules! template {
    ($path:literal) => {
        Template {
            path: $path,
            content: include_str!(concat!("../../pipelines/", $path)),
        }
    };
}

const SHARED: &[Template] = &[
    template!("parts/profiles.toml"),
    template!("parts/decide.toml"),
];
const PIPELINES: &[(&str, [Template; 2])] = &[
    (
        "agent_like",
        [
            template!("agent_like.toml"),
            template!("spaces/agent_like.toml"),
        ],
    ),
    (
        "short_qa",
        [
            template!("short_qa.toml"),
            template!("spaces/short_qa.toml"),
        ],
    ),
    (
        "long_gen",
        [
            template!("long_gen.toml"),
            template!("spaces/long_gen.toml"),
        ],
    ),
];

pub(crate) fn init(arguments: &InitArgs) -> Result<(), Failure> {
    let own = PIPELINES
        .iter()
        .find(|(name, _)| *name == arguments.profile)
        .map(|(_, templates)| templates)
        .ok_or_else(|| Failure::usage(format!("no profile `{}`", arguments.profile)))?;
    let mut out = io::stdout().lock();
    for template in own.iter().chain(SHARED) {
        let path = arguments.dir.join(template.path);
        let done = if path.exists() {
            "kept"
        } else {
            write(&path, template.content)?;
            "wrote"
        };
        writeln!(out, "{done:<6} {}", path.display())?;
    }
    let pipeline = arguments.dir.join(own[0].path);
    writeln!(out, "next:  sbt run {}", pipeline.display())?;
    Ok(())
}

fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, content))
        .map_err(|error| {
            Failure::new(
                Exit::CannotWrite,
                format!("cannot write {}: {error}", path.display()),
            )
        })
}
