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

/// Words of which a tenth or more of a text consists only in one language: English, whose short
/// texts the detector mistakes, and Swahili.
const FREQUENT: [(&str, &str); 2] = [
    (
        "en",
        " the of and to is it that for was with they this from have not but what were which you he \
         she we my your there been are i ",
    ),
    (
        "sw",
        " na ya wa kwa ni la za katika kuwa hii cha kama vya yake kutoka pia sana watu lakini huo \
         au hiyo hayo yao ",
    ),
];

/// Whether `text` is in the language `code` (ISO 639-1). A text without letters is in any.
pub(super) fn is(text: &str, code: &str) -> bool {
    if !text.chars().any(char::is_alphabetic) {
        return true;
    }
    let text = text.to_lowercase();
    if let Some(name) = by_frequent_words(&text) {
        return name == code;
    }
    let known = Detector::with_allowlist(KNOWN.iter().map(|(_, language)| *language).collect());
    let Some(found) = known.detect(&text) else {
        return false;
    };
    // Too short to tell: plain letters are taken for English.
    let maybe = code == "en" && !found.is_reliable() && text.is_ascii();
    maybe
        || KNOWN
            .iter()
            .any(|(name, language)| *name == code && found.lang() == *language)
}

fn by_frequent_words(text: &str) -> Option<&'static str> {
    let words = || {
        text.split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
    };
    let all = words().count();
    let holds = |list: &str| {
        let frequent = words().filter(|word| list.split_whitespace().any(|entry| entry == *word));
        frequent.count() * 10 >= all
    };
    FREQUENT
        .iter()
        .find(|(_, list)| holds(list))
        .map(|(name, _)| *name)
}
