use sbt_engine::{ParamError, Stage, StageKind, parse_params};
use sbt_trials::{Backend, ServerSpec};
use serde_json::Value;

use crate::asked::Asked;
use crate::inferred::{Inferred, Published};
use crate::params::Params;
use crate::space::variants;

/// Finds out what each variant of a space keeps of the answers' quality: by asking, or from
/// published evaluations.
pub struct QualityKind;

impl StageKind for QualityKind {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn about(&self) -> &'static str {
        "says whether each variant's answers are as good: asks a real server, or expects it from published evaluations"
    }

    fn revision(&self) -> u32 {
        2
    }

    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        include_str!("example.toml")
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let mut problems = params.gates.problems("gates");
        match &params.backend {
            Some(backend) => plan_asked(&params, backend, problems),
            None => {
                problems.extend(params.beyond_publications());
                plan_inferred(params, problems)
            }
        }
    }
}

fn plan_inferred(
    params: Params,
    mut problems: Vec<ParamError>,
) -> Result<Box<dyn Stage>, Vec<ParamError>> {
    let variants = match ServerSpec::named(&params.server) {
        Ok(server) => variants(server, &params.space, "space", None),
        Err(message) => Err(vec![ParamError::at(&["server"], message)]),
    };
    match variants {
        Ok(variants) if problems.is_empty() => Ok(Box::new(Inferred {
            params: Published {
                model: params.model,
                gates: params.gates,
                unknown: params.unknown,
            },
            variants,
        })),
        Ok(_) => Err(problems),
        Err(errors) => {
            problems.extend(errors);
            Err(problems)
        }
    }
}

fn plan_asked(
    params: &Params,
    backend: &Backend,
    mut problems: Vec<ParamError>,
) -> Result<Box<dyn Stage>, Vec<ParamError>> {
    problems.extend(backend.problems(&["backend"]));
    problems.extend(params.problems_of_asking(backend));
    let Ok(server) = backend.server() else {
        return Err(problems);
    };
    let variants = variants(&server, &params.space, "space", Some(&params.config));
    match variants {
        Ok(variants) if problems.is_empty() => Ok(Box::new(Asked::new(
            params.clone(),
            backend.clone(),
            &server,
            variants,
        ))),
        Ok(_) => Err(problems),
        Err(errors) => {
            problems.extend(errors);
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests;
