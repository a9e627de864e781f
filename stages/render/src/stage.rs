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

/// The kind `render`.
pub struct RenderKind;

impl StageKind for RenderKind {
    fn name(&self) -> &'static str {
        "render"
    }

    fn about(&self) -> &'static str {
        "Writes the report of a decision or a measurement: page, cards, plots and deploy files"
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
        let errors = params.backend.problems(&["backend"]);
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
            .server()
            .map_or_else(|_| String::new(), |server| server.digest.clone());
        let templates = Digest::of(artefacts::TEMPLATES.concat().as_bytes()).short();
        [
            ("server".to_owned(), server),
            ("templates".to_owned(), templates),
        ]
        .into()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let inputs = Inputs::read(ctx)?;
        let server = self.params.backend.server().map_err(StageError::user)?;
        let files = artefacts::all(&ctx.pipeline, &self.params, &inputs, &server)
            .map_err(|error| StageError::user(format!("a template failed: {error}")))?;
        ctx.write("report", Written::Folder(files));
        Ok(())
    }
}
