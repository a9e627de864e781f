use std::fmt;

use reqwest::header::HeaderValue;

/// Bytes of an error text that are kept.
const KEPT: usize = 512;

/// Shown in place of a key.
const HIDDEN: &str = "[key]";

/// Starts of words that are keys whoever's they are.
const STARTS: [&str; 3] = ["sk-", "hf_", "Bearer "];

/// A key of an endpoint. It has no way out but the header of a request.
#[derive(Clone)]
pub struct ApiKey {
    key: String,
    header: HeaderValue,
}

impl ApiKey {
    /// Takes a key.
    ///
    /// # Errors
    /// Says so when it is empty or cannot stand in a header; the text does not show it.
    pub fn new(key: &str) -> Result<Self, String> {
        let key = key.trim();
        if key.is_empty() {
            return Err("the key is empty".to_owned());
        }
        let mut header = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| "the key holds characters that no header takes".to_owned())?;
        header.set_sensitive(true);
        Ok(Self {
            key: key.to_owned(),
            header,
        })
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// `text` in at most 512 bytes, without the key and without anything that looks like one.
#[must_use]
pub fn redact(text: &str, key: Option<&ApiKey>) -> String {
    let mut text = match key {
        Some(key) => text.replace(&key.key, HIDDEN),
        None => text.to_owned(),
    };
    for start in STARTS {
        text = hide_words(&text, start);
    }
    let end = text.floor_char_boundary(KEPT.min(text.len()));
    text.truncate(end);
    text
}

/// Replaces each run of key characters after `start`, with `start`.
fn hide_words(text: &str, start: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(start) {
        let (before, from) = rest.split_at(at);
        let secret = &from[start.len()..];
        let end = secret
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.*~+/=".contains(c)))
            .unwrap_or(secret.len());
        let within_word = before.ends_with(|c: char| c.is_ascii_alphanumeric());
        shown.push_str(before);
        shown.push_str(if within_word || end == 0 {
            &from[..start.len() + end]
        } else {
            HIDDEN
        });
        rest = &secret[end..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_shown_by_nothing() {
        let key = ApiKey::new("swordfish").unwrap();
        assert_eq!(format!("{key:?} {:?}", key.header()), "[key] Sensitive");
        assert_eq!(
            redact("Incorrect API key: swordfish.", Some(&key)),
            "Incorrect API key: [key]."
        );
    }

    #[test]
    fn words_like_keys_are_hidden_and_others_are_not() {
        assert_eq!(
            redact("got Bearer abc.def, sk-12a_b! and task-sk", None),
            "got [key], [key]! and task-sk"
        );
        assert_eq!(redact("disk-full", None), "disk-full");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "é".repeat(400);
        assert_eq!(redact(&text, None).len(), 512);
        assert_eq!(redact(&format!("a{text}"), None).len(), 511);
    }

    #[test]
    fn key_that_no_header_takes_is_refused() {
        assert!(ApiKey::new("a\nb").is_err());
        assert!(ApiKey::new("  ").is_err());
    }
}
