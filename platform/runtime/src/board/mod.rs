//! The event-storming board of a system, found by probing its pure functions: every wish in every state, every fact through every
//! policy and view. Nothing of it is written down by hand, so it can not drift from the code.
mod explore;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;

pub(crate) use explore::{Explored, bodies, explore, named, tried};

use crate::{
    context::Context,
    door::Verb,
    lifecycle::{Inconsistent, System},
};
use jumun_store::Fact;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A system's board, as data.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// The system.
    pub system: &'static str,
    /// Its contexts, in its own order.
    pub contexts: Vec<Zone>,
    /// Pink: who is asked outside.
    pub providers: Vec<&'static str>,
    /// Who may wish something at a door.
    pub roles: Vec<&'static str>,
    /// What leads to what.
    pub arrows: Vec<Link>,
}

/// A context on the board.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Zone {
    /// Its name.
    pub name: &'static str,
    /// Its rank.
    pub rank: &'static str,
    /// Yellow: what it keeps.
    pub aggregates: Vec<Yellow>,
    /// Orange: what it says.
    pub facts: Vec<Orange>,
    /// Facts of its contract that no wish leads to.
    pub unreached: Vec<&'static str>,
    /// Lilac: what it does whenever others say something.
    pub policies: Vec<Lilac>,
    /// Green: what it shows.
    pub views: Vec<Green>,
}
/// An aggregate or pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Yellow {
    /// Its name.
    pub name: &'static str,
    /// Whether many cases share it.
    pub pool: bool,
    /// How many states its examples lead to, as far as was looked.
    pub states: usize,
    /// Blue: its wishes.
    pub commands: Vec<Blue>,
}
/// A command.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blue {
    /// Its name.
    pub name: String,
    /// The facts to which it can lead.
    pub facts: Vec<&'static str>,
    /// The codes with which it can be refused.
    pub refused: Vec<&'static str>,
    /// The asks of which it is an outcome: nobody else sends it, and it does something while they are owed.
    pub after: Vec<String>,
    /// Whether a moment brings it.
    pub due: bool,
}
/// A fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orange {
    /// Its name.
    pub name: &'static str,
    /// Whether other contexts see it.
    pub public: bool,
    /// Which aggregates say it.
    pub of: Vec<&'static str>,
    /// One of its kind.
    pub sample: Value,
}
/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lilac {
    /// Its name.
    pub name: &'static str,
    /// Whose facts it follows.
    pub publisher: &'static str,
    /// What it reaches.
    pub target: &'static str,
    /// Whenever this fact, then that command.
    pub wants: Vec<(&'static str, String)>,
}
/// A view.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Green {
    /// Its name.
    pub name: &'static str,
    /// Whose facts it follows, and which of them move a row.
    pub follows: Vec<(&'static str, Vec<&'static str>)>,
}

/// What an arrow says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Means {
    /// Somebody wishes this at a door.
    Wishes,
    /// A command leads to a fact.
    Says,
    /// A policy or view follows a fact.
    Follows,
    /// A policy wants a command.
    Wants,
    /// An aggregate asks a context or provider.
    Asks,
}
/// An arrow from one sticker to another; they are named `kind:context/name`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// What it says.
    pub means: Means,
    /// The lines of the door, or the asks.
    pub labels: Vec<String>,
}

fn actor(role: &str) -> String {
    format!("actor:{role}")
}
fn provider(name: &str) -> String {
    format!("provider:{name}")
}
fn aggregate(context: &str, name: &str) -> String {
    format!("aggregate:{context}/{name}")
}
fn command(context: &str, aggregate: &str, name: &str) -> String {
    format!("command:{context}/{aggregate}/{name}")
}
fn fact(context: &str, name: &str) -> String {
    format!("fact:{context}/{name}")
}
fn policy(context: &str, name: &str, publisher: &str) -> String {
    format!("policy:{context}/{name}<{publisher}")
}
fn view(context: &str, name: &str) -> String {
    format!("view:{context}/{name}")
}

/// A context, and what was found out about what it keeps.
struct Probed<'a> {
    context: &'a Context,
    kept: Vec<Explored>,
}
impl Probed<'_> {
    fn all(system: &System) -> Vec<Probed<'_>> {
        let probed = |context| Probed { context, kept: context.kept.iter().map(|kept| kept.explore()).collect::<Vec<_>>() };
        system.contexts.iter().map(probed).collect()
    }
    fn samples(&self) -> impl Iterator<Item = &Fact> {
        self.kept.iter().flat_map(|kept| &kept.samples)
    }
}
/// Facts of that publisher that this reader hears.
fn heard<'a>(all: &'a [Probed<'_>], publisher: &'a str, reader: &'a str) -> impl Iterator<Item = &'a Fact> {
    let samples = all.iter().flat_map(Probed::samples);
    samples.filter(move |fact| *fact.context == *publisher && (fact.public || publisher == reader))
}

impl System {
    /// Its board, found by trying everything that is pure.
    pub fn board(&self) -> Board {
        let all = Probed::all(self);
        let mut board = Board {
            system: self.name,
            contexts: all.iter().map(|probed| zone(&all, probed)).collect(),
            providers: self.providers.iter().map(|(name, _)| *name).collect(),
            roles: Vec::new(),
            arrows: Vec::new(),
        };
        for probed in &all {
            board.doors(probed.context);
            board.asks(&all, probed);
        }
        board.outcomes(&all);
        board.facts();
        board
    }

    /// What probing finds that does not hold together.
    pub(crate) fn check_by_probing(&self) -> Vec<Inconsistent> {
        let all = Probed::all(self);
        let mut found = Vec::new();
        for Probed { context, kept } in &all {
            for reaction in &context.parts.reactions {
                let (policy, publisher) = (reaction.name(), reaction.publisher());
                // only where all that the publisher may say was tried
                let said: Vec<_> = all.iter().flat_map(|other| &other.kept).filter(|kept| kept.publisher == publisher).collect();
                let known = !said.is_empty() && said.iter().all(|kept| !kept.wishes.is_empty());
                let mut heard = heard(&all, publisher, context.name);
                if known && !heard.any(|fact| tried(|| reaction.probe(&fact.body)).flatten().is_some()) {
                    found.push(Inconsistent::NeverWanted { context: context.name, policy, publisher });
                }
            }
            let stumbles = |kept: &Explored| -> Vec<_> {
                let stumbles = kept.stumbles.iter().cloned();
                stumbles.map(|command| Inconsistent::Stumbles { context: context.name, of: kept.name, command }).collect()
            };
            found.extend(kept.iter().flat_map(stumbles));
            let named: BTreeSet<_> = context.asks().into_iter().collect();
            let owed = kept.iter().flat_map(|kept| &kept.owed).filter(|owed| !named.contains(&(owed.of, owed.ask)));
            found.extend(owed.map(|owed| Inconsistent::NotNamed { context: context.name, of: owed.of, ask: owed.ask }));
        }
        found
    }
}

fn zone(all: &[Probed<'_>], probed: &Probed<'_>) -> Zone {
    let Probed { context, kept } = probed;
    let aggregates = kept.iter().map(|kept| Yellow {
        name: kept.name,
        pool: kept.pool,
        states: kept.states,
        commands: kept.wishes.iter().map(|wish| blue(kept, wish)).collect(),
    });
    let mut says: Vec<&'static str> = Vec::new();
    for name in kept.iter().flat_map(|kept| kept.says) {
        if !says.contains(name) {
            says.push(name);
        }
    }
    let orange = |&name: &&'static str| {
        let sample = probed.samples().find(|fact| *fact.name == *name)?;
        let of = kept.iter().filter(|kept| kept.samples.iter().any(|fact| *fact.name == *name)).map(|kept| kept.name).collect();
        Some(Orange { name, public: sample.public, of, sample: serde_json::from_str(&sample.body).unwrap_or_default() })
    };
    let facts: Vec<_> = says.iter().filter_map(orange).collect();
    let unreached = says.iter().copied().filter(|name| !facts.iter().any(|fact| fact.name == *name)).collect();
    let policies = context.parts.reactions.iter().map(|reaction| {
        let mut wants = Vec::new();
        for fact in heard(all, reaction.publisher(), context.name) {
            if let Some(command) = tried(|| reaction.probe(&fact.body)).flatten()
                && let Some(name) = name_of(all, fact)
                && !wants.contains(&(name, command.clone()))
            {
                wants.push((name, command));
            }
        }
        Lilac { name: reaction.name(), publisher: reaction.publisher(), target: reaction.target(), wants }
    });
    let policies = policies.collect();
    // an entry's facts come in cases of others: any root may be the one that the view knows
    let roots: BTreeSet<_> = all.iter().flat_map(Probed::samples).map(|fact| fact.case.root.clone()).collect();
    let views = context.shown.iter().map(|shown| {
        let moved = |fact: &Fact| {
            let cases = roots.iter().map(|root| jumun_model::Case { root: root.clone(), number: 7 });
            let mut cases = cases.filter(|_| fact.entry).chain([fact.case.clone()]);
            cases.any(|case| tried(|| shown.probe(&Fact { case, ..fact.clone() })).unwrap_or(false))
        };
        let follows = |publisher| {
            let mut facts = Vec::new();
            for fact in heard(all, publisher, context.name).filter(|fact| moved(fact)) {
                facts.extend(name_of(all, fact).filter(|name| !facts.contains(name)));
            }
            (publisher, facts)
        };
        Green { name: shown.seen().name, follows: shown.publishers().into_iter().map(follows).collect() }
    });
    let views = views.collect();
    let (name, rank) = (context.name, context.rank.as_str());
    Zone { name, rank, aggregates: aggregates.collect(), facts, unreached, policies, views }
}

fn blue(kept: &Explored, wish: &explore::Tried) -> Blue {
    let facts = kept.says.iter().copied().filter(|name| wish.facts.contains(name)).collect();
    let refused = wish.refused.iter().copied().collect();
    Blue { name: wish.name.clone(), facts, refused, after: Vec::new(), due: kept.due.contains(&wish.name) }
}

/// The fact's name, as its contract has it.
fn name_of(all: &[Probed<'_>], fact: &Fact) -> Option<&'static str> {
    let mut names = all.iter().flat_map(|probed| &probed.kept).flat_map(|kept| kept.says).copied();
    names.find(|name| **name == *fact.name)
}

impl Board {
    /// An arrow; of two that are the same but for their labels there is one.
    fn link(&mut self, from: String, to: String, means: Means, label: Option<String>) {
        let at = self.arrows.iter().position(|link| link.from == from && link.to == to && link.means == means);
        let at = at.unwrap_or_else(|| {
            self.arrows.push(Link { from, to, means, labels: Vec::new() });
            self.arrows.len() - 1
        });
        let labels = &mut self.arrows[at].labels;
        labels.extend(label.filter(|label| !labels.contains(label)));
    }

    /// The sticker of that command; one that no example named is added. The aggregate's own where it has no name.
    fn wished(&mut self, context: &'static str, of: &'static str, name: Option<String>) -> String {
        let Some(name) = name else { return aggregate(context, of) };
        let id = command(context, of, &name);
        let mut kept = self.contexts.iter_mut().filter(|zone| zone.name == context).flat_map(|zone| &mut zone.aggregates);
        if let Some(kept) = kept.find(|kept| kept.name == of)
            && !kept.commands.iter().any(|known| known.name == name)
        {
            kept.commands.push(Blue { name, facts: Vec::new(), refused: Vec::new(), after: Vec::new(), due: false });
        }
        id
    }

    fn doors(&mut self, context: &Context) {
        for door in context.doors() {
            for (line, (of, name)) in door.lines().iter().zip(door.commands()) {
                for role in &line.roles {
                    if !self.roles.contains(role) {
                        self.roles.push(role);
                    }
                }
                let label = match line.verb {
                    Verb::Open => format!("open {}", door.path()),
                    Verb::Command(name) => name.to_owned(),
                    Verb::Edit => format!("edit {}", door.path()),
                };
                let to = self.wished(context.name, of, name);
                for role in &line.roles {
                    self.link(actor(role), to.clone(), Means::Wishes, Some(label.clone()));
                }
            }
        }
        for reaction in &context.parts.reactions {
            let zone = self.contexts.iter().find(|zone| zone.name == context.name);
            let mut policies = zone.into_iter().flat_map(|zone| &zone.policies);
            let known = policies.find(|known| (known.name, known.publisher) == (reaction.name(), reaction.publisher()));
            let id = policy(context.name, reaction.name(), reaction.publisher());
            for (name, wanted) in known.map(|known| known.wants.clone()).unwrap_or_default() {
                let to = self.wished(context.name, reaction.target(), Some(wanted));
                self.link(fact(reaction.publisher(), name), id.clone(), Means::Follows, None);
                self.link(id.clone(), to, Means::Wants, None);
            }
        }
    }

    /// What it asks, by the wiring, and which command answers that, by trying the questions that its states owe.
    fn asks(&mut self, all: &[Probed<'_>], probed: &Probed<'_>) {
        let context = probed.context;
        for (kept, explored) in context.kept.iter().zip(&probed.kept) {
            let from = aggregate(context.name, explored.name);
            for (of, ask) in kept.asks() {
                if self.providers.contains(&of) {
                    self.link(from.clone(), provider(of), Means::Asks, Some(ask.to_owned()));
                    continue;
                }
                let Some(other) = all.iter().find(|other| other.context.name == of) else { continue };
                let Some(answers) = other.context.parts.answers.iter().find(|answers| answers.name() == ask) else { continue };
                let owed = explored.owed.iter().filter(|owed| (owed.of, owed.ask) == (of, ask));
                let names = owed.flat_map(|owed| &owed.questions).filter_map(|question| tried(|| answers.probe(question))?);
                let names: BTreeSet<_> = names.collect();
                let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
                for name in names {
                    let to = self.wished(other.context.name, answers.target(), name);
                    self.link(from.clone(), to, Means::Asks, Some(ask.to_owned()));
                }
            }
        }
    }

    /// What nobody sends is the outcome of the asks while which it does something.
    fn outcomes(&mut self, all: &[Probed<'_>]) {
        let sent: BTreeSet<_> = self.arrows.iter().map(|link| link.to.clone()).collect();
        for (zone, probed) in self.contexts.iter_mut().zip(all) {
            for (kept, explored) in zone.aggregates.iter_mut().zip(&probed.kept) {
                for blue in &mut kept.commands {
                    if !blue.due && !sent.contains(&command(zone.name, kept.name, &blue.name)) {
                        let after = explored.owed.iter().filter(|owed| owed.moves.contains(&blue.name));
                        blue.after = after.map(|owed| format!("{}.{}", owed.of, owed.ask)).collect();
                    }
                }
            }
        }
    }

    fn facts(&mut self) {
        for zone in self.contexts.clone() {
            for kept in &zone.aggregates {
                for blue in &kept.commands {
                    for name in &blue.facts {
                        let from = command(zone.name, kept.name, &blue.name);
                        self.link(from, fact(zone.name, name), Means::Says, None);
                    }
                }
            }
            for green in &zone.views {
                for (publisher, facts) in &green.follows {
                    for name in facts {
                        self.link(fact(publisher, name), view(zone.name, green.name), Means::Follows, None);
                    }
                }
            }
        }
    }

    /// The arrows that say this.
    pub fn links(&self, means: Means) -> impl Iterator<Item = &Link> {
        self.arrows.iter().filter(move |link| link.means == means)
    }
}
