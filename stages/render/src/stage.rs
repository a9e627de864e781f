use std::collections::BTreeMap;

use sbt_engine::{
    Digest, Input, Output, OutputKind, ParamError, Stage, StageContext, StageError, StageKind,
    Written, parse_params,
};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::artefacts;
use crate::inputs::Inputs;
use crate::params::Params;
use crate::recorded;

/// The kind `render`.
pub struct RenderKind;

impl StageKind for RenderKind {
    fn name(&self) -> &'static str {
        "render"
    }

    fn about(&self) -> &'static str {
        "Writes the report of a decision, a measurement or a recorded run: page, cards, plots and deploy files"
    }

    fn revision(&self) -> u32 {
        2
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 2 }
goals = { minimize = ["e2e_p95_s"], subject_to = ["ttft_p95_s <= 1.0"] }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let errors = params
            .backend
            .as_ref()
            .map_or_else(Vec::new, |backend| backend.problems(&["backend"]));
        if errors.is_empty() {
            Ok(Box::new(RenderStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct RenderStage {
    params: Params,
}

impl Stage for RenderStage {
    fn inputs(&self) -> Vec<Input> {
        Inputs::declared()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output {
            name: "report".to_owned(),
            kind: OutputKind::Folder,
        }]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn identity(&self) -> BTreeMap<String, String> {
        let server = self
            .params
            .backend
            .as_ref()
            .and_then(|backend| backend.server().ok())
            .map_or_else(String::new, |server| server.digest.clone());
        let templates = Digest::of(artefacts::TEMPLATES.concat().as_bytes()).short();
        [
            ("server".to_owned(), server),
            ("templates".to_owned(), templates),
        ]
        .into()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let files = match recorded::tables(ctx)? {
            Some(tables) => {
                let title = self.params.title.as_deref();
                recorded::files(&ctx.pipeline, title, &tables)
            }
            None => {
                let inputs = Inputs::read(ctx)?;
                let backend = self.params.backend.as_ref();
                let backend = backend.ok_or_else(|| {
                    StageError::user("`backend` is missing: it says what served the requests")
                })?;
                let server = backend.server().map_err(StageError::user)?;
                artefacts::all(&ctx.pipeline, &self.params, &inputs, &server)
            }
        };
        let files =
            files.map_err(|error| StageError::user(format!("a template failed: {error}")))?;
        ctx.write("report", Written::Folder(files));
        Ok(())
    }
}
