//! Rows, forms and tables, ready for the templates.
use crate::{
    fields::{Cell, Field, Kind},
    table::{Collection, Line},
    text,
    words::Words,
};
use askama::Template;
use serde_json::Value;

/// A row of a table.
#[derive(Template)]
#[template(path = "row.html")]
pub(crate) struct Row {
    pub(crate) id: String,
    at: String,
    cells: Vec<(String, Cell)>,
    /// Whether anything can ever be done here.
    acted: bool,
    acts: Vec<Form>,
}
impl Row {
    /// With the buttons of that role alone, or of all.
    pub(crate) fn of(collection: &Collection, row: &Value, words: &Words, role: Option<&str>) -> Self {
        let cells =
            collection.columns().into_iter().map(|field| (words.field(&field.name), field.cell(row.get(&field.name), words)));
        Row {
            id: row["id"].to_string(),
            at: format!("{}/{}", collection.at(), row["id"]),
            cells: cells.collect(),
            acted: acted(collection, role),
            acts: acts(collection, row, words, role),
        }
    }
}

fn acted(collection: &Collection, role: Option<&str>) -> bool {
    collection.commands.iter().any(|line| role.is_none_or(|role| line.is_for(role)))
}
/// What can be done with a row now: its links.
pub(crate) fn acts(collection: &Collection, row: &Value, words: &Words, role: Option<&str>) -> Vec<Form> {
    let links = row["_links"].as_object().into_iter().flatten().filter(|(name, _)| *name != "self");
    let act = |(name, link): (&String, &Value)| {
        let line = collection.command(name);
        if role.is_some_and(|role| !line.is_some_and(|line| line.is_for(role))) {
            return None;
        }
        let label = link["title"].as_str().map_or_else(|| words.command(name), str::to_owned);
        let fields = line.map_or(&[][..], |line| &line.fields);
        let action = format!("{}/{}/{name}", collection.at(), row["id"]);
        Some(Form { tone: words.tone(name), ..Form::new(name, label, action, fields, &[], words) })
    };
    links.filter_map(act).collect()
}

/// One thing to fill in.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) required: bool,
    pub(crate) value: String,
    pub(crate) wrong: bool,
    pub(crate) as_a: As,
}
/// How it is asked for.
pub(crate) enum As {
    Number {
        least: Option<i64>,
        most: Option<i64>,
    },
    Text,
    Flag,
    /// The word on the wire, and the reader's.
    Choice(Vec<(String, String)>),
}
impl Input {
    fn new(form: &str, field: &Field, typed: &[(String, String)], words: &Words) -> Self {
        let as_a = match &field.kind {
            Kind::Number { least, most } => As::Number { least: *least, most: *most },
            Kind::Won => As::Number { least: Some(0), most: None },
            Kind::Flag => As::Flag,
            Kind::Choice(wire) if !wire.is_empty() => {
                As::Choice(wire.iter().map(|word| (word.clone(), words.status(word))).collect())
            }
            Kind::Text | Kind::Time | Kind::Choice(_) | Kind::Data => As::Text,
        };
        let value = typed.iter().find(|(name, _)| *name == field.name).map(|(_, text)| text.clone()).unwrap_or_default();
        Input {
            id: format!("{form}-{}", field.name),
            label: words.field(&field.name),
            name: field.name.clone(),
            required: field.required,
            value,
            wrong: false,
            as_a,
        }
    }
}

/// A form: a button, with fields before it if the wish has any.
#[derive(Template)]
#[template(path = "form.html")]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) action: String,
    pub(crate) inputs: Vec<Input>,
    /// With which it is sent once; empty where a repeat changes nothing anyway.
    pub(crate) key: String,
    pub(crate) tone: String,
    pub(crate) said: Option<Said>,
    words: Words,
}
impl Form {
    pub(crate) fn new(
        name: &str,
        label: String,
        action: String,
        fields: &[Field],
        typed: &[(String, String)],
        words: &Words,
    ) -> Self {
        let at = action.trim_start_matches("/app/").replace('/', "-");
        Form {
            inputs: fields.iter().map(|field| Input::new(&at, field, typed, words)).collect(),
            name: name.to_owned(),
            label,
            action,
            key: String::new(),
            tone: "calm".to_owned(),
            said: None,
            words: words.clone(),
        }
    }
    /// The form that opens a new one.
    pub(crate) fn open(collection: &Collection, line: &Line, typed: &[(String, String)], key: String, words: &Words) -> Self {
        let label = words.own("open", &collection.name).unwrap_or_else(|| words.say("open"));
        Form { key, tone: "main".to_owned(), ..Form::new("open", label, collection.at(), &line.fields, typed, words) }
    }
    /// With what was said about it, next to the field that is meant.
    pub(crate) fn answer(&mut self, said: Said, field: &str) {
        for input in &mut self.inputs {
            input.wrong = input.name == field;
        }
        self.said = Some(said);
    }
}

/// A sentence next to a button.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) tone: &'static str,
    pub(crate) sentence: String,
}
impl Said {
    pub(crate) fn no(sentence: String) -> Self {
        Said { tone: "bad", sentence }
    }
}

/// A table that changes while it is looked at.
pub(crate) struct Table {
    pub(crate) heads: Vec<(String, bool)>,
    pub(crate) rows: Vec<Row>,
    /// Where its changes come from.
    pub(crate) live: String,
    /// Whether new rows appear at its top.
    pub(crate) grows: bool,
    pub(crate) acted: bool,
    /// What all rows sum up to.
    pub(crate) totals: Vec<(String, Cell)>,
}
impl Table {
    pub(crate) fn of(
        collection: &Collection,
        page: &Value,
        words: &Words,
        role: Option<&str>,
        live: String,
        grows: bool,
    ) -> Self {
        let rows = page["_embedded"][&collection.name].as_array().map(Vec::as_slice).unwrap_or_default();
        let heads = collection
            .columns()
            .into_iter()
            .map(|field| (words.field(&field.name), matches!(field.kind, Kind::Won | Kind::Number { .. })));
        Table {
            heads: heads.collect(),
            rows: rows.iter().map(|row| Row::of(collection, row, words, role)).collect(),
            live,
            grows,
            acted: acted(collection, role),
            totals: collection
                .totals
                .iter()
                .filter_map(|field| Some((words.field(&field.name), field.cell(Some(page.get(&field.name)?), words))))
                .collect(),
        }
    }
}

/// Everything about one: its fields with their names.
pub(crate) fn details(collection: &Collection, row: &Value, words: &Words) -> Vec<(String, Cell)> {
    let fields = collection.fields.iter().filter(|field| field.name != "id");
    fields.map(|field| (words.field(&field.name), field.cell(row.get(&field.name), words))).collect()
}

/// A link to a page and what it is called.
pub(crate) struct To {
    pub(crate) href: String,
    pub(crate) label: String,
}
impl To {
    pub(crate) fn collection(collection: &Collection, words: &Words) -> Self {
        To { href: collection.at(), label: words.collection(&collection.name) }
    }
}

/// The state word of an operator's JSON, with how it feels.
pub(crate) fn breaker(state: &Value) -> (String, String, String) {
    let word = text(state, "state");
    let tone = match word {
        "closed" => "good",
        "open" => "bad",
        _ => "waiting",
    };
    (text(state, "to").to_owned(), word.to_owned(), tone.to_owned())
}
