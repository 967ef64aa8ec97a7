//! The board as Mermaid, as GitHub draws it: what contexts have to do with each other. What is nobody else's business (private facts,
//! outcomes of what an aggregate asked) is left to the picture.
use super::{Board, Link, Means, Zone, actor, aggregate, command, fact, policy, provider, view};
use std::fmt::Write;

/// The colours of the stickers, as on the wall; the letters are dark on a dark page too.
const COLOURS: [(&str, &str); 7] = [
    ("actor", "#ffffff"),
    ("aggregate", "#fff59d"),
    ("command", "#90caf9"),
    ("event", "#ffb74d"),
    ("policy", "#ce93d8"),
    ("view", "#a5d6a7"),
    ("external", "#f48fb1"),
];

impl Board {
    /// As Mermaid: commands, aggregates, public facts, policies and views by context; solid arrows ask, dotted ones are facts.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for role in &self.roles {
            line(&mut text, 1, &format!("{}([{}]):::actor", id(&actor(role)), quoted(role)));
        }
        for zone in &self.contexts {
            self.zone(&mut text, zone);
        }
        for name in &self.providers {
            line(&mut text, 1, &format!("{}[[{}]]:::external", id(&provider(name)), quoted(name)));
        }
        for (from, to) in chained(self.links(Means::Wishes)) {
            line(&mut text, 1, &format!("{from} --> {to}"));
        }
        for link in self.links(Means::Asks) {
            let asked = quoted(&link.labels.join(", "));
            line(&mut text, 1, &format!("{} ==>|{asked}| {}", id(&link.from), id(&link.to)));
        }
        let heard = self.links(Means::Follows).filter(|link| link.to.starts_with("policy:"));
        for (from, to) in chained(heard) {
            line(&mut text, 1, &format!("{from} -.-> {to}"));
        }
        for zone in &self.contexts {
            for green in &zone.views {
                for (publisher, _) in green.follows.iter().filter(|(_, facts)| !facts.is_empty()) {
                    let shown = id(&view(zone.name, green.name));
                    line(&mut text, 1, &format!("{} -.->|facts| {shown}", id(&inside(publisher))));
                }
            }
        }
        let zones: Vec<_> = self.contexts.iter().map(|zone| id(&inside(zone.name))).collect();
        line(&mut text, 1, &format!("class {} context", zones.join(",")));
        line(&mut text, 1, "classDef context fill:#8881,stroke:#8888");
        for (name, colour) in COLOURS {
            line(&mut text, 1, &format!("classDef {name} fill:{colour},stroke:#0003,color:#212121"));
        }
        text
    }

    fn zone(&self, text: &mut String, zone: &Zone) {
        line(
            text,
            1,
            &format!("subgraph {}[{}]", id(&format!("in:{}", zone.name)), quoted(&format!("{} · {}", zone.name, zone.rank))),
        );
        let mut sticker = |of: &str, label: &str, class: &str| {
            line(text, 2, &format!("{}[{}]:::{class}", id(of), quoted(label)));
            id(of)
        };
        let mut joins = Vec::new();
        for kept in &zone.aggregates {
            let mut wishes = Vec::new();
            for blue in &kept.commands {
                let name = command(zone.name, kept.name, &blue.name);
                // what somebody else sends; an outcome is the aggregate's own business
                if self.arrows.iter().any(|link| link.to == name) {
                    wishes.push(sticker(&name, &blue.name, "command"));
                }
            }
            let whole = sticker(&aggregate(zone.name, kept.name), kept.name, "aggregate");
            let mut says = Vec::new();
            for orange in zone.facts.iter().filter(|fact| fact.public && fact.of.first() == Some(&kept.name)) {
                says.push(sticker(&fact(zone.name, orange.name), orange.name, "event"));
            }
            let more = zone.facts.iter().filter(|fact| fact.public && fact.of.iter().skip(1).any(|of| *of == kept.name));
            says.extend(more.map(|orange| id(&fact(zone.name, orange.name))));
            joins.extend((!wishes.is_empty()).then(|| format!("{} --- {whole}", wishes.join(" & "))));
            joins.extend((!says.is_empty()).then(|| format!("{whole} --- {}", says.join(" & "))));
        }
        for lilac in &zone.policies {
            sticker(&policy(zone.name, lilac.name, lilac.publisher), lilac.name, "policy");
        }
        for green in &zone.views {
            sticker(&view(zone.name, green.name), green.name, "view");
        }
        let own = |link: &&Link| link.from.starts_with(&format!("policy:{}/", zone.name));
        joins.extend(chained(self.links(Means::Wants).filter(own)).map(|(from, to)| format!("{from} --> {to}")));
        joins.iter().for_each(|join| line(text, 2, join));
        line(text, 1, "end");
    }
}

/// One line for all arrows that end at the same sticker.
fn chained<'a>(links: impl Iterator<Item = &'a Link>) -> impl Iterator<Item = (String, String)> {
    let mut ends: Vec<(String, Vec<String>)> = Vec::new();
    for link in links {
        let (from, to) = (id(&link.from), id(&link.to));
        match ends.iter_mut().find(|(end, _)| *end == to) {
            Some((_, begins)) => begins.push(from),
            None => ends.push((to, vec![from])),
        }
    }
    ends.into_iter().map(|(to, begins)| (begins.join(" & "), to))
}

/// The context's own sticker.
fn inside(context: &str) -> String {
    format!("in:{context}")
}
/// A word that Mermaid takes for a name.
fn id(of: &str) -> String {
    of.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}
fn quoted(label: &str) -> String {
    format!("\"{}\"", label.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"))
}
fn line(text: &mut String, deep: usize, what: &str) {
    let _ = writeln!(text, "{:1$}{what}", "", deep * 2); // a String takes all
}
