//! What a system's readers see is in their own words.
use jumun_http::{Phrases, document};
use jumun_runtime::{
    System,
    door::{Collection, Verb},
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a console would show of a system in the wire's words, because its phrases have none of that language: `status Held`, say. It looks
/// at contexts, collections, fields, statuses, roles and commands, as the doors themselves describe them.
///
/// # Panics
/// If the phrases can not be read.
pub fn unspoken(system: &System, phrases: &[(&str, &str)], language: &str) -> BTreeSet<String> {
    let phrases = Phrases::new(phrases).expect("its phrases can be read");
    let mut shown = BTreeSet::new();
    for context in &system.contexts {
        shown.insert(("context", context.name.to_owned()));
        for door in context.doors() {
            shown.insert(("collection", door.path().trim_start_matches('/').to_owned()));
            for line in door.lines() {
                shown.extend(line.roles.iter().map(|role| ("role", (*role).to_owned())));
                if let Verb::Command(name) = line.verb {
                    shown.insert(("command", name.to_owned()));
                }
            }
            shown.extend(door.sight().roles().map(|role| ("role", role.to_owned())));
        }
        let doors = context.doors().iter().map(|door| &**door as &dyn Collection);
        let document = document(system.name, context.name, doors);
        let ours = |name: &str| context.doors().iter().any(|door| name.split('.').next() == door.path().strip_prefix('/'));
        let schemas = document["components"]["schemas"].as_object().expect("a document has schemas");
        schemas.iter().filter(|(name, _)| ours(name)).for_each(|(_, schema)| read(schema, schemas, &mut shown));
    }
    let said = |kind: &str, word: &str| phrases.say(language, &format!("{kind}.{word}"), &[]).is_some();
    let own = |kind: &str, word: &str| said(&format!("words.{kind}"), word) || (kind == "command" && said("links", word));
    shown.retain(|(kind, word)| !own(kind, word));
    shown.into_iter().map(|(kind, word)| format!("{kind} {word}")).collect()
}

/// The fields of a schema, and the words that they may hold.
fn read(schema: &Value, schemas: &Map<String, Value>, shown: &mut BTreeSet<(&str, String)>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if !name.starts_with('_') && name != "page" {
            shown.insert(("field", name.clone()));
            held(field, schemas, shown);
        }
    }
    schema["allOf"].as_array().into_iter().flatten().for_each(|part| read(part, schemas, shown));
}
fn held(field: &Value, schemas: &Map<String, Value>, shown: &mut BTreeSet<(&str, String)>) {
    let words = field["enum"].as_array().into_iter().flatten().chain(field.get("const"));
    shown.extend(words.filter_map(Value::as_str).map(|word| ("status", word.to_owned())));
    let named = field["$ref"].as_str().and_then(|path| schemas.get(path.rsplit('/').next()?));
    let parts = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|either| field[either].as_array()).flatten();
    parts.chain(named).for_each(|part| held(part, schemas, shown));
}
