//! How many sentences a text has, close to NLTK's Punkt for English.
//!
//! Punkt also knows for 20,000 words in which case they were seen; where that decides (an
//! abbreviation or an initial before a capitalised word) this count knows the frequent first words
//! of sentences alone, and may differ.

use std::sync::LazyLock;

use regex::Regex;

/// Abbreviations of Punkt's English model, without their full stop.
const ABBREVIATIONS: &str = " a.a a.c a.d a.g a.h a.m a.m.e a.s a.t adm ala ariz aug ave b.f b.v \
    bros c c.i.t c.o.m.b c.v calif chg cie co col colo conn corp cos ct d d.c d.h d.w dec dr e e.f \
    e.h e.l e.m f f.g f.j feb fla fri ft g g.d g.f g.k ga gen h h.c h.f h.m i.m.s ill inc j.b j.c \
    j.j j.k j.p j.r jan jr k kan ky l l.a l.f l.p lt ltd m m.b.a m.d.c m.j maj messrs mg mich minn \
    mr mrs ms n n.c n.d n.h n.j n.m n.v n.y nev nov oct ok okla ore p p.a.m p.m pa ph.d prof r r.a \
    r.h r.i r.j r.k r.t rep reps s s.a s.a.y s.c s.g s.p.a s.s sen sep sept sr st sw t t.j tenn \
    tues u.k u.n u.s u.s.a u.s.s.r v va vs vt w w.c w.r w.va w.w wash wed wis yr ";

/// Words that begin a sentence more often than chance has it, by the same model.
const STARTERS: &str = " according although among both but despite even he however i if in indeed \
    instead it many meanwhile moreover most nevertheless nonetheless nor sales separately \
    similarly since so some the there these they this though thus under when while yet ";

/// A sign that may end a sentence, and what follows it: a sign that no word holds, or white space
/// and a word.
static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.?!]"));
static FOLLOWED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^(?:([)";}\]*:@'({\[‘’“”«»?!])|\s+(\S+))"#));

/// Signs that still belong to the sentence before.
static CLOSERS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^\s*["')\]}‘’“”«»]+(?:\s+|--|$)"#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant that a test compiles")
}

pub(super) fn count(text: &str) -> usize {
    let mut sentences = 0;
    let mut start = 0;
    for found in CANDIDATE.find_iter(text) {
        if found.start() < start || !ends(&text[start..found.end()], &text[found.end()..]) {
            continue;
        }
        sentences += 1;
        start = found.end();
        start += CLOSERS
            .find(&text[start..])
            .filter(|m| m.start() == 0)
            .map_or(0, |m| m.end());
    }
    sentences + usize::from(!text[start..].trim().is_empty())
}

/// Whether the sign at the end of `sentence` ends it, given the `rest` of the text.
fn ends(sentence: &str, rest: &str) -> bool {
    let Some(followed) = FOLLOWED.captures(rest) else {
        return false;
    };
    let Some(before) = sentence.strip_suffix('.') else {
        return true;
    };
    let next = followed.get(2).map_or("", |word| word.as_str());
    let word = last_word(before).to_lowercase();
    if word.is_empty() || word.ends_with('.') {
        // An ellipsis, or a full stop by itself.
        return word.is_empty() && !before.ends_with('.') || starts(next);
    }
    let mut letters = word.chars();
    let initial = letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none();
    if listed(ABBREVIATIONS, &word)
        || word
            .rsplit_once('-')
            .is_some_and(|(_, end)| listed(ABBREVIATIONS, end))
    {
        return !initial && starts(next);
    }
    if initial {
        return starts(next);
    }
    let number = word
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-'));
    !(number && next.chars().next().is_some_and(char::is_lowercase))
}

/// What stands before the full stop, back to white space or a sign that no word holds.
fn last_word(text: &str) -> &str {
    let sign = |c: char| c.is_whitespace() || r#")";}]*:@'({[‘’“”«»?!`"#.contains(c);
    text.rsplit(sign).next().unwrap_or(text)
}

/// Whether a word, capitalised, is a frequent first word.
fn starts(word: &str) -> bool {
    let word = word.trim_end_matches([',', '.', ';', ':', '!', '?']);
    word.starts_with(char::is_uppercase) && listed(STARTERS, &word.to_lowercase())
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|entry| entry == word)
}
