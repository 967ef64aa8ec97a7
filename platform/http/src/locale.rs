//! Sentences in the caller's language.
use axum::http::{HeaderMap, header};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The language of those who name none that we know.
pub(crate) const ENGLISH: &str = "en";

/// Sentences by language and code, with `{argument}` where an argument goes.
///
/// A code that has no sentence in the caller's language is answered in English, with the refusal's own words.
#[derive(Clone, Debug)]
pub struct Phrases(BTreeMap<String, BTreeMap<String, String>>);

/// A text that holds no phrases.
#[derive(Debug, thiserror::Error)]
#[error("the phrases in {language:?} can not be read: {why}")]
pub struct NotPhrases {
    language: String,
    why: String,
}

impl Phrases {
    /// The platform's own sentences, and those of a system over them: pairs of a language and TOML (`code = "a sentence"`). A code in
    /// a table reads `table.code`; `links.cancel` is the title of a link.
    ///
    /// # Errors
    /// A text is not TOML, or holds something else than text.
    pub fn new(of_system: &[(&str, &str)]) -> Result<Self, NotPhrases> {
        let platform = [(ENGLISH, include_str!("../locales/en.toml")), ("ko", include_str!("../locales/ko.toml"))];
        let mut languages = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (language, text) in platform.iter().chain(of_system) {
            let not = |why| NotPhrases { language: (*language).to_owned(), why };
            let table = text.parse::<Table>().map_err(|why| not(why.to_string()))?;
            take(languages.entry((*language).to_owned()).or_default(), "", table).map_err(not)?;
        }
        Ok(Phrases(languages))
    }
    /// The platform's own.
    ///
    /// # Panics
    /// Never: they are compiled in, and a test reads them.
    pub fn platform() -> Self {
        Phrases::new(&[]).expect("the platform's own phrases are in order")
    }

    /// The language of an answer: of those that `Accept-Language` names and we speak, the one it likes best.
    pub fn language(&self, headers: &HeaderMap) -> &str {
        let asked =
            headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        let known = asked.filter_map(|range| {
            let (name, q) = range.split_once(';').map_or((range, 1.0), |(name, q)| {
                (name, q.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).unwrap_or(0.0))
            });
            let primary = name.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            self.0.get_key_value(&primary).map(|(known, _)| (known, q))
        });
        // the first among equals; 0 is never
        known.fold((ENGLISH, 0.0), |best, (name, q)| if q > best.1 { (name.as_str(), q) } else { best }).0
    }
    /// Whether anything is said in this language.
    pub fn speaks(&self, language: &str) -> bool {
        self.0.contains_key(language)
    }
    /// The sentence for a code, filled in; none if there is none in this language.
    pub fn say(&self, language: &str, code: &str, arguments: &[(&'static str, String)]) -> Option<String> {
        let mut sentence = self.0.get(language)?.get(code)?.clone();
        for (name, value) in arguments {
            sentence = sentence.replace(&format!("{{{name}}}"), value);
        }
        Some(sentence)
    }
}

fn take(into: &mut BTreeMap<String, String>, under: &str, table: Table) -> Result<(), String> {
    for (name, value) in table {
        let code = if under.is_empty() { name } else { format!("{under}.{name}") };
        match value {
            Value::String(sentence) => {
                into.insert(code, sentence);
            }
            Value::Table(table) => take(into, &code, table)?,
            _ => return Err(format!("{code} is no text")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(phrases: &Phrases, accepts: &str) -> String {
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, accepts.parse().unwrap())]);
        phrases.language(&headers).to_owned()
    }

    #[test]
    fn the_language_liked_best_among_those_we_speak_is_spoken() {
        let phrases = Phrases::platform();
        assert_eq!(phrases.language(&HeaderMap::new()), "en");
        for (accepts, spoken) in [
            ("ko", "ko"),
            ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
            ("en;q=0.5, ko;q=0.9", "ko"),
            ("ko, en", "ko"),
            ("en, ko", "en"),
            ("fr, ko;q=0", "en"),
            ("de", "en"),
            ("*", "en"),
            (";;q=,ko;q=x", "en"),
        ] {
            assert_eq!(language(&phrases, accepts), spoken, "{accepts}");
        }
    }

    #[test]
    fn a_system_adds_its_sentences_and_may_nest_them() {
        let phrases = Phrases::new(&[("ko", "sold-out = \"{product}이(가) 품절입니다\"\n[links]\ncancel = \"취소\"")]).unwrap();
        let arguments = [("product", "커피".to_owned())];
        assert_eq!(phrases.say("ko", "sold-out", &arguments).unwrap(), "커피이(가) 품절입니다");
        assert_eq!(phrases.say("ko", "links.cancel", &[]).unwrap(), "취소");
        assert_eq!(phrases.say("en", "sold-out", &arguments), None);
        assert!(Phrases::new(&[("ko", "code = 7")]).unwrap_err().to_string().contains("code is no text"));
        assert!(Phrases::new(&[("ko", "code =")]).is_err());
    }

    #[test]
    fn the_platform_says_the_same_codes_in_both_languages() {
        let Phrases(languages) = Phrases::platform();
        let codes = |language: &str| languages[language].keys().cloned().collect::<Vec<_>>();
        assert_eq!(codes("en"), codes("ko"));
    }
}
