use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{Row, WorkloadRow};
use serde_json::Value;

use crate::arrival::Arrival;
use crate::params::WorkloadParams;
use crate::prefix::BLOCK_TOKENS;
use crate::profile::Profile;
use crate::session::{Session, rows};
use crate::shorthand::with_named_profile;
use crate::streams::Streams;
use crate::timing::Timing;
use crate::trace::{self, Content, Source};

/// The stage kind `workload`.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadKind;

impl StageKind for WorkloadKind {
    fn name(&self) -> &'static str {
        "workload"
    }

    fn about(&self) -> &'static str {
        "Requests to serve: drawn from a profile, or taken from a public trace"
    }

    fn revision(&self) -> u32 {
        2
    }

    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(WorkloadParams)
    }

    fn example(&self) -> &'static str {
        include_str!("example.toml")
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: WorkloadParams = parse_params(&with_named_profile(with)?)?;
        let params = params.written_out()?;
        params.check()?;
        Ok(Box::new(WorkloadStage { params }))
    }
}

/// A workload stage with its parameters.
struct WorkloadStage {
    params: WorkloadParams,
}

impl Stage for WorkloadStage {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&WorkloadRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        serde_json::to_value(self.params.for_key()).expect("numbers and texts are JSON")
    }

    fn files(&self) -> Vec<FileParam> {
        self.params.files()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let drawn = match &self.params.profile {
            Some(profile) if !self.params.has_trace() => self.draw_profile(profile, ctx)?,
            Some(_) | None => self.cut_trace(ctx)?,
        };
        if let Arrival::ClosedLoop { users, .. } = self.params.arrival() {
            ctx.warn(format!(
                "closed loop of {users} users: the rate is an outcome of the server, not an input; label the results so"
            ));
        }
        let timing = Timing::new(&self.params);
        let mut all = Vec::new();
        for (sessions, draw) in drawn.draws.into_iter().zip(0..) {
            let timed = timing.apply(sessions, self.streams(draw));
            let timed = timed.map_err(StageError::user)?;
            all.extend(rows(draw, drawn.block_tokens, timed));
        }
        ctx.write_rows(WorkloadRow::TABLE.name, &all)
    }
}

/// The sessions of each draw, not yet timed unless a trace's own times hold.
struct Drawn {
    block_tokens: u64,
    draws: Vec<Vec<Session>>,
}

impl WorkloadStage {
    fn streams(&self, draw: u64) -> Streams {
        Streams {
            seed: self.params.seed,
            draw,
        }
    }

    fn draw_profile(&self, profile: &Profile, ctx: &StageContext) -> Result<Drawn, StageError> {
        let draws = (0..self.params.draws).map(|draw| {
            ctx.check_cancelled()?;
            Ok(profile.draw(self.params.requests, self.streams(draw)))
        });
        Ok(Drawn {
            block_tokens: BLOCK_TOKENS,
            draws: draws.collect::<Result<_, StageError>>()?,
        })
    }

    fn cut_trace(&self, ctx: &StageContext) -> Result<Drawn, StageError> {
        let (cut, block_tokens) = match self.source(ctx)? {
            Source::Recorded(recorded) => {
                let replayed = self.params.arrival() == Arrival::Replay;
                if replayed && !recorded.has_times {
                    return Err(no_times(&recorded.file));
                }
                let block_tokens = recorded.block_tokens;
                (trace::cut(recorded, &self.params)?, block_tokens)
            }
            Source::Fitted(model) => (model.draws(&self.params)?, BLOCK_TOKENS),
        };
        cut.warnings.into_iter().for_each(|text| ctx.warn(text));
        Ok(Drawn {
            block_tokens,
            draws: cut.draws,
        })
    }

    fn source(&self, ctx: &StageContext) -> Result<Source, StageError> {
        let params = &self.params;
        let trace = if params.url.is_empty() {
            Content::open(&params.trace, ctx.file(WorkloadParams::TRACE)?)?
        } else {
            let fetched = trace::fetch(&params.url, &params.sha256, ctx)?;
            Content::open(&params.url, &fetched)?
        };
        let lengths = match params.lengths.as_str() {
            "" => None,
            name => Some(Content::open(name, ctx.file(WorkloadParams::LENGTHS)?)?),
        };
        Ok(trace::read(&trace, lengths.as_ref(), params)?)
    }
}

fn no_times(file: &str) -> StageError {
    StageError::user(format!(
        "{file} does not say when requests came: name the column by `columns = {{ arrival_s = \"…\" }}`, or set `arrival`, such as `arrival = {{ kind = \"poisson\", rps = 2.0 }}`"
    ))
}
