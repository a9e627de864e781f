//! The generated schemas.

use std::fs;

use crate::sandbox::{Sandbox, files_below, root};

#[test]
fn committed_schemas_are_the_generated_ones() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["schema", "--write", "generated"]);
    let generated = sandbox.path("generated");
    for file in files_below(&generated) {
        let relative = file.strip_prefix(&generated).unwrap();
        let committed = root().join("schemas").join(relative);
        let repair = format!(
            "{} is stale: run `cargo run -- schema --write schemas`",
            committed.display()
        );
        let text = fs::read_to_string(&committed).unwrap_or_else(|_| panic!("{repair}"));
        assert!(text == fs::read_to_string(&file).unwrap(), "{repair}");
    }
}

#[test]
fn every_shipped_pipeline_names_the_schema() {
    for file in files_below(&root().join("pipelines")) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("#:schema "), "{}", file.display());
    }
}
