//! Rules of the house that no linter knows.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::root;

/// What each crate of the workspace may depend on within it.
const ALLOWED: &[(&str, &[&str])] = &[
    ("sbt-schemas", &[]),
    ("sbt-engine", &["sbt-schemas"]),
    ("sbt-launcher", &["sbt-schemas"]),
    ("sbt-sandbox", &[]),
    ("sbt-scorers", &[]),
    ("sbt-simulator", &["sbt-schemas"]),
    ("sbt-client", &["sbt-schemas"]),
    ("sbt-serve", &["sbt-simulator"]),
    (
        "sbt-trials",
        &[
            "sbt-client",
            "sbt-engine",
            "sbt-launcher",
            "sbt-schemas",
            "sbt-simulator",
        ],
    ),
    ("sbt-statistics", &[]),
    ("sbt-command", &["sbt-engine", "sbt-schemas"]),
    (
        "sbt-coverage",
        &["sbt-engine", "sbt-schemas", "sbt-statistics", "sbt-trials"],
    ),
    ("sbt-workload", &["sbt-client", "sbt-engine", "sbt-schemas"]),
    ("sbt-gate", &["sbt-engine", "sbt-schemas", "sbt-statistics"]),
    (
        "sbt-quality",
        &[
            "sbt-client",
            "sbt-engine",
            "sbt-sandbox",
            "sbt-schemas",
            "sbt-scorers",
            "sbt-trials",
        ],
    ),
    (
        "sbt-study",
        &["sbt-engine", "sbt-schemas", "sbt-statistics", "sbt-trials"],
    ),
    (
        "sbt-search",
        &["sbt-engine", "sbt-schemas", "sbt-statistics", "sbt-trials"],
    ),
    (
        "sbt-stability",
        &["sbt-engine", "sbt-schemas", "sbt-statistics", "sbt-trials"],
    ),
    (
        "sbt-plan",
        &["sbt-engine", "sbt-schemas", "sbt-statistics", "sbt-trials"],
    ),
    ("sbt-render", &["sbt-engine", "sbt-schemas", "sbt-trials"]),
    (
        "sbt-validate",
        &["sbt-engine", "sbt-schemas", "sbt-simulator", "sbt-trials"],
    ),
];

fn workspace_edges() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let own = dependencies
                .iter()
                .filter(|d| d["kind"].is_null())
                .map(|d| d["name"].as_str().unwrap().to_owned())
                .filter(|name| name.starts_with("sbt-"));
            (package["name"].as_str().unwrap().to_owned(), own.collect())
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let edges = workspace_edges();
    for (name, allowed) in ALLOWED {
        for dependency in &edges[*name] {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
    assert_eq!(
        edges.len(),
        ALLOWED.len() + 2,
        "a new crate needs a line in ALLOWED"
    );
}

#[test]
fn every_kind_is_documented_and_its_example_plans() {
    for kind in sbt_stages::KINDS {
        let with: Value = toml::from_str(kind.example()).unwrap();
        if let Err(errors) = kind.plan(&with) {
            panic!("example of `{}`: {errors:?}", kind.name());
        }
        assert!(!kind.about().is_empty() && kind.revision() > 0);
        let schema = kind.params().to_value();
        let undocumented: Vec<_> = schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, p)| p["description"].as_str().is_none_or(str::is_empty))
            .map(|(name, _)| name.clone())
            .collect();
        assert!(
            undocumented.is_empty(),
            "`{}`: {undocumented:?} say nothing",
            kind.name()
        );
    }
}
