//! What is said to a reader: the console's own sentences, and a system's words for what the wire names.
use jumun_http::Phrases;
use std::sync::Arc;

/// The words of one language.
#[derive(Clone)]
pub(crate) struct Words {
    phrases: Arc<Phrases>,
    pub(crate) language: String,
}

impl Words {
    pub(crate) fn new(phrases: &Arc<Phrases>, language: &str) -> Self {
        Words { phrases: Arc::clone(phrases), language: language.to_owned() }
    }
    pub(crate) fn korean(&self) -> bool {
        self.language == "ko"
    }
    /// One of the console's own sentences.
    pub(crate) fn say(&self, code: impl AsRef<str>) -> String {
        self.told(code.as_ref(), &[])
    }
    pub(crate) fn told(&self, code: &str, arguments: &[(&'static str, String)]) -> String {
        self.phrases.say(&self.language, &format!("console.{code}"), arguments).unwrap_or_else(|| code.to_owned())
    }
    /// What a system calls a thing of that kind (`field`, `status`, `command` …); else the wire's name, taken apart at its capitals.
    pub(crate) fn word(&self, kind: &str, wire: &str) -> String {
        self.own(kind, wire).unwrap_or_else(|| apart(wire))
    }
    /// The same, where the system has a word for it.
    pub(crate) fn own(&self, kind: &str, wire: &str) -> Option<String> {
        self.phrases.say(&self.language, &format!("words.{kind}.{wire}"), &[])
    }
    pub(crate) fn field(&self, name: &str) -> String {
        self.word("field", name)
    }
    pub(crate) fn context(&self, name: &str) -> String {
        self.word("context", name)
    }
    pub(crate) fn collection(&self, name: &str) -> String {
        self.word("collection", name)
    }
    pub(crate) fn role(&self, name: &str) -> String {
        self.word("role", name)
    }
    /// As its link is called, unless the system says otherwise.
    pub(crate) fn command(&self, name: &str) -> String {
        let link = || self.phrases.say(&self.language, &format!("links.{name}"), &[]);
        self.own("command", name).or_else(link).unwrap_or_else(|| apart(name))
    }
    pub(crate) fn status(&self, word: &str) -> String {
        self.word("status", word)
    }
    /// How a status feels: `good`, `bad`, `waiting` or `calm`; as the system says, or else as its last word does.
    pub(crate) fn tone(&self, status: &str) -> String {
        let said = self.phrases.say("en", &format!("words.tone.{status}"), &[]);
        said.unwrap_or_else(|| tone(status).to_owned())
    }
}

/// `orderStatus` is *Order status*; a word that is all capitals stays so.
fn apart(wire: &str) -> String {
    let mut words = String::with_capacity(wire.len() + 4);
    let mut before = None;
    for letter in wire.chars() {
        match (before, letter) {
            (None, letter) => words.extend(letter.to_uppercase()),
            (_, '_' | '-') => words.push(' '),
            (Some(before), letter) if char::is_lowercase(before) && letter.is_uppercase() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            (_, letter) => words.push(letter),
        }
        before = Some(letter);
    }
    words
}

/// By its last word: what was requested waits, whatever it was.
fn tone(status: &str) -> &'static str {
    const STEMS: &[(&str, &[&str])] = &[
        ("bad", &["cancel", "reject", "fail", "declin", "refus", "discard"]),
        ("waiting", &["pending", "request", "wait"]),
        ("good", &["complet", "paid", "accept", "approv", "deliver", "ready"]),
    ];
    let words = apart(status).to_lowercase();
    let last = words.rsplit(' ').next().unwrap_or_default();
    let found = STEMS.iter().find(|(_, stems)| stems.iter().any(|stem| last.starts_with(stem))).map(|(tone, _)| *tone);
    found.unwrap_or(if last.ends_with("ing") { "waiting" } else { "calm" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_word_without_a_translation_is_taken_apart_at_its_capitals() {
        for (wire, shown) in [
            ("orderStatus", "Order status"),
            ("id", "Id"),
            ("statusViews", "Status views"),
            ("FORCE_CANCELED", "FORCE CANCELED"),
            ("itemNo", "Item no"),
            ("", ""),
        ] {
            assert_eq!(apart(wire), shown);
        }
    }

    #[test]
    fn a_system_names_its_own_words_and_how_they_feel() {
        let system = "[words.status]\nReady = \"준비됨\"\n";
        let tones = "[words.tone]\nHeld = \"bad\"\n";
        let phrases = Arc::new(Phrases::new(&[("ko", system), ("en", tones)]).unwrap());
        let words = Words::new(&phrases, "ko");
        assert_eq!((words.status("Ready"), words.status("PaymentPending")), ("준비됨".to_owned(), "Payment pending".to_owned()));
        for (status, feels) in [
            ("Held", "bad"),
            ("CancelRequested", "waiting"),
            ("Refunding", "waiting"),
            ("PaymentFailed", "bad"),
            ("REQUEST_COMPLETED", "good"),
            ("Ordered", "calm"),
        ] {
            assert_eq!(words.tone(status), feels, "{status}");
        }
    }
}
