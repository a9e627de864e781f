use sbt_engine::{ParamError, Stage, StageKind, nearest_name, parse_params};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{aggregate, calibrate, ranking, replay};

/// The kind `validate`.
pub struct ValidateKind;

/// What `mode` names; the parameters beside it belong to the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The same configurations on the simulator and on a real server.
    Ranking,
    /// A real run says what the step times are.
    Calibrate,
    /// A recorded run on the simulator.
    Replay,
    /// Means of concurrency sweeps.
    Aggregate,
}

impl Mode {
    const ALL: [Self; 4] = [
        Self::Ranking,
        Self::Calibrate,
        Self::Replay,
        Self::Aggregate,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ranking => "ranking",
            Self::Calibrate => "calibrate",
            Self::Replay => "replay",
            Self::Aggregate => "aggregate",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Ranking => "The same configurations on the simulator and on a real server.",
            Self::Calibrate => "What the first requests of a real run say of the step times.",
            Self::Replay => "A recorded run on the simulator, request by request.",
            Self::Aggregate => "Published means of concurrency sweeps against their simulation.",
        }
    }

    fn params(self, generator: &mut SchemaGenerator) -> Schema {
        match self {
            Self::Ranking => ranking::Params::json_schema(generator),
            Self::Calibrate => calibrate::Params::json_schema(generator),
            Self::Replay => replay::Params::json_schema(generator),
            Self::Aggregate => aggregate::Params::json_schema(generator),
        }
    }

    fn plan(self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        match self {
            Self::Ranking => {
                let params: ranking::Params = parse_params(with)?;
                none_wrong(params.problems())?;
                Ok(Box::new(ranking::RankingStage { params }))
            }
            Self::Calibrate => {
                let params: calibrate::Params = parse_params(with)?;
                none_wrong(params.problems())?;
                Ok(Box::new(calibrate::CalibrateStage { params }))
            }
            Self::Replay => {
                let params: replay::Params = parse_params(with)?;
                none_wrong(params.problems())?;
                Ok(Box::new(replay::ReplayStage { params }))
            }
            Self::Aggregate => {
                let params: aggregate::Params = parse_params(with)?;
                none_wrong(params.problems())?;
                Ok(Box::new(aggregate::AggregateStage { params }))
            }
        }
    }

    /// The mode of `with`, which is ranking when it names none, and the parameters beside it.
    fn of(with: &Value) -> Result<(Self, Value), ParamError> {
        let mut rest = with.clone();
        let named = rest
            .as_object_mut()
            .and_then(|map| map.shift_remove("mode"));
        let Some(named) = named else {
            return Ok((Self::Ranking, rest));
        };
        let name = named.as_str().unwrap_or_default();
        let mode = Self::ALL.into_iter().find(|mode| mode.name() == name);
        mode.map(|mode| (mode, rest)).ok_or_else(|| {
            let names = || Self::ALL.into_iter().map(Self::name);
            let expected: Vec<&str> = names().collect();
            let message = format!("is {named}, expected one of: {}", expected.join(", "));
            let error = ParamError::at(&["mode"], message);
            match nearest_name(name, names()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }
}

fn none_wrong(problems: Vec<ParamError>) -> Result<(), Vec<ParamError>> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

impl StageKind for ValidateKind {
    fn name(&self) -> &'static str {
        "validate"
    }

    fn about(&self) -> &'static str {
        "Holds the simulator against real servers, and calibrates it on them"
    }

    fn revision(&self) -> u32 {
        2
    }

    /// One alternative for each mode, with its `mode`.
    fn params(&self) -> Schema {
        let mut generator = SchemaGenerator::default();
        let modes = Mode::ALL.into_iter().map(|mode| {
            let mut params = mode.params(&mut generator);
            let of_mode = json!({ "type": "string", "const": mode.name() });
            let properties = params.get_mut("properties").and_then(Value::as_object_mut);
            if let Some(properties) = properties {
                properties.shift_insert(0, "mode".to_owned(), of_mode);
            }
            params.insert("description".to_owned(), mode.about().into());
            params.to_value()
        });
        let modes: Vec<Value> = modes.collect();
        let definitions = generator.take_definitions(true);
        json_schema!({ "anyOf": modes, "$defs": definitions })
    }

    fn example(&self) -> &'static str {
        r#"simulated = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 1 }
measured = { kind = "server", server = "vllm", model = "meta-llama/Llama-3.1-8B-Instruct", gpus = 1 }
draws = [0, 1]
rank_by = "e2e_p95_s"
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let (mode, rest) = Mode::of(with).map_err(|error| vec![error])?;
        mode.plan(&rest)
    }
}
