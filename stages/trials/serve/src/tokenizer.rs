//! Tokens without a model: one per word or punctuation run, the white space before it included.

use serde::Deserialize;

/// Ids below this one are special.
const SPECIAL: u32 = 10;
const BEGIN: u32 = 1;
const END_OF_MESSAGE: u32 = 2;
const ROLES: &[&str] = &["system", "user", "assistant", "tool"];

/// Size of the vocabulary, that of Llama 3.
pub(crate) const VOCABULARY: u32 = 128_256;

/// What answers are made of.
const WORDS: &[&str] = &[
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "with", "as", "on", "are", "this",
    "by", "from", "at", "or", "an", "be", "time", "state", "value", "model", "answer", "number",
    "system", "result", "case", "point", "word", "line",
];

/// One message of a chat.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Message {
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) content: Option<Content>,
}

/// Text, or parts of which the texts count.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Part {
    #[serde(default)]
    text: String,
}

/// Ids of a text; with `begin` the id that begins a sequence comes first.
pub(crate) fn tokens(text: &str, begin: bool) -> Vec<u32> {
    let mut ids = Vec::with_capacity(text.len() / 5 + 1);
    ids.extend(begin.then_some(BEGIN));
    append(text, &mut ids);
    ids
}

/// Ids of a chat. The template adds one token at the beginning, two a message (role and end), and
/// one for the role of the answer; so an answer sent back continues the sequence that made it.
pub(crate) fn chat_tokens(messages: &[Message]) -> Vec<u32> {
    let mut ids = vec![BEGIN];
    for message in messages {
        ids.push(role(&message.role));
        match &message.content {
            Some(Content::Text(text)) => append(text, &mut ids),
            Some(Content::Parts(parts)) => parts.iter().for_each(|p| append(&p.text, &mut ids)),
            None => {}
        }
        ids.push(END_OF_MESSAGE);
    }
    ids.push(role("assistant"));
    ids
}

/// Text of ids; tokenized again it gives the same ids, special ones left out.
pub(crate) fn text(ids: &[u32]) -> String {
    let words = ids.iter().filter(|id| **id >= SPECIAL);
    let words: Vec<String> = words.map(|id| format!("w{id}")).collect();
    words.join(" ")
}

/// The n-th token of the answer to a prompt: its text, such that the answer tokenized gives one
/// token each.
pub(crate) fn answer_word(prompt_hash: u64, n: u32) -> String {
    let drawn = fnv(&(prompt_hash ^ u64::from(n)).to_le_bytes());
    let word = WORDS[(drawn >> 32) as usize % WORDS.len()];
    if n == 0 {
        word.to_owned()
    } else {
        format!(" {word}")
    }
}

/// Hash of ids, chained: what blocks of a prefix are told apart by.
pub(crate) fn chained(before: u64, ids: &[u32]) -> u64 {
    let mut hash = fnv(&before.to_le_bytes());
    for id in ids {
        hash = (hash ^ u64::from(*id)).wrapping_mul(FNV_PRIME);
        hash ^= hash >> 29;
    }
    hash
}

fn role(name: &str) -> u32 {
    let place = ROLES.iter().position(|role| *role == name);
    3 + place.unwrap_or(ROLES.len()) as u32
}

fn append(text: &str, ids: &mut Vec<u32>) {
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let wordy = is_wordy(first);
        let end = rest
            .find(|c: char| c.is_whitespace() || is_wordy(c) != wordy)
            .unwrap_or(rest.len());
        ids.push(id(&rest[..end]));
        rest = rest[end..].trim_start();
    }
}

fn is_wordy(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `w123` is the word of id 123; any other word has the id of its hash.
fn id(word: &str) -> u32 {
    let named = word.strip_prefix('w').and_then(|n| n.parse().ok());
    let named = named.filter(|id| (SPECIAL..VOCABULARY).contains(id));
    named.unwrap_or_else(|| {
        SPECIAL + (fnv(word.as_bytes()) % u64::from(VOCABULARY - SPECIAL)) as u32
    })
}

const FNV_PRIME: u64 = 0x0100_0000_01B3;

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325;
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, text: &str) -> Message {
        Message {
            role: role.to_owned(),
            content: Some(Content::Text(text.to_owned())),
        }
    }

    #[test]
    fn a_token_is_a_word_or_a_run_of_punctuation() {
        assert_eq!(tokens("Hello, big  world!!\n", false).len(), 5);
        assert_eq!(tokens("", true), [BEGIN]);
        assert_eq!(tokens("a b", false), tokens(" a\n b ", false));
        assert_ne!(tokens("a b", false), tokens("b a", false));
    }

    #[test]
    fn text_of_ids_has_the_same_ids() {
        let ids = [10, 77, 128_255, 5000];
        assert_eq!(tokens(&text(&ids), false), ids);
    }

    #[test]
    fn answer_sent_back_continues_its_sequence() {
        let asked = [message("user", "how are you?")];
        let answer: String = (0..20).map(|n| answer_word(42, n)).collect();
        let answer_ids = tokens(&answer, false);
        assert_eq!(answer_ids.len(), 20);
        let next = [
            asked[0].clone(),
            message("assistant", &answer),
            message("user", "why"),
        ];
        let first = [chat_tokens(&asked), answer_ids].concat();
        assert_eq!(chat_tokens(&next)[..first.len()], first);
        assert_eq!(chat_tokens(&asked).len(), 4 + 1 + 2 + 1);
    }
}
