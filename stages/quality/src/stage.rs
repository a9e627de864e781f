use std::collections::BTreeMap;

use sbt_engine::{
    Digest, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{QualityRow, Row};
use sbt_trials::{Config, Knob, ServerSpec};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::effects::DATA;
use crate::expected::rows;
use crate::params::Params;

/// The kind `quality`.
pub struct QualityKind;

impl StageKind for QualityKind {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn about(&self) -> &'static str {
        "Says what quality to expect of each variant, from published effects of quantisation"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"server = "vllm"
gates = { relative = { overall = 0.98, qa = 0.99 } }
[space]
kv_cache_dtype = { kind = "choice", values = ["auto", "fp8"] }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let server = ServerSpec::named(&params.server)
            .map_err(|message| vec![ParamError::at(&["server"], message)])?;
        let knobs = knobs(&params, server)?;
        Ok(Box::new(QualityStage { params, server, knobs }))
    }
}

/// Knobs of the space that can change answers, with their values.
fn knobs(params: &Params, server: &ServerSpec) -> Result<BTreeMap<String, Vec<Knob>>, Vec<ParamError>> {
    let mut knobs = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, dimension) in &params.space {
        if !server.knobs.get(name).is_some_and(|knob| knob.quality) {
            continue;
        }
        match serde_json::from_value::<Vec<Knob>>(dimension["values"].clone()) {
            Ok(values) => {
                knobs.insert(name.clone(), values);
            }
            Err(_) => errors.push(
                ParamError::at(&["space", name], "can change answers, so its values must be listed")
                    .help("write it as { kind = \"choice\", values = [...] }"),
            ),
        }
    }
    if errors.is_empty() { Ok(knobs) } else { Err(errors) }
}

struct QualityStage {
    params: Params,
    server: &'static ServerSpec,
    knobs: BTreeMap<String, Vec<Knob>>,
}

impl Stage for QualityStage {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&QualityRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        let Params { server, gates, reference_scores, .. } = &self.params;
        json!({ "server": server, "gates": gates, "reference_scores": reference_scores, "knobs": self.knobs })
    }

    fn identity(&self) -> BTreeMap<String, String> {
        let effects = Digest::of(DATA.as_bytes()).short();
        [("effects".to_owned(), effects)].into()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let mut variants: BTreeMap<String, Config> = BTreeMap::new();
        for config in self.combinations() {
            variants.insert(self.server.variant(&config), self.away_from_default(config));
        }
        let rows: Vec<QualityRow> = variants
            .iter()
            .flat_map(|(variant, quantised)| rows(variant, quantised, &self.params))
            .collect();
        ctx.write_rows("quality", &rows)
    }
}

impl QualityStage {
    /// Every combination of the knobs' values, the reference among them.
    fn combinations(&self) -> Vec<Config> {
        let reference = Config {
            name: String::new(),
            knobs: BTreeMap::new(),
        };
        self.knobs.iter().fold(vec![reference], |configs, (name, values)| {
            let mut extended = configs.clone();
            for config in &configs {
                extended.extend(values.iter().map(|value| {
                    let mut config = config.clone();
                    config.knobs.insert(name.clone(), value.clone());
                    config
                }));
            }
            extended
        })
    }

    fn away_from_default(&self, mut config: Config) -> Config {
        let knobs = &self.server.knobs;
        config.knobs.retain(|name, value| {
            knobs.get(name).is_none_or(|knob| knob.default.as_ref() != Some(value))
        });
        config
    }
}
