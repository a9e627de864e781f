//! Single questions to a real server, beside any load: what a quality stage needs of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sbt_client::side::{Side, SideError};
use sbt_engine::{StageContext, StageError};
use sbt_schemas::Outcome;
use serde_json::{Map, Value};

use crate::measured::{Machine, Ready, Unready};
use crate::{Backend, Config, ServerSpec};

/// Statuses that say no to a question itself: it is too long, or not understood.
const ABOUT_THE_QUESTION: [u16; 3] = [400, 413, 422];

/// A real server that is asked: the one that runs already, or one that is started for a
/// configuration and kept until another is asked for.
pub struct Asking<'a> {
    machine: Machine<'a>,
    server: Cow<'static, ServerSpec>,
}

/// One connection's worth of questions; several may be open at once.
pub struct Line {
    side: Side,
    model: String,
    /// Locks the server as long as one line is open.
    _ready: Arc<Ready>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The server says no to this question: it is too long for it, say.
    Refused(String),
    /// The server did not answer.
    Silent(String),
}

impl<'a> Asking<'a> {
    /// # Errors
    /// When the backend names a server that nobody knows.
    pub fn new(ctx: &'a StageContext, backend: &Backend) -> Result<Self, StageError> {
        let server = backend.server().map_err(StageError::user)?;
        Ok(Self {
            machine: Machine::new(ctx, backend, server.clone()),
            server,
        })
    }

    /// Lines to the server with a configuration, each answer within `limit`; or how its start
    /// ended, where the configuration is to blame.
    ///
    /// # Errors
    /// When something else is, or the run is being stopped.
    pub fn lines(
        &self,
        config: &Config,
        count: usize,
        limit: Duration,
    ) -> Result<Result<Vec<Line>, (Outcome, String)>, StageError> {
        let ready = match self.machine.ready(&self.server.effective(config)) {
            Ok(ready) => Arc::new(ready),
            Err(Unready::Configuration(ending)) => return Ok(Err(ending)),
            Err(Unready::Stage(error)) => return Err(error),
        };
        let line = |_| {
            let side = Side::new(&ready.target, limit);
            Ok(Line {
                side: side.map_err(|error| StageError::user(error.to_string()))?,
                model: ready.target.model.clone(),
                _ready: Arc::clone(&ready),
            })
        };
        (0..count).map(line).collect::<Result<_, _>>().map(Ok)
    }

    /// How the started server came to its end, if it did.
    #[must_use]
    pub fn death(&self) -> Option<(Outcome, String)> {
        self.machine.death()
    }

    /// Stops the started server, so that the next question meets a fresh one.
    pub fn stop(&self) {
        self.machine.stop();
    }
}

impl Line {
    /// What `chat/completions` answers to a request, which needs no model.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn chat(&self, request: &Map<String, Value>) -> Result<Value, Refusal> {
        let mut body = request.clone();
        body.insert("model".to_owned(), self.model.clone().into());
        let answer = self.side.post("./chat/completions", &Value::Object(body));
        answer.map_err(|error| match error {
            SideError::Refused { status, said, .. } if ABOUT_THE_QUESTION.contains(&status) => {
                Refusal::Refused(said)
            }
            SideError::Refused { .. }
            | SideError::NoAnswer { .. }
            | SideError::OtherForm { .. }
            | SideError::Setup(_) => Refusal::Silent(error.to_string()),
        })
    }
}
