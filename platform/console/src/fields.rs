//! One field of a row or a form, as its JSON Schema describes it: how it is shown, and how it is asked for.
use crate::words::Words;
use serde_json::{Map, Value};

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Number {
        least: Option<i64>,
        most: Option<i64>,
    },
    Won,
    Text,
    Time,
    Flag,
    Choice(Vec<String>),
    /// Lists and objects: shown as JSON, and asked for as JSON.
    Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// A value, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Nothing,
    Text(String),
    Number(String),
    /// The wire's own form, and one to read without a script.
    Time(String, String),
    Pill {
        word: String,
        tone: String,
    },
    Link(String),
}

impl Field {
    /// The fields of an object's schema, in its order.
    pub(crate) fn all(schema: &Value) -> Vec<Field> {
        let parts = schema["allOf"].as_array().map_or_else(|| std::slice::from_ref(schema), Vec::as_slice);
        let required = |name: &str| {
            parts.iter().any(|part| part["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name)))
        };
        let fields = parts.iter().filter_map(|part| part["properties"].as_object()).flatten();
        let fields = fields.filter(|(name, _)| !name.starts_with('_'));
        fields.map(|(name, schema)| Field { name: name.clone(), kind: kind(name, schema), required: required(name) }).collect()
    }

    pub(crate) fn cell(&self, value: Option<&Value>, words: &Words) -> Cell {
        let text = match value {
            None | Some(Value::Null) => return Cell::Nothing,
            Some(Value::String(text)) if text.is_empty() => return Cell::Nothing,
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(yes)) => return Cell::Text(words.say(if *yes { "yes" } else { "no" })),
            Some(other) => other.to_string(),
        };
        match &self.kind {
            Kind::Won => Cell::Number(won(&text, words)),
            Kind::Number { .. } => Cell::Number(text),
            Kind::Time => Cell::Time(text.clone(), plain_time(&text)),
            Kind::Choice(_) => Cell::Pill { word: words.status(&text), tone: words.tone(&text) },
            Kind::Text if text.starts_with("https://") || text.starts_with("http://") => Cell::Link(text),
            Kind::Text | Kind::Flag | Kind::Data => Cell::Text(text),
        }
    }

    /// What was typed into a form, as the wire wants it. What can not be read goes as it is, so that the door says what is wrong.
    pub(crate) fn read(&self, typed: &str) -> Value {
        let as_it_is = || Value::from(typed);
        match self.kind {
            Kind::Number { .. } | Kind::Won => typed.trim().parse::<u64>().map_or_else(|_| as_it_is(), Value::from),
            Kind::Flag => Value::from(typed == "true" || typed == "on"),
            Kind::Data => serde_json::from_str(typed).unwrap_or_else(|_| as_it_is()),
            Kind::Text | Kind::Time | Kind::Choice(_) => as_it_is(),
        }
    }

    /// How much a reader of a table wants to see it; the lowest first.
    pub(crate) fn weight(&self, keys: &[String]) -> u8 {
        match &self.kind {
            Kind::Choice(_) => 0,
            Kind::Won => 1,
            _ if keys.contains(&self.name) => 1,
            Kind::Number { .. } => 2,
            Kind::Time => 3,
            Kind::Text => 4,
            Kind::Flag => 5,
            Kind::Data => 9,
        }
    }
}

/// The object that a form describes; what was left empty is left out.
pub(crate) fn body(fields: &[Field], typed: &[(String, String)]) -> Value {
    let given = |field: &Field| {
        let (_, text) = typed.iter().find(|(name, _)| *name == field.name)?;
        (!text.trim().is_empty()).then(|| (field.name.clone(), field.read(text)))
    };
    Value::Object(fields.iter().filter_map(given).collect::<Map<_, _>>())
}

fn kind(name: &str, schema: &Value) -> Kind {
    let mut leaves = Vec::new();
    flatten(schema, &mut leaves);
    let is = |wanted: &str| leaves.iter().any(|leaf| types(leaf).next() == Some(wanted));
    let chosen = leaves.iter().flat_map(|leaf| leaf["enum"].as_array().into_iter().flatten().chain(leaf.get("const")));
    let chosen = chosen.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
    let bound = |bound: &str| leaves.iter().find_map(|leaf| leaf[bound].as_i64());
    let state = name.to_ascii_lowercase();
    if !chosen.is_empty() {
        Kind::Choice(chosen)
    } else if leaves.iter().any(|leaf| leaf["x-unit"] == "won") {
        Kind::Won
    } else if is("integer") || is("number") {
        Kind::Number { least: bound("minimum"), most: bound("maximum") }
    } else if leaves.iter().any(|leaf| leaf["format"] == "date-time") {
        Kind::Time
    } else if is("boolean") {
        Kind::Flag
    } else if is("string") && (state.ends_with("status") || state == "state") {
        Kind::Choice(Vec::new()) // a view repeats the word that another context chose
    } else if is("string") {
        Kind::Text
    } else {
        Kind::Data
    }
}
fn flatten<'a>(schema: &'a Value, leaves: &mut Vec<&'a Value>) {
    match schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        Some(variants) => variants.iter().for_each(|variant| flatten(variant, leaves)),
        None => leaves.push(schema),
    }
}
fn types(leaf: &Value) -> impl Iterator<Item = &str> {
    let of = &leaf["type"];
    let all = of.as_array().map_or_else(|| std::slice::from_ref(of), Vec::as_slice);
    all.iter().filter_map(Value::as_str).filter(|name| *name != "null")
}

fn won(digits: &str, words: &Words) -> String {
    let mut grouped = String::with_capacity(digits.len() + 8);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if words.korean() { format!("{grouped}원") } else { format!("₩{grouped}") }
}
/// `2026-01-02T03:04:05.678Z` to the minute, where no script turns it into the reader's time.
pub(crate) fn plain_time(wire: &str) -> String {
    match (wire.get(..10), wire.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => wire.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_http::Phrases;
    use serde_json::json;
    use std::sync::Arc;

    fn words(language: &str) -> Words {
        Words::new(&Arc::new(Phrases::platform()), language)
    }
    fn field(name: &str, schema: Value) -> Field {
        Field::all(&json!({ "properties": { name: schema } })).remove(0)
    }

    #[test]
    fn a_field_is_asked_for_as_its_schema_says() {
        let numeric = json!({ "anyOf": [{ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 9 }, { "type": "string", "pattern": "^[0-9]$" }] }, { "type": "null" }] });
        for (name, schema, kind) in [
            ("qty", numeric, Kind::Number { least: Some(1), most: Some(9) }),
            ("customerId", json!({ "type": ["string", "number", "null"] }), Kind::Text),
            ("amount", json!({ "type": ["integer", "null"], "x-unit": "won" }), Kind::Won),
            ("at", json!({ "type": "string", "format": "date-time" }), Kind::Time),
            ("closed", json!({ "type": "boolean" }), Kind::Flag),
            ("payStatus", json!({ "type": ["string", "null"] }), Kind::Choice(vec![])),
            ("kind", json!({ "oneOf": [{ "const": "A" }, { "enum": ["B"] }] }), Kind::Choice(vec!["A".into(), "B".into()])),
            ("lines", json!({ "type": "array" }), Kind::Data),
        ] {
            assert_eq!(field(name, schema).kind, kind, "{name}");
        }
    }

    #[test]
    fn an_amount_has_separators_and_its_sign_and_a_number_is_left_alone() {
        let amount = field("amount", json!({ "type": "integer", "x-unit": "won" }));
        for (amount_of, korean, english) in
            [(0, "0원", "₩0"), (999, "999원", "₩999"), (10_000, "10,000원", "₩10,000"), (1_234_567, "1,234,567원", "₩1,234,567")]
        {
            assert_eq!(amount.cell(Some(&json!(amount_of)), &words("ko")), Cell::Number(korean.into()));
            assert_eq!(amount.cell(Some(&json!(amount_of)), &words("en")), Cell::Number(english.into()));
        }
        assert_eq!(
            field("itemNo", json!({ "type": "integer" })).cell(Some(&json!(1001)), &words("en")),
            Cell::Number("1001".into())
        );
    }

    #[test]
    fn only_a_web_address_becomes_a_link() {
        let text = field("payUrl", json!({ "type": "string" }));
        assert_eq!(text.cell(Some(&json!("https://pay.example/1")), &words("en")), Cell::Link("https://pay.example/1".into()));
        assert_eq!(text.cell(Some(&json!("javascript:alert(1)")), &words("en")), Cell::Text("javascript:alert(1)".into()));
    }

    #[test]
    fn a_form_sends_what_was_filled_in_as_the_wire_wants_it() {
        let fields = Field::all(&json!({ "properties": {
            "itemNo": { "type": "integer" }, "note": { "type": "string" }, "qty": { "type": "integer" }, "gift": { "type": "boolean" },
        }}));
        let typed = [("itemNo", "1001"), ("note", "a b"), ("qty", " "), ("gift", "true"), ("unknown", "1")];
        let typed = typed.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(body(&fields, &typed), json!({ "itemNo": 1001, "note": "a b", "gift": true }));
        assert_eq!(body(&fields, &[("itemNo".to_owned(), "a lot".to_owned())]), json!({ "itemNo": "a lot" }));
    }
}
