//! Which language a text is in. The reference asks langdetect, which was trained on other text:
//! short or mixed texts can come out differently.

use whatlang::{Detector, Lang};

/// The languages that IFEval asks for, without Swahili, which the detector does not know.
const KNOWN: [(&str, Lang); 29] = [
    ("en", Lang::Eng),
    ("es", Lang::Spa),
    ("pt", Lang::Por),
    ("ar", Lang::Ara),
    ("hi", Lang::Hin),
    ("fr", Lang::Fra),
    ("ru", Lang::Rus),
    ("de", Lang::Deu),
    ("ja", Lang::Jpn),
    ("it", Lang::Ita),
    ("bn", Lang::Ben),
    ("uk", Lang::Ukr),
    ("th", Lang::Tha),
    ("ur", Lang::Urd),
    ("ta", Lang::Tam),
    ("te", Lang::Tel),
    ("bg", Lang::Bul),
    ("ko", Lang::Kor),
    ("pl", Lang::Pol),
    ("he", Lang::Heb),
    ("fa", Lang::Pes),
    ("vi", Lang::Vie),
    ("ne", Lang::Nep),
    ("kn", Lang::Kan),
    ("mr", Lang::Mar),
    ("gu", Lang::Guj),
    ("pa", Lang::Pan),
    ("ml", Lang::Mal),
    ("fi", Lang::Fin),
];

/// Swahili's most frequent words. A tenth of any longer text consists of them.
const SWAHILI: [&str; 24] = [
    "na", "ya", "wa", "kwa", "ni", "la", "za", "katika", "kuwa", "hii", "cha", "kama", "vya",
    "yake", "kutoka", "pia", "sana", "watu", "lakini", "huo", "au", "hiyo", "hayo", "yao",
];

/// Whether `text` is in the language `code` (ISO 639-1). A text without letters is in any.
pub(super) fn is(text: &str, code: &str) -> bool {
    if !text.chars().any(char::is_alphabetic) {
        return true;
    }
    if code == "sw" || is_swahili(text) {
        return code == "sw" && is_swahili(text);
    }
    let known = Detector::with_allowlist(KNOWN.iter().map(|(_, language)| *language).collect());
    // The detector's model knows small letters better.
    let found = known.detect_lang(&text.to_lowercase());
    KNOWN
        .iter()
        .any(|(name, language)| *name == code && found == Some(*language))
}

fn is_swahili(text: &str) -> bool {
    let text = text.to_lowercase();
    let words = || {
        text.split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
    };
    let frequent = words().filter(|word| SWAHILI.contains(word)).count();
    frequent * 10 >= words().count()
}
