//! What leaves no fact: asks tried and how they ended, commands refused. The newest of a process, in memory alone.
use crate::ports::lock;
use jumun_model::{Case, Timestamp};
use std::{borrow::Cow, collections::VecDeque, sync::Mutex, time::Duration};

/// How many are remembered.
const REMEMBERED: usize = 10_000;

/// What happened lately in the contexts of one process, beside their facts.
#[derive(Default)]
pub struct Lately(Mutex<VecDeque<Passing>>);

/// Something that leaves no fact.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    /// When it began.
    pub(crate) at: Timestamp,
    pub(crate) context: &'static str,
    pub(crate) case: Case,
    pub(crate) what: What,
}
#[derive(Clone, Debug)]
pub(crate) enum What {
    Ask { of: &'static str, name: &'static str, key: String, outcome: &'static str, took: Duration },
    Refusal { command: String, code: &'static str, by: Cow<'static, str>, cause: Option<String> },
}

impl Lately {
    pub(crate) fn note(&self, passing: Passing) {
        let mut newest = lock(&self.0);
        if newest.len() == REMEMBERED {
            newest.pop_front();
        }
        newest.push_back(passing);
    }
    /// What is remembered of a case in one context, in the order in which it ended.
    pub(crate) fn of(&self, context: &str, case: &Case) -> Vec<Passing> {
        lock(&self.0).iter().filter(|passing| passing.context == context && passing.case == *case).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ten_thousand_are_remembered() {
        let lately = Lately::default();
        for number in 1..=10_001 {
            let what = What::Refusal { command: "Take".to_owned(), code: "full", by: "someone".into(), cause: None };
            lately.note(Passing { at: Timestamp::EPOCH, context: "clinic", case: Case::new("booking", number), what });
        }
        let remembered = |number| lately.of("clinic", &Case::new("booking", number)).len();
        assert_eq!([1, 2, 10_001].map(remembered), [0, 1, 1]);
    }
}
