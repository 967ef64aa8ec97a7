//! Tallies: what sums rows up says what they add up to, whatever dies meanwhile and however often a fact comes.
use super::{
    rig::*,
    toys::booking::{self, Fact},
};
use crate::{Context, Rank, per, rebuild::Progress, show};
use jumun_model::{Follows, Occasion, Tally, View};
use jumun_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// A booking, as far as it counts.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Stay {
    clinic: u64,
    added: u64,
    over: bool,
}
impl View for Stay {
    const NAME: &'static str = "stays";
}
impl Follows<Fact> for Stay {
    fn follow(&mut self, _: &Occasion, fact: &Fact) {
        match fact {
            Fact::Requested { clinic_id } => self.clinic = *clinic_id,
            Fact::Added { n } => self.added += n,
            Fact::Canceled { .. } | Fact::Rejected { .. } => self.over = true,
            Fact::Booked { .. } | Fact::Heard { .. } | Fact::Reminded {} | Fact::Stumbled {} => {}
        }
    }
}
/// What stands at a clinic; it is not shown while nothing does.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Load {
    clinic: u64,
    stays: u64,
    added: u64,
}
impl View for Load {
    const NAME: &'static str = "loads";
    const KEYS: &'static [&'static str] = &["clinic"];
    fn listed(&self) -> bool {
        self.stays > 0
    }
}
impl Tally<Stay> for Load {
    const BY: Option<&'static str> = Some("clinic");
    fn row(stay: &Stay) -> Option<String> {
        (stay.clinic > 0 && !stay.over).then(|| stay.clinic.to_string())
    }
    fn add(&mut self, stay: &Stay) {
        (self.clinic, self.stays, self.added) = (stay.clinic, self.stays + 1, self.added + stay.added);
    }
    fn take(&mut self, stay: &Stay) {
        (self.stays, self.added) = (self.stays - 1, self.added - stay.added);
    }
}
/// All clinics at which something stands.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Whole {
    clinics: u64,
    stays: u64,
}
impl View for Whole {
    const NAME: &'static str = "whole";
}
impl Tally<Load> for Whole {
    const BY: Option<&'static str> = None;
    fn row(load: &Load) -> Option<String> {
        (load.stays > 0).then(String::new)
    }
    fn add(&mut self, load: &Load) {
        (self.clinics, self.stays) = (self.clinics + 1, self.stays + load.stays);
    }
    fn take(&mut self, load: &Load) {
        (self.clinics, self.stays) = (self.clinics - 1, self.stays - load.stays);
    }
}

pub(super) fn context() -> Context {
    Context::named("census", Rank::Supporting, 8006)
        .shows(show::<Stay>("/loads").follows::<Fact>().summed_up(per::<Load>().in_all::<Whole>()))
}

/// What clients see of it, and the sum of all.
async fn shown(rig: &Rig) -> (Vec<Value>, Value) {
    rig.has_read("census", "stays", "booking").await;
    let mut rows = rig.rows("/loads").await;
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("id"))); // a rebuilt one may have another
    rows.sort_by_key(|row| row["clinic"].as_u64());
    let whole = rig.store("census").load("whole", 1).await.unwrap();
    (rows, whole.map_or(Value::Null, |whole| serde_json::from_str(&whole.body).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn sums_are_what_their_rows_add_up_to_whatever_crashes_and_rebuilt_they_are_the_same() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinics = [rig.clinic(9).await, rig.clinic(9).await];
    rig.sync = Some(Duration::from_millis(3));
    rig.start("census").await;
    let mut stands = BTreeMap::new();
    for number in 1..=12_u64 {
        let clinic = clinics[number as usize % 2];
        rig.book(clinic).await.unwrap();
        rig.patch("/bookings", number, json!({ "Add": number })).await.unwrap();
        stands.insert(number, (clinic, number));
        if number % 3 == 0 {
            rig.put("/bookings", number - 1, "cancel").await.unwrap();
            stands.remove(&(number - 1));
        }
        tokio::time::sleep(Duration::from_millis(number % 6)).await;
        rig.kill("census");
        rig.start("census").await;
    }
    let mut wanted = BTreeMap::<u64, (u64, u64)>::new();
    for (clinic, added) in stands.values() {
        let (stays, sum) = wanted.entry(*clinic).or_default();
        (*stays, *sum) = (*stays + 1, *sum + added);
    }
    let rows = wanted.iter().map(|(clinic, (stays, added))| json!({ "clinic": clinic, "stays": stays, "added": added }));
    let wanted = (rows.collect::<Vec<_>>(), json!({ "clinics": 2, "stays": stands.len() }));
    assert_eq!(shown(&rig).await, wanted);

    rig.kill("census");
    rig.wipe("census");
    rig.start("census").await;
    assert_eq!(shown(&rig).await, wanted, "from the first fact on");
    let census = rig.running("census");
    census.rebuild("stays").unwrap();
    until("it is rebuilt", async || census.rebuilding("stays").filter(|rebuild| rebuild.state == Progress::Done)).await;
    assert_eq!(shown(&rig).await, wanted, "beside the live one");
}

#[tokio::test(start_paused = true)]
async fn a_sum_of_nothing_is_not_shown_and_counts_again_when_something_comes() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    rig.start("census").await;
    let clinic = rig.clinic(9).await;
    rig.book(clinic).await.unwrap();
    rig.put("/bookings", 1, "cancel").await.unwrap();
    assert_eq!(shown(&rig).await, (vec![], json!({ "clinics": 0, "stays": 0 })));
    rig.book(clinic).await.unwrap();
    assert_eq!(shown(&rig).await.0, [json!({ "clinic": clinic, "stays": 1, "added": 0 })]);
}
