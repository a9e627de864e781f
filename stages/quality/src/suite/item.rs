use std::fmt;

use sbt_scorers::Scorer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One question, with what its answer is held against: a line of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// Unique within its suite.
    pub(crate) id: String,
    pub(crate) family: Family,
    pub(crate) messages: Vec<Message>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    pub(crate) scorer: Scorer,
    /// What it is about; `example` marks a demonstration, which is never asked.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// Most tokens of the answer.
    #[serde(default = "long_answer")]
    pub(crate) max_tokens: u64,
}

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) content: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
}

/// Task family.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Family {
    /// Questions with a short answer.
    Qa,
    /// JSON.
    Structured,
    /// Programs.
    Code,
    /// Summaries.
    Summary,
    /// Instructions that can be checked.
    Instruction,
}

impl Family {
    pub(crate) const ALL: [Self; 5] = [
        Self::Qa,
        Self::Structured,
        Self::Code,
        Self::Summary,
        Self::Instruction,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Qa => "qa",
            Self::Structured => "structured",
            Self::Code => "code",
            Self::Summary => "summary",
            Self::Instruction => "instruction",
        }
    }

    /// Loss that is tolerated unless the user says otherwise.
    pub(crate) fn margin(self) -> f64 {
        match self {
            Self::Qa => 0.02,
            Self::Structured | Self::Summary => 0.01,
            Self::Code => 0.05,
            Self::Instruction => 0.03,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Item {
    /// Mark of a demonstration.
    const EXAMPLE: &str = "example";

    pub(crate) fn is_example(&self) -> bool {
        self.tags.iter().any(|tag| tag == Self::EXAMPLE)
    }

    /// What sampling keeps the shares of.
    pub(crate) fn stratum(&self) -> (Family, &[String]) {
        (self.family, &self.tags)
    }
}

impl Message {
    pub(crate) fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
        }
    }
}

fn long_answer() -> u64 {
    256
}
