mod api;
mod check;
mod deploy;
mod launch;
mod sizes;
mod version;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

use sbt_engine::{Digest, Expr, nearest_name};
use sbt_launcher::FailurePattern;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::Knob;

pub use api::{Api, Metrics, Readiness, RequestForm, Reset, TimingsForm, TokenizeForm};
pub use deploy::{ContainerCommand, Deploy, Histogram, Recipe};
pub use launch::{Launch, Place};
pub use sizes::{Sizes, Told};
pub use version::{Version, model_identity};

/// The embedded server files. To add a server: its file, and its line here.
const FILES: &[&str] = &[
    include_str!("../../servers/vllm.toml"),
    include_str!("../../servers/sglang.toml"),
    include_str!("../../servers/llamacpp.toml"),
    include_str!("../../servers/openai.toml"),
];

static SERVERS: LazyLock<Vec<ServerSpec>> = LazyLock::new(|| {
    let parse = |text: &&str| ServerSpec::parse(text).expect("a test parses every embedded file");
    FILES.iter().map(parse).collect()
});

/// What `servers/NAME.toml` says about a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Name, as in `backend.server`.
    pub name: String,
    /// Version whose behaviour the file describes.
    pub version: String,
    /// What it is, in one line.
    pub about: String,
    /// What the simulator takes for it, beside the knobs: fields of its configuration. None: it
    /// does not model the server.
    #[serde(default)]
    pub simulated: Option<BTreeMap<String, Knob>>,
    /// Versions of it that the simulator tells apart, the one it takes by default first.
    #[serde(default)]
    pub simulated_versions: Vec<String>,
    /// GPUs that one replica occupies: an expression over knobs.
    pub replica_gpus: String,
    /// How it is started; none for an endpoint that runs already.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// How it is rolled out; none when only its command is known.
    #[serde(default)]
    pub deploy: Option<Deploy>,
    /// When it is ready.
    pub ready: Readiness,
    /// How it tells its version.
    #[serde(default)]
    pub version_command: Option<Version>,
    /// What it answers.
    pub api: Api,
    /// What it counts.
    #[serde(default)]
    pub metrics: Metrics,
    /// Where it tells the sizes of its engine.
    #[serde(default)]
    pub sizes: Sizes,
    /// What its log says about its end; the first that occurs counts.
    #[serde(default)]
    pub failures: Vec<FailurePattern>,
    /// Knobs under the server's own names (snake case of the flag).
    #[serde(default, deserialize_with = "in_file_order")]
    pub knobs: BTreeMap<String, KnobSpec>,
    /// Rules between knobs.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Of the file's text, for keys.
    #[serde(skip)]
    pub digest: String,
}

/// One knob of a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnobSpec {
    /// Place in the file: the order of flags on the command line.
    #[serde(skip)]
    pub place: usize,
    /// Flag on the command line, such as `--max-num-seqs`; or the place in [`Launch::command`]
    /// that the value takes, such as `{model}`.
    pub flag: String,
    /// Flag that switches a boolean off, such as `--no-enable-prefix-caching`.
    #[serde(default)]
    pub off_flag: Option<String>,
    /// Type and range.
    pub kind: KnobKind,
    /// Value when it is not set; none when that depends on the machine or the model.
    #[serde(default)]
    pub default: Option<Knob>,
    /// What the default depends on, in words.
    #[serde(default)]
    pub default_about: Option<String>,
    /// The word that means the same as not setting it: no flag is given then.
    #[serde(default)]
    pub unset: Option<Knob>,
    /// The field of the simulator's configuration that it is, where that has another name; with
    /// a `!` before it, a switch the other way round.
    #[serde(default)]
    pub simulates: Option<String>,
    /// Whether changing it needs a new server.
    pub restart: bool,
    /// Whether it can change answers.
    pub quality: bool,
    /// Meaning.
    pub about: String,
    /// Where the server's own sources say so.
    pub source: String,
}

/// Type and range of a knob.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KnobKind {
    /// A switch.
    Bool,
    /// A whole number.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A real number.
    Float {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// One of some words.
    Choice(Vec<String>),
    /// Any text, such as the path of a file.
    Text,
}

/// A rule that the server enforces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What must hold, over knobs (unset ones have their default), `gpus` and properties of the
    /// model such as `model.heads`. Over a value that is not known, it holds.
    pub expect: String,
    /// What the server says otherwise; `{name}` stands for a value.
    pub message: String,
}

impl ServerSpec {
    /// A server by its name.
    ///
    /// # Errors
    /// With the nearest name when there is none.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        SERVERS.iter().find(|s| s.name == name).ok_or_else(|| {
            let known = Self::names();
            match nearest_name(name, known.iter().copied()) {
                Some(near) => format!("unknown server `{name}`; did you mean `{near}`?"),
                None => format!("unknown server `{name}`; known: {}", known.join(", ")),
            }
        })
    }

    /// A server by its name, from a server file (an absolute path), or from the text of one.
    ///
    /// # Errors
    /// With the nearest name when there is none, or what is wrong with the file or the text.
    pub fn find(named: &str) -> Result<Cow<'static, Self>, String> {
        if named.contains('\n') {
            return Self::parse(named).map(Cow::Owned);
        }
        if Path::new(named).is_absolute() {
            let text =
                std::fs::read_to_string(named).map_err(|error| format!("`{named}`: {error}"))?;
            let server = Self::parse(&text).map_err(|error| format!("`{named}`: {error}"))?;
            return Ok(Cow::Owned(server));
        }
        Self::named(named).map(Cow::Borrowed)
    }

    /// Names of all servers.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        SERVERS.iter().map(|server| server.name.as_str()).collect()
    }

    /// Reads a server file.
    ///
    /// # Errors
    /// When it is no such file, or an expression in it does not parse.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut server: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        server.digest = Digest::of(text.as_bytes()).short();
        let expressions = server.rules.iter().map(|rule| &rule.expect);
        for source in expressions.chain([&server.replica_gpus]) {
            Expr::parse(source).map_err(|error| format!("`{source}`: {error}"))?;
        }
        Ok(server)
    }
}

/// Reads the knobs and notes the place of each in the file.
fn in_file_order<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, KnobSpec>, D::Error> {
    struct Knobs;
    impl<'de> Visitor<'de> for Knobs {
        type Value = BTreeMap<String, KnobSpec>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of knobs")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut knobs = BTreeMap::new();
            while let Some((name, mut knob)) = map.next_entry::<String, KnobSpec>()? {
                knob.place = knobs.len();
                knobs.insert(name, knob);
            }
            Ok(knobs)
        }
    }
    deserializer.deserialize_map(Knobs)
}

impl fmt::Display for KnobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Float { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Self::Text => f.write_str("a text"),
        }
    }
}
