use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use crate::{ClientError, PromptWords};

/// Common English words. With a space before them they are one token in every byte-pair vocabulary
/// of a mainstream model, and as each brings its own space, no two ever merge.
const WORDS: &str = include_str!("words.txt");

/// A prompt, or what a turn adds to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    /// Tokens of the server's own.
    Ids(Vec<u64>),
}

impl Said {
    /// The text; empty of tokens, which no conversation holds.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Ids(_) => "",
        }
    }
}

/// What prompts are made of, and what a server adds to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// Words, without their space, each one token of the server's.
    pub words: Vec<String>,
    /// The server's token of each word, where prompts are to be sent as these; empty where as text.
    pub ids: Vec<u64>,
    /// Tokens that the server adds to a prompt of one message: its template, or a start of sequence.
    pub frame_tokens: u32,
    /// Tokens that it adds for each further pair of answer and message.
    pub turn_tokens: u32,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self {
            words: WORDS.lines().map(str::to_owned).collect(),
            ids: Vec::new(),
            frame_tokens: 0,
            turn_tokens: 0,
        }
    }
}

impl Vocabulary {
    pub(crate) fn check(&self) -> Result<(), ClientError> {
        if self.words.is_empty() {
            return Err(ClientError::NoWords);
        }
        if !self.ids.is_empty() && self.ids.len() != self.words.len() {
            return Err(ClientError::Ids("as many tokens as words"));
        }
        Ok(())
    }

    /// What is said in `prompt_tokens` tokens, the server's own included, from the token `history` on;
    /// at least one word.
    pub(crate) fn say(&self, words: &PromptWords, prompt_tokens: u32, history: u64) -> Said {
        let (salt, blocks, block_tokens, request) = match words {
            PromptWords::Given(text) => return Said::Text(text.clone()),
            PromptWords::Drawn {
                salt,
                blocks,
                block_tokens,
                request,
            } => (*salt, blocks, u64::from(*block_tokens), *request),
        };
        // what the frame holds is no place of a word
        let from = history.saturating_sub(u64::from(self.frame_tokens));
        let added = if history == 0 {
            u64::from(self.frame_tokens)
        } else {
            history + u64::from(self.turn_tokens)
        };
        let count = u64::from(prompt_tokens).saturating_sub(added).max(1);
        self.said(self.draw(salt, blocks, block_tokens, request, from..from + count))
    }

    /// The first words, over and over.
    pub(crate) fn first(&self, count: usize) -> Said {
        self.said((0..self.words.len()).cycle().take(count).collect())
    }

    /// Words, by their places in the vocabulary, as they are sent.
    fn said(&self, words: Vec<usize>) -> Said {
        if !self.ids.is_empty() {
            return Said::Ids(words.into_iter().map(|word| self.ids[word]).collect());
        }
        let mut text = String::new();
        for word in words {
            text.push(' ');
            text.push_str(&self.words[word]);
        }
        Said::Text(text)
    }

    /// The words at some places of a sequence: the same block of the same salt, the same words.
    fn draw(
        &self,
        salt: u64,
        blocks: &[u64],
        block_tokens: u64,
        request: u64,
        places: std::ops::Range<u64>,
    ) -> Vec<usize> {
        let mut words = Vec::new();
        let mut place = places.start;
        while place < places.end {
            let block = place.checked_div(block_tokens).unwrap_or(u64::MAX);
            let id = usize::try_from(block).ok().and_then(|b| blocks.get(b));
            let (mut rng, start, end) = match id {
                Some(id) => {
                    let start = block * block_tokens;
                    (generator(salt, 0, *id), start, start + block_tokens)
                }
                None => {
                    let start = block_tokens.saturating_mul(blocks.len() as u64);
                    (generator(salt, 1, request), start, places.end)
                }
            };
            for at in start..end.min(places.end) {
                let word = self.word(&mut rng);
                if at >= place {
                    words.push(word);
                }
            }
            place = end;
        }
        words
    }

    fn word(&self, rng: &mut ChaCha8Rng) -> usize {
        let count = self.words.len() as u128;
        ((u128::from(rng.next_u64()) * count) >> 64) as usize
    }
}

/// A generator of its own for each block and each request: `kind` keeps the two apart.
fn generator(salt: u64, kind: u64, id: u64) -> ChaCha8Rng {
    let mut seed = [0; 32];
    for (part, value) in seed.chunks_exact_mut(8).zip([salt, kind, id]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(seed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(salt: u64, blocks: &[u64], request: u64) -> PromptWords {
        PromptWords::Drawn {
            salt,
            blocks: blocks.to_vec(),
            block_tokens: 16,
            request,
        }
    }

    fn text(vocabulary: &Vocabulary, words: &PromptWords, tokens: u32, history: u64) -> String {
        match vocabulary.say(words, tokens, history) {
            Said::Text(text) => text,
            Said::Ids(ids) => panic!("{ids:?}"),
        }
    }

    fn count(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn words_are_many_and_plain() {
        let words = Vocabulary::default().words;
        assert!(words.len() > 250);
        let plain = |w: &String| w.len() > 1 && w.bytes().all(|b| b.is_ascii_lowercase());
        assert!(words.iter().all(plain));
        let unique: std::collections::BTreeSet<_> = words.iter().collect();
        assert_eq!(unique.len(), words.len());
    }

    #[test]
    fn equal_blocks_are_equal_words_up_to_where_they_part() {
        let vocabulary = Vocabulary::default();
        let a = text(&vocabulary, &drawn(1, &[7, 8], 1), 40, 0);
        let b = text(&vocabulary, &drawn(1, &[7, 9], 2), 40, 0);
        let a: Vec<_> = a.split(' ').skip(1).collect();
        let b: Vec<_> = b.split(' ').skip(1).collect();
        assert_eq!(a[..16], b[..16]);
        assert_ne!(a[16..32], b[16..32]);
        assert_ne!(a[32..], b[32..]);
    }

    #[test]
    fn other_salt_is_other_words() {
        let vocabulary = Vocabulary::default();
        let of = |salt| text(&vocabulary, &drawn(salt, &[7], 1), 16, 0);
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
    }

    #[test]
    fn golden_words_are_the_same_on_every_machine() {
        let text = text(&Vocabulary::default(), &drawn(42, &[1], 3), 4, 0);
        assert_eq!(text, GOLDEN);
    }

    const GOLDEN: &str = " happen case later even";

    #[test]
    fn frame_of_the_server_counts() {
        let vocabulary = Vocabulary {
            frame_tokens: 10,
            turn_tokens: 5,
            ..Vocabulary::default()
        };
        let words = drawn(1, &[], 1);
        assert_eq!(count(&text(&vocabulary, &words, 30, 0)), 20);
        assert_eq!(count(&text(&vocabulary, &words, 100, 60)), 35);
        assert_eq!(count(&text(&vocabulary, &words, 3, 0)), 1);
    }

    #[test]
    fn tokens_stand_for_the_same_words() {
        let words = Vocabulary::default();
        let ids: Vec<u64> = (1000..).take(words.words.len()).collect();
        let tokens = Vocabulary {
            ids,
            ..words.clone()
        };
        let drawn = drawn(1, &[7, 8], 1);
        let Said::Ids(ids) = tokens.say(&drawn, 40, 0) else {
            panic!("text")
        };
        let of = |id: &u64| words.words[*id as usize - 1000].clone();
        let said: Vec<String> = ids.iter().map(of).collect();
        assert_eq!(format!(" {}", said.join(" ")), text(&words, &drawn, 40, 0));
        let given = PromptWords::Given("as it is".to_owned());
        assert_eq!(tokens.say(&given, 40, 0), Said::Text("as it is".to_owned()));
    }

    proptest! {
        #[test]
        fn rest_of_a_prompt_is_the_same_words(
            tokens in 1_u32..200, history in 1_u64..200, blocks in prop::collection::vec(any::<u64>(), 14)
        ) {
            let vocabulary = Vocabulary::default();
            let words = drawn(3, &blocks, 4);
            let whole = text(&vocabulary, &words, tokens.max(history as u32 + 1), 0);
            let rest = text(&vocabulary, &words, tokens.max(history as u32 + 1), history);
            prop_assert!(whole.ends_with(&rest));
            prop_assert_eq!(count(&whole) - count(&rest), history as usize);
        }
    }
}
