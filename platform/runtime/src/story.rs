//! The story of a case: what its contexts have said, tried and refused, how they stand, and what they still owe.
use crate::{
    document::shown,
    lately::{Passing, What},
    lifecycle::Running,
};
use jumun_model::{Case, Timestamp};
use jumun_store::{Fact, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What one context, or all of them, can tell of a case. Bodies are as the wire shows them, so they may name a person: for a door with a
/// role, never for a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The case.
    pub case: Case,
    /// How it stands: an aggregate's state, or what the case holds of a pool.
    pub states: Vec<Standing>,
    /// What happened, in order.
    pub happened: Vec<Happened>,
    /// What is owed now.
    pub waiting: Vec<Waiting>,
    /// What could not be taken in, and what waits behind it.
    pub aside: Vec<SetAside>,
    /// Contexts that do not run, and told nothing.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// How a case stands with one aggregate or pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The context.
    pub context: String,
    /// The aggregate or pool.
    pub aggregate: String,
    /// The aggregate's number: the case's own, but for a pool.
    pub number: u64,
    /// How many facts it has seen.
    pub version: u64,
    /// Whether clients see it.
    pub listed: bool,
    /// The wire's body, or the entry of a pool.
    pub state: Value,
}

/// Something that happened in a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// When; an ask, when it began.
    pub at: Timestamp,
    /// Where.
    pub context: String,
    /// What it is called: a fact, an ask, or the command that was refused.
    pub name: String,
    /// On whose behalf; none for an ask.
    pub by: Option<String>,
    /// What led to it: the id of a fact, or the key of an ask.
    pub because: Option<String>,
    /// What kind of thing it was.
    #[serde(flatten)]
    pub what: Kind,
}
/// What kind of thing happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Kind {
    /// A fact, from the journal.
    Fact {
        /// Its number in the journal.
        number: u64,
        /// Its id, unique for ever.
        id: String,
        /// Whether other contexts see it.
        public: bool,
        /// The fact itself.
        body: Value,
    },
    /// One try of an ask, as far as this process remembers.
    #[serde(rename_all = "camelCase")]
    Ask {
        /// Who was asked.
        to: String,
        /// Case and step: the same for every try.
        key: String,
        /// `answered`, `not sent` or `unknown`.
        outcome: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// A command that was refused, as far as this process remembers.
    Refusal {
        /// Why.
        code: String,
    },
}

/// What a case owes: an ask, or a command at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The context.
    pub context: String,
    /// The aggregate.
    pub aggregate: String,
    /// The ask's name, or the command's.
    pub step: String,
    /// Who is asked; none for a moment.
    pub to: Option<String>,
    /// When it is tried again, or the moment comes.
    pub due: Timestamp,
    /// How many tries were begun; none for a moment.
    pub tries: u32,
    /// Whether an earlier try may have been sent.
    pub maybe_sent: bool,
}

/// A fact that is set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetAside {
    /// The context that could not take it in.
    pub context: String,
    /// The policy or view.
    pub reaction: String,
    /// The fact's name.
    pub fact: String,
    /// Why.
    pub why: String,
    /// Its number among what is set aside in that context.
    pub number: u64,
}

impl Story {
    /// Of which nothing is known yet.
    pub fn of(case: Case) -> Self {
        Story { case, states: vec![], happened: vec![], waiting: vec![], aside: vec![], missing: vec![] }
    }
    /// Whether nobody knows anything of this case.
    pub fn is_unknown(&self) -> bool {
        self.states.is_empty() && self.happened.is_empty() && self.aside.is_empty()
    }
    /// One story of what several contexts tell: by time and, within a moment, causes first.
    pub fn told_by(case: Case, parts: impl IntoIterator<Item = Story>) -> Self {
        let mut whole = Story::of(case);
        for part in parts {
            whole.states.extend(part.states);
            whole.happened.extend(part.happened);
            whole.waiting.extend(part.waiting);
            whole.aside.extend(part.aside);
            whole.missing.extend(part.missing);
        }
        whole.find_causes();
        whole.happened.sort_by_key(|happened| happened.at);
        let asked = whole.asked();
        whole.happened.chunk_by_mut(|a, b| a.at == b.at).for_each(|moment| causes_first(moment, &asked));
        whole
    }

    /// An ask says not what led to it: another ask under the same key, if it is an errand on the way to an answer; else the fact at
    /// which its step began.
    fn find_causes(&mut self) {
        let causes: Vec<_> = self.happened.iter().map(|ask| ask.because.clone().or_else(|| self.cause_of(ask))).collect();
        for (happened, cause) in self.happened.iter_mut().zip(causes) {
            happened.because = cause;
        }
    }
    /// Who was asked, per key; an errand on the way to an answer has the key of the ask that it serves, and is none of these.
    fn asked(&self) -> BTreeMap<String, String> {
        let asks = self.happened.iter().filter_map(|ask| match &ask.what {
            Kind::Ask { to, key, .. } if ask.because.as_ref() != Some(key) => Some((key.clone(), to.clone())),
            _ => None,
        });
        asks.collect()
    }
    fn cause_of(&self, ask: &Happened) -> Option<String> {
        let Kind::Ask { key, .. } = &ask.what else { return None };
        let under_way =
            |other: &&Happened| matches!(&other.what, Kind::Ask { to, key: its, .. } if *to == ask.context && its == key);
        if self.happened.iter().any(|other| under_way(&other)) {
            return Some(key.clone());
        }
        self.happened.iter().find_map(|fact| match &fact.what {
            Kind::Fact { id, .. } if fact.context == ask.context && version(id) == version(key) => Some(id.clone()),
            _ => None,
        })
    }
}

/// The version in `order/order/7@3`, and in `order/7/charge@3`.
fn version(id: &str) -> Option<u64> {
    id.rsplit_once('@')?.1.parse().ok()
}

/// Whether the first of two things of one moment surely came first.
fn led_to(first: &Happened, second: &Happened, asked: &BTreeMap<String, String>) -> bool {
    let here = first.context == second.context;
    // what is done about an ask by who is asked, and then what the answer leads to
    let answered = || first.because.as_ref().and_then(|key| asked.get(key)) == Some(&first.context);
    if !here && first.because == second.because && answered() {
        return true;
    }
    match (&first.what, &second.what) {
        (Kind::Fact { id, .. } | Kind::Ask { key: id, .. }, _) if second.because.as_ref() == Some(id) => {
            // an errand and the ask that it serves have one key
            !matches!(&second.what, Kind::Ask { key, .. } if key == id) || !here
        }
        (Kind::Fact { number, .. }, Kind::Fact { number: later, .. }) => here && number < later,
        _ => false,
    }
}

/// Puts what led to something before it; what nothing is known of stays where it is.
fn causes_first(moment: &mut [Happened], asked: &BTreeMap<String, String>) {
    for place in 0..moment.len() {
        let waits = |index: usize, other: usize| other != index && led_to(&moment[other], &moment[index], asked);
        let free = |index: &usize| !(place..moment.len()).any(|other| waits(*index, other));
        let next = (place..moment.len()).find(free).unwrap_or(place);
        moment[place..=next].rotate_right(1);
    }
}

impl Running {
    /// Its part of the story of a case.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn story(&self, case: &Case) -> Result<Story, StoreError> {
        let (store, context) = (&self.core.store, self.core.context.to_owned());
        let facts = store.story(case).await?;
        let mut story = Story::of(case.clone());
        for kept in self.context().kept.iter() {
            let table = kept.table();
            let aggregate = table.name.to_owned();
            if kept.root() == case.root
                && let Some(document) = store.load(table.name, case.number).await?
            {
                let (number, version, listed) = (document.number, document.version, document.listed);
                let state = shown(number, &document.body).map_or(Value::Null, Value::Object);
                if let Some(attempt) = document.attempt {
                    let step = attempt.name().to_owned();
                    let (due, tries, maybe_sent) = (attempt.due, attempt.tries, attempt.sent);
                    let (context, aggregate) = (context.clone(), aggregate.clone());
                    story.waiting.push(Waiting { context, aggregate, step, to: Some(attempt.of), due, tries, maybe_sent });
                }
                if let Some(due) = document.moment {
                    let step = kept.at_its_moment(&document.body, case).unwrap_or_default();
                    let (context, aggregate) = (context.clone(), aggregate.clone());
                    story.waiting.push(Waiting { context, aggregate, step, to: None, due, tries: 0, maybe_sent: false });
                }
                story.states.push(Standing {
                    context: context.clone(),
                    aggregate: aggregate.clone(),
                    number,
                    version,
                    listed,
                    state,
                });
            }
            let entries = facts.iter().filter(|fact| fact.entry && *fact.source == *table.name).map(|fact| fact.number);
            for number in entries.collect::<BTreeSet<_>>() {
                if let Some(entry) = store.load_entry(table.name, number, case).await? {
                    let state = serde_json::from_str(&entry.body).unwrap_or_default();
                    let (context, aggregate, version) = (context.clone(), aggregate.clone(), entry.version);
                    story.states.push(Standing { context, aggregate, number, version, listed: false, state });
                }
            }
        }
        story.happened.extend(facts.iter().map(of_fact));
        story.happened.extend(self.core.lately.of(self.core.context, case).into_iter().map(of_passing));
        let asides = store.asides().await?.into_iter().filter(|aside| aside.fact.case == *case);
        story.aside.extend(asides.map(|aside| SetAside {
            context: context.clone(),
            reaction: aside.reader,
            fact: aside.fact.name.to_string(),
            why: aside.why,
            number: aside.number,
        }));
        Ok(story)
    }
}

fn of_fact(fact: &Fact) -> Happened {
    let body = serde_json::from_str(&fact.body).unwrap_or_default();
    Happened {
        at: fact.at,
        context: fact.context.to_string(),
        name: fact.name.to_string(),
        by: Some(fact.by.to_string()),
        because: fact.cause.as_deref().map(str::to_owned),
        what: Kind::Fact { number: fact.seq, id: fact.id(), public: fact.public, body },
    }
}
fn of_passing(Passing { at, context, what, .. }: Passing) -> Happened {
    let (name, by, because, what) = match what {
        What::Ask { of, name, key, outcome, took } => {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            (name.to_owned(), None, None, Kind::Ask { to: of.to_owned(), key, outcome: outcome.to_owned(), took_ms })
        }
        What::Refusal { command, code, by, cause } => {
            (command, Some(by.into_owned()), cause, Kind::Refusal { code: code.to_owned() })
        }
    };
    Happened { at, context: context.to_owned(), name, by, because, what }
}
