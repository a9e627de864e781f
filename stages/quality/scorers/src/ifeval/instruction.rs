//! The kinds of instructions, named and shaped as in IFEval's data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a count relates to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    /// Fewer than asked for.
    #[serde(rename = "less than")]
    LessThan,
    /// As many or more.
    #[serde(rename = "at least")]
    AtLeast,
}

impl Relation {
    pub(super) fn holds(self, count: usize, asked: usize) -> bool {
        match self {
            Self::LessThan => count < asked,
            Self::AtLeast => count >= asked,
        }
    }
}

/// One instruction: IFEval's id and its arguments, in one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "id", deny_unknown_fields)]
#[expect(missing_docs, reason = "the arguments' names are IFEval's, and say it")]
pub enum Instruction {
    /// Each keyword, a regular expression, occurs.
    #[serde(rename = "keywords:existence")]
    Keywords { keywords: Vec<String> },
    /// A keyword, a regular expression, occurs so often.
    #[serde(rename = "keywords:frequency")]
    KeywordFrequency {
        keyword: String,
        frequency: usize,
        relation: Relation,
    },
    /// No such word occurs.
    #[serde(rename = "keywords:forbidden_words")]
    ForbiddenWords { forbidden_words: Vec<String> },
    /// A letter occurs so often, in either case.
    #[serde(rename = "keywords:letter_frequency")]
    LetterFrequency {
        letter: char,
        let_frequency: usize,
        let_relation: Relation,
    },
    /// The answer is in a language (ISO 639-1).
    #[serde(rename = "language:response_language")]
    Language { language: String },
    /// So many sentences.
    #[serde(rename = "length_constraints:number_sentences")]
    Sentences {
        num_sentences: usize,
        relation: Relation,
    },
    /// So many paragraphs between lines of `***`.
    #[serde(rename = "length_constraints:number_paragraphs")]
    Paragraphs { num_paragraphs: usize },
    /// So many words.
    #[serde(rename = "length_constraints:number_words")]
    Words {
        num_words: usize,
        relation: Relation,
    },
    /// So many paragraphs between empty lines, one of which begins with a word.
    #[serde(rename = "length_constraints:nth_paragraph_first_word")]
    ParagraphFirstWord {
        num_paragraphs: usize,
        nth_paragraph: usize,
        first_word: String,
    },
    /// So many placeholders in square brackets or more.
    #[serde(rename = "detectable_content:number_placeholders")]
    Placeholders { num_placeholders: usize },
    /// A postscript behind such a marker.
    #[serde(rename = "detectable_content:postscript")]
    Postscript { postscript_marker: String },
    /// Exactly so many bullets.
    #[serde(rename = "detectable_format:number_bullet_lists")]
    Bullets { num_bullets: usize },
    /// One of three fixed answers.
    #[serde(rename = "detectable_format:constrained_response")]
    ConstrainedResponse {},
    /// So many highlighted sections or more.
    #[serde(rename = "detectable_format:number_highlighted_sections")]
    Highlights { num_highlights: usize },
    /// So many sections or more, each behind a numbered heading.
    #[serde(rename = "detectable_format:multiple_sections")]
    Sections {
        section_spliter: String,
        num_sections: usize,
    },
    /// JSON alone.
    #[serde(rename = "detectable_format:json_format")]
    Json {},
    /// A title in double angle brackets.
    #[serde(rename = "detectable_format:title")]
    Title {},
    /// Two different answers between six asterisks.
    #[serde(rename = "combination:two_responses")]
    TwoResponses {},
    /// The prompt again, before the answer.
    #[serde(rename = "combination:repeat_prompt")]
    RepeatPrompt { prompt_to_repeat: String },
    /// The answer ends with a phrase.
    #[serde(rename = "startend:end_checker")]
    End { end_phrase: String },
    /// The answer stands in double quotation marks.
    #[serde(rename = "startend:quotation")]
    Quotation {},
    /// So many words in capitals.
    #[serde(rename = "change_case:capital_word_frequency")]
    CapitalWords {
        capital_frequency: usize,
        capital_relation: Relation,
    },
    /// English in capitals.
    #[serde(rename = "change_case:english_capital")]
    Capitals {},
    /// English in small letters.
    #[serde(rename = "change_case:english_lowercase")]
    Lowercase {},
    /// No comma.
    #[serde(rename = "punctuation:no_comma")]
    NoComma {},
}

impl Instruction {
    /// Reads one entry of `instruction_id_list` with its entry of `kwargs`, in which IFEval's
    /// published data has every argument of every kind, most of them null.
    ///
    /// # Errors
    /// What is wrong with the entry.
    pub fn from_ifeval(id: &str, arguments: &Map<String, Value>) -> Result<Self, String> {
        let present = arguments.iter().filter(|(_, value)| !value.is_null());
        let mut entry: Map<String, Value> = present
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        entry.insert("id".to_owned(), Value::from(id));
        serde_json::from_value(Value::Object(entry)).map_err(|error| format!("{id}: {error}"))
    }

    /// IFEval's id, e.g. `keywords:existence`.
    pub fn id(&self) -> String {
        let entry = serde_json::to_value(self).unwrap_or_default();
        entry["id"].as_str().unwrap_or_default().to_owned()
    }
}
