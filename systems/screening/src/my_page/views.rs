//! One row per screening.
use crate::contract::screening::{Event as Fact, Reason, Visit};
use jumun_model::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MyPage {
    pub screening_id: u64,
    #[serde(flatten)]
    pub visit: Visit,
    pub status: String,
    pub reason: Option<Reason>,
    pub update_date: Timestamp,
}
impl View for MyPage {
    const NAME: &'static str = "myPages";
    const KEYS: &'static [&'static str] = &["screeningId", "custNm", "status"];
    const ROOT: Option<&'static str> = Some("screening");
}

impl Follows<Fact> for MyPage {
    fn follow(&mut self, on: &Occasion, event: &Fact) {
        use Fact::*;
        (self.screening_id, self.update_date) = (on.case.number, on.at);
        let status = match event {
            Requested { visit, .. } => {
                self.visit = visit.clone();
                "REQUESTED"
            }
            RequestCompleted { .. } => "REQUEST_COMPLETED",
            Rejected { reason, .. } => {
                self.reason = Some(*reason);
                "REJECTED"
            }
            Canceled { .. } => "CANCELED",
            ForceCanceled { .. } => "FORCE_CANCELED",
            CustomerRenamed { cust_nm, .. } => return self.visit.cust_nm = cust_nm.clone(),
        };
        status.clone_into(&mut self.status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jumun_testkit::{NOON, covers};
    use std::time::Duration;

    fn follow(facts: &[Fact]) -> MyPage {
        let (case, by) = (Case::new("screening", 7), Caller::system());
        let mut row = MyPage::default();
        for (seconds, fact) in facts.iter().enumerate() {
            row.follow(&Occasion::new(&case, NOON + Duration::from_secs(seconds as u64), &by), fact);
        }
        row
    }

    #[test]
    fn a_row_says_how_its_screening_stands() {
        let [requested, completed, rejected, canceled, force_canceled, renamed] = &samples::screening()[..] else { panic!() };
        covers(samples::screening().iter().map(Event::name), Fact::NAMES);
        for (facts, status) in [
            (vec![requested], "REQUESTED"),
            (vec![requested, completed], "REQUEST_COMPLETED"),
            (vec![requested, rejected], "REJECTED"),
            (vec![requested, completed, canceled], "CANCELED"),
            (vec![requested, force_canceled], "FORCE_CANCELED"),
            (vec![requested, completed, renamed], "REQUEST_COMPLETED"),
        ] {
            let row = follow(&facts.into_iter().cloned().collect::<Vec<_>>());
            assert_eq!((row.status.as_str(), row.screening_id), (status, 7));
        }
    }

    #[test]
    fn a_row_says_who_is_examined_where_and_when() {
        let [requested, _, rejected, .., renamed] = &samples::screening()[..] else { panic!() };
        let row = follow(&[requested.clone(), rejected.clone()]);
        assert_eq!((row.visit, row.reason), (samples::visit(), Some(Reason::Full)));
        assert_eq!(row.update_date, NOON + Duration::from_secs(1));
        assert_eq!(follow(&[requested.clone(), renamed.clone()]).visit.cust_nm.0, "YOU");
    }
}
