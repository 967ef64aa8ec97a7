//! Documents as JSON: written, searched for their keys, and as clients see them.
use jumun_model::hidden;
use serde::{
    Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::Arc};

/// The values of these top-level fields of a document, as text; everything else is passed over unread.
pub(crate) fn keys_of(body: &str, keys: &'static [&'static str]) -> Vec<Option<String>> {
    struct Keys(&'static [&'static str]);
    impl<'de> Visitor<'de> for Keys {
        type Value = Vec<Option<String>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Self::Value, M::Error> {
            let mut found = vec![None; self.0.len()];
            while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
                match self.0.iter().position(|key| *key == name) {
                    Some(index) => found[index] = text(fields.next_value()?),
                    None => drop(fields.next_value::<IgnoredAny>()?),
                }
            }
            Ok(found)
        }
    }
    fn text(value: Value) -> Option<String> {
        match value {
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }
    if keys.is_empty() {
        return Vec::new();
    }
    let none = |_| vec![None; keys.len()];
    serde_json::Deserializer::from_str(body).deserialize_map(Keys(keys)).unwrap_or_else(none)
}

pub(crate) fn json(value: &impl serde::Serialize) -> Arc<str> {
    Arc::from(serde_json::to_string(value).expect("states and facts are data"))
}

/// The body of a document as clients see it: with its number, without what only the rule needs.
pub(crate) fn shown(number: u64, body: &str) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_str(body).map(|fields| show(number, fields))
}
pub(crate) fn show(number: u64, mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.shift_remove(hidden());
    fields.shift_insert(0, "id".to_owned(), Value::from(number));
    fields
}
