//! A bell, and a chest of things: rules to try the tests of rules on.
use crate::NOON;
use jumun_model::{Aggregate, Ask, Case, Event, Kind, Occasion, Owes, Pool, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    panic::{UnwindSafe, catch_unwind},
    time::Duration,
};
use strum::{IntoStaticStr, VariantNames};

/// What a failing test says.
pub(crate) fn failure<T>(test: impl FnOnce() -> T + UnwindSafe) -> String {
    let why = catch_unwind(|| drop(test())).expect_err("it should have failed");
    why.downcast_ref::<String>().cloned().or_else(|| why.downcast_ref::<&str>().map(|why| (*why).to_owned())).unwrap()
}

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Bell {
    pub(crate) hung: bool,
    pub(crate) rung: u64,
}
#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub(crate) enum Do {
    Hang,
    Ring(u64),
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType")]
pub(crate) enum Fact {
    Hung { number: u64 },
    Rung { at: Timestamp, times: u64 },
}
impl Event for Fact {
    const CONTEXT: &'static str = "tower";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum No {
    #[error("there is no bell")]
    NotThere,
    #[error("it is worn out, or empty")]
    Worn,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::NotThere => "not-there",
            No::Worn => "worn",
        }
    }
    fn kind(&self) -> Kind {
        Kind::Conflict
    }
}
#[derive(Serialize, Deserialize)]
pub(crate) struct Fetch {
    pub(crate) bell: u64,
}
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Found {
    Rope(u64),
    Nothing,
}
impl Ask for Fetch {
    const OF: &'static str = "tower";
    const NAME: &'static str = "fetch";
    type Answer = Found;
}
impl Bell {
    pub(crate) fn status(&self) -> &'static str {
        if self.hung { "Hung" } else { "Absent" }
    }
}
impl Aggregate for Bell {
    const NAME: &'static str = "bell";
    const ROOT: &'static str = "bell";
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = u64;
    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        Ok(match (self.hung, command) {
            (false, Do::Hang) => vec![Fact::Hung { number: on.number }],
            (true, Do::Hang | Do::Ring(0)) => vec![],
            (false, Do::Ring(_)) => return Err(No::NotThere),
            (true, Do::Ring(times)) => vec![Fact::Rung { at: on.at, times }],
        })
    }
    fn evolve(&mut self, _: &Occasion, fact: &Fact) {
        match fact {
            Fact::Hung { .. } => self.hung = true,
            Fact::Rung { times, .. } => self.rung += times,
        }
    }
    fn owes(&self, case: &Case, &seconds: &u64) -> Owes<Do> {
        if !self.hung {
            return Owes::nothing();
        }
        Owes::ask(&Fetch { bell: case.number }, |found| match found {
            Found::Rope(times) => Some(Do::Ring(times)),
            Found::Nothing => None,
        })
        .until(NOON + Duration::from_secs(seconds), Do::Hang)
    }
    fn examples() -> Vec<Do> {
        vec![Do::Hang, Do::Ring(1)]
    }
}

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chest {
    pub(crate) left: u64,
}
#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub(crate) enum Take {
    One,
    Refill,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "eventType")]
pub(crate) enum Answer {
    Taken { root: u64, case: u64 },
    Refilled { root: u64 },
}
impl Event for Answer {
    const CONTEXT: &'static str = "cellar";
    const NAMES: &'static [&'static str] = Self::VARIANTS;
    fn name(&self) -> &'static str {
        self.into()
    }
}
impl Pool for Chest {
    const NAME: &'static str = "chest";
    type Entry = bool;
    type Command = Take;
    type Event = Answer;
    type Refusal = No;
    fn decide(&self, &taken: &bool, on: &Occasion, command: Take) -> Result<Vec<Answer>, No> {
        Ok(match command {
            Take::One if taken => vec![],
            Take::One if self.left == 0 => return Err(No::Worn),
            Take::One => vec![Answer::Taken { root: on.number, case: on.case.number }],
            Take::Refill => vec![Answer::Refilled { root: on.number }],
        })
    }
    fn evolve(&mut self, taken: &mut bool, _: &Occasion, fact: &Answer) {
        match fact {
            Answer::Taken { .. } => (self.left, *taken) = (self.left - 1, true),
            Answer::Refilled { .. } => self.left = 2,
        }
    }
}
