//! What one rule does, found by trying it: breadth first from nothing, with one of each wish, in every state that this leads to.
use crate::{document::json, keeping::Keeping};
use jumun_model::{Caller, Case, Event, Occasion, Owes, Refusal, Schema, SchemaGenerator, Timestamp};
use jumun_store::Fact;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// How many states of one rule are looked at; a rule that counts has no end of them.
const STATES: usize = 512;
/// How many different samples of one fact are kept.
const SAMPLES: usize = 64;
/// When everything happens: it is the state that tells two visits apart, not the time of day.
const NOON: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// What was found.
#[derive(Default)]
pub(crate) struct Explored {
    pub(crate) name: &'static str,
    pub(crate) pool: bool,
    /// Whose facts it says, and how all of them are called.
    pub(crate) publisher: &'static str,
    pub(crate) says: &'static [&'static str],
    /// How many states it can be in, as far as was looked.
    pub(crate) states: usize,
    pub(crate) wishes: Vec<Tried>,
    pub(crate) samples: Vec<Fact>,
    pub(crate) owed: Vec<Owed>,
    /// Commands that a moment brings.
    pub(crate) due: BTreeSet<String>,
    /// Commands over which the rule or its fold panics in some state.
    pub(crate) stumbles: BTreeSet<String>,
}
/// A wish, and what it can lead to.
pub(crate) struct Tried {
    pub(crate) name: String,
    pub(crate) facts: BTreeSet<&'static str>,
    pub(crate) refused: BTreeSet<&'static str>,
}
/// An ask that some state owes.
pub(crate) struct Owed {
    pub(crate) of: &'static str,
    pub(crate) ask: &'static str,
    pub(crate) questions: Vec<Value>,
    /// The wishes that do something while it is owed.
    pub(crate) moves: BTreeSet<String>,
}

/// The name of a command: the identifier with which its `Debug` begins, or what it is if it has none.
pub(crate) fn named<C: Debug>(command: &C) -> String {
    let shown = format!("{command:?}");
    let name = shown.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    if name.is_empty() { std::any::type_name::<C>().rsplit("::").next().unwrap_or_default().to_owned() } else { name.to_owned() }
}

/// What it gives; none if it stumbles over what it was tried with.
pub(crate) fn tried<T>(what: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(what)).ok()
}

/// Tries the rule.
pub(crate) fn explore<K: Keeping>(settings: &K::Settings) -> Explored {
    let (publisher, says) = (K::Event::CONTEXT, K::Event::NAMES);
    let mut found = Explored { name: K::NAME, pool: K::POOL, publisher, says, ..Explored::default() };
    let examples: Vec<_> = K::examples().into_iter().map(|command| (named(&command), command)).collect();
    for (name, _) in &examples {
        if !found.wishes.iter().any(|wish| wish.name == *name) {
            found.wishes.push(Tried { name: name.clone(), facts: BTreeSet::new(), refused: BTreeSet::new() });
        }
    }
    // a pool's commands come in a case of others and in its own
    let own = Case::new(K::ROOT, 1);
    let cases = if K::POOL { vec![Case::new("case", 7), own.clone()] } else { vec![own.clone()] };
    let by = Caller::system();
    let mut seen = BTreeSet::new();
    let mut next = VecDeque::from([(K::Root::default(), K::Entry::default())]);
    while let Some((root, entry)) = next.pop_front() {
        if found.states == STATES {
            break;
        }
        if !seen.insert((json(&root), json(&entry))) {
            continue;
        }
        found.states += 1;
        let owes = tried(|| K::owes(&root, &own, settings)).unwrap_or(Owes::nothing());
        let owed = found.owe(owes);
        for (name, command) in &examples {
            for case in &cases {
                let on = Occasion { case, number: own.number, at: NOON, by: &by, cause: None };
                let entries = K::POOL && *case != own;
                let mut after = (root.clone(), if entries { entry.clone() } else { K::Entry::default() });
                if found.stumbles.contains(name) {
                    continue; // once is enough
                }
                let Some(decided) = tried(|| K::decide(&after.0, &after.1, &on, command.clone())) else {
                    found.stumbles.insert(name.clone());
                    continue;
                };
                let wish = found.wishes.iter_mut().find(|wish| wish.name == *name).expect("each is there");
                let facts = match decided {
                    Ok(facts) => facts,
                    Err(no) => {
                        wish.refused.insert(no.code());
                        continue;
                    }
                };
                wish.facts.extend(facts.iter().map(Event::name));
                if let (Some(owed), false) = (owed, facts.is_empty()) {
                    found.owed[owed].moves.insert(name.clone());
                }
                found.sample::<K>(case, entries, &facts);
                let folded = tried(|| facts.iter().for_each(|fact| K::evolve(&mut after.0, &mut after.1, &on, fact)));
                if folded.is_none() {
                    found.stumbles.insert(name.clone());
                }
                if facts.is_empty() || folded.is_none() {
                    continue;
                }
                if K::POOL {
                    // as the next case finds it, and as this one does
                    next.push_back((after.0.clone(), K::Entry::default()));
                    after.1 = if entries { after.1 } else { entry.clone() };
                }
                next.push_back(after);
            }
        }
    }
    found
}

impl Explored {
    /// Notes what a state owes; which ask that is.
    fn owe<C: Debug>(&mut self, owes: Owes<C>) -> Option<usize> {
        self.due.extend(owes.moment.map(|moment| named(&moment.command)));
        let ask = owes.ask?;
        let known = self.owed.iter().position(|owed| (owed.of, owed.ask) == (ask.of, ask.name));
        let known = known.unwrap_or_else(|| {
            self.owed.push(Owed { of: ask.of, ask: ask.name, questions: Vec::new(), moves: BTreeSet::new() });
            self.owed.len() - 1
        });
        let owed = &mut self.owed[known];
        owed.moves.extend(ask.not_sent.as_ref().map(named));
        if !owed.questions.contains(&ask.body) && owed.questions.len() < SAMPLES {
            owed.questions.push(ask.body);
        }
        Some(known)
    }

    fn sample<K: Keeping>(&mut self, case: &Case, entry: bool, facts: &[K::Event]) {
        for (version, fact) in (1..).zip(facts) {
            let body = json(fact);
            let mut alike = self.samples.iter().filter(|sample| *sample.name == *fact.name());
            if alike.clone().any(|sample| sample.body == body) || alike.nth(SAMPLES - 1).is_some() {
                continue;
            }
            self.samples.push(Fact {
                seq: 0,
                context: Arc::from(self.publisher),
                source: Arc::from(self.name),
                number: 1,
                entry,
                version,
                case: case.clone(),
                name: Arc::from(fact.name()),
                public: fact.is_public(),
                at: NOON,
                by: Arc::from("system"),
                cause: None,
                trace: None,
                body,
            });
        }
    }
}

/// Bodies that a line of a door may well take, by its schema: one with everything, one with only what has to be there.
pub(crate) fn bodies(schema: fn(&mut SchemaGenerator) -> Schema) -> Vec<Value> {
    let mut to = SchemaGenerator::default();
    let schema = schema(&mut to).to_value();
    let known = to.definitions();
    [true, false].map(|all| body(&schema, known, all, 8)).to_vec()
}

fn body(schema: &Value, known: &Map<String, Value>, all: bool, deep: u32) -> Value {
    let into = |schema: &Value| if deep == 0 { Value::Null } else { body(schema, known, all, deep - 1) };
    if let Some(there) = schema["$ref"].as_str().and_then(|at| known.get(at.rsplit('/').next()?)) {
        return into(there);
    }
    if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(one) = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|of| schema[of].get(0)) {
        return into(one);
    }
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("object") => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = schema["properties"].as_object().into_iter().flatten();
            let fields = fields.filter(|(name, _)| all || required.iter().any(|known| known == *name));
            Value::Object(fields.map(|(name, schema)| (name.clone(), into(schema))).collect())
        }
        Some("array") => Value::Array(schema.get("items").map(into).into_iter().collect()),
        Some("integer" | "number") => schema["minimum"].as_u64().unwrap_or(1).max(1).into(),
        Some("string") if schema["format"] == "date-time" => NOON.to_string().into(),
        Some("string") => "x".into(),
        Some("boolean") => true.into(),
        _ => Value::Null,
    }
}
