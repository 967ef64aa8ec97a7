//! A __name__: its state, what can be wished of it, what it says, and why not.
use crate::contract::__name__::Event as Fact;
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct __Name__ {
    pub text: String,
    pub status: Status,
    pub opened_at: Timestamp,
}
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
pub enum Status {
    #[default]
    Absent,
    Open,
    Closed,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Open { text: String },
    Close,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("text must not be empty")]
    Empty,
    #[error("there is no such __name__")]
    Unknown,
    #[error("it was opened before")]
    Opened,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Empty => "__name__-empty",
            No::Unknown => "unknown",
            No::Opened => "__name__-opened",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Empty => Kind::Invalid,
            No::Unknown => Kind::Missing,
            No::Opened => Kind::Conflict,
        }
    }
}

impl Aggregate for __Name__ {
    const NAME: &'static str = "__name__";
    const ROOT: &'static str = "__name__";
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Status::*;
        let id = on.number;
        Ok(match (self.status, command) {
            (Absent, Do::Open { text }) if text.trim().is_empty() => return Err(No::Empty),
            (Absent, Do::Open { text }) => vec![Fact::__Name__Opened { id, text, opened_at: on.at }],
            (Open, Do::Close) => vec![Fact::__Name__Closed { id }],
            (Closed, Do::Close) => vec![],
            (Absent, Do::Close) => return Err(No::Unknown),
            (Open | Closed, Do::Open { .. }) => return Err(No::Opened),
        })
    }

    fn evolve(&mut self, _: &Occasion, fact: &Fact) {
        match fact {
            Fact::__Name__Opened { text, opened_at, .. } => {
                *self = __Name__ { text: text.clone(), status: Status::Open, opened_at: *opened_at };
            }
            Fact::__Name__Closed { .. } => self.status = Status::Closed,
        }
    }

    fn examples() -> Vec<Do> {
        vec![Do::Open { text: "text".to_owned() }, Do::Close]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jumun_testkit::{NOON, check_table, given_facts, laws};

    fn states() -> Vec<(&'static str, __Name__)> {
        let opened = Fact::__Name__Opened { id: 7, text: "text".to_owned(), opened_at: NOON };
        let after = |facts: Vec<Fact>| given_facts::<__Name__>(facts).into_state();
        vec![
            ("Absent", __Name__::default()),
            ("Open", after(vec![opened.clone()])),
            ("Closed", after(vec![opened, Fact::__Name__Closed { id: 7 }])),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        let open = |text: &str| Do::Open { text: text.to_owned() };
        vec![("Open", open("text")), ("Open (empty)", open(" ")), ("Close", Do::Close)]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            |        | Open           | Open (empty)   | Close          |
            |--------|----------------|----------------|----------------|
            | Absent | __Name__Opened | !__name__-empty  | !unknown       |
            | Open   | !__name__-opened | !__name__-opened | __Name__Closed |
            | Closed | !__name__-opened | !__name__-opened | ∅              |
        ";
        check_table(table, states(), commands()).statuses(Status::VARIANTS, |it| it.status.into()).commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<__Name__>(commands().into_iter().map(|(_, command)| command))
            .users(|_| true)
            .not_repeatable(|command| matches!(command, Do::Open { .. }))
            .hold();
    }
}
