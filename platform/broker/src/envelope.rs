//! A fact on its way: CloudEvents 1.0 in binary mode, and nothing that only we can read.
use jumun_model::Case;
use jumun_store::Fact;
use std::{fmt::Display, str::FromStr, sync::Arc};

/// What a fact looks like in a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The case: what has the same key keeps its order.
    pub key: String,
    /// Everything about the fact, by name. Attributes of CloudEvents begin with `ce_`.
    pub headers: Vec<(&'static str, String)>,
    /// The fact itself, as JSON.
    pub body: Arc<str>,
}

/// A record that is no fact of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// What is wrong with it, in one sentence.
    pub why: String,
    /// What it says, for a person to look at.
    pub body: String,
}

impl Envelope {
    /// Wraps a fact up.
    pub fn of(fact: &Fact) -> Self {
        let Fact { seq, context, source, number, entry, version, case, name, public: _, at, by, cause, trace, body } = fact;
        let mut headers = vec![
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", fact.id()),
            ("ce_source", format!("/{context}/{source}/{number}")),
            ("ce_type", name.to_string()),
            ("ce_time", at.to_string()),
            ("ce_subject", case.to_string()),
            ("ce_sequence", seq.to_string()),
            ("ce_version", version.to_string()),
            ("ce_correlation", case.to_string()),
            ("ce_actor", by.to_string()),
            ("content-type", "application/json".to_owned()),
            // by which the documents' consumers tell facts apart
            ("type", name.to_string()),
        ];
        headers.extend(entry.then(|| ("ce_entry", "true".to_owned())));
        headers.extend(cause.as_ref().map(|cause| ("ce_causation", cause.to_string())));
        headers.extend(trace.as_ref().map(|trace| ("ce_traceparent", trace.to_string())));
        Envelope { key: case.to_string(), headers, body: Arc::clone(body) }
    }

    /// Unwraps a fact; headers of others are passed over.
    ///
    /// # Errors
    /// A header is missing or can not be read. Whether the body makes sense is for whoever reads the fact.
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, body: &str) -> Result<Fact, Unreadable> {
        let headers = headers.into_iter().collect::<Vec<_>>();
        read(&headers, body).map_err(|why| Unreadable { why, body: body.to_owned() })
    }
}

fn read(headers: &[(&str, &str)], body: &str) -> Result<Fact, String> {
    let find = |name: &str| headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let need = |name: &str| find(name).ok_or_else(|| format!("it has no header {name}"));
    let version = need("ce_specversion")?;
    if version != "1.0" {
        return Err(format!("its ce_specversion is {version:?}, and not 1.0"));
    }
    let source = need("ce_source")?;
    let mut parts = source.strip_prefix('/').unwrap_or_default().split('/');
    let (Some(context), Some(aggregate), Some(number), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(format!("its ce_source {source:?} is not /context/aggregate/number"));
    };
    let fact = Fact {
        seq: parsed("ce_sequence", need("ce_sequence")?)?,
        context: context.into(),
        source: aggregate.into(),
        number: parsed("ce_source", number)?,
        entry: find("ce_entry") == Some("true"),
        version: parsed("ce_version", need("ce_version")?)?,
        case: parsed::<Case>("ce_subject", need("ce_subject")?)?,
        name: need("ce_type")?.into(),
        public: true,
        at: parsed("ce_time", need("ce_time")?)?,
        by: need("ce_actor")?.into(),
        cause: find("ce_causation").map(Arc::from),
        trace: find("ce_traceparent").map(Arc::from),
        body: body.into(),
    };
    let id = need("ce_id")?;
    if id == fact.id() { Ok(fact) } else { Err(format!("its ce_id is {id:?}, and what it says makes {}", fact.id())) }
}
fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|why| format!("its {name} {text:?} can not be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::said;

    fn open(envelope: &Envelope) -> Result<Fact, Unreadable> {
        Envelope::read(envelope.headers.iter().map(|(name, value)| (*name, value.as_str())), &envelope.body)
    }

    #[test]
    fn a_fact_arrives_as_it_was_sent() {
        let plain = Fact { cause: None, trace: None, ..said(7, 3) };
        let of_a_pool = Fact { entry: true, number: 2, ..said(7, 3) };
        for fact in [said(7, 3), plain, of_a_pool] {
            assert_eq!(open(&Envelope::of(&fact)).as_ref(), Ok(&fact));
        }
    }

    #[test]
    fn its_headers_are_those_of_cloudevents_and_of_the_documents() {
        let envelope = Envelope::of(&said(7, 3));
        let header = |name: &str| envelope.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str());
        let wanted = [
            ("ce_id", "lamps/lamp/7@3"),
            ("ce_source", "/lamps/lamp/7"),
            ("ce_type", "Lit"),
            ("ce_subject", "lamp/7"),
            ("ce_time", "1970-01-01T00:00:00.003Z"),
            ("content-type", "application/json"),
            ("type", "Lit"),
        ];
        for (name, value) in wanted {
            assert_eq!(header(name), Some(value), "{name}");
        }
        assert_eq!((envelope.key.as_str(), &*envelope.body), ("lamp/7", r#"{"eventType":"Lit","number":7}"#));
    }

    #[test]
    fn what_is_missing_or_makes_no_sense_is_named() {
        for (name, value, says) in [
            ("ce_sequence", None, "it has no header ce_sequence"),
            ("ce_specversion", Some("2.0"), "its ce_specversion is \"2.0\", and not 1.0"),
            ("ce_source", Some("/lamps"), "its ce_source \"/lamps\" is not /context/aggregate/number"),
            ("ce_time", Some("yesterday"), "its ce_time \"yesterday\" can not be read"),
            ("ce_subject", Some("lamp"), "its ce_subject \"lamp\" can not be read"),
            ("ce_id", Some("x"), "its ce_id is \"x\", and what it says makes lamps/lamp/7@3"),
        ] {
            let mut envelope = Envelope::of(&said(7, 3));
            envelope.headers.retain(|(other, _)| *other != name);
            envelope.headers.extend(value.map(|value| (name, value.to_owned())));
            let no = open(&envelope).unwrap_err();
            assert!(no.why.starts_with(says) && no.body == *envelope.body, "{name}: {no}");
        }
    }
}
