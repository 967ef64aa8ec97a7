//! A screening: a customer's wish to be examined, and the seat for it.
use crate::contract::{
    hospital::{Answer, NoSeat, TakeSeat},
    screening::{Event as Fact, Reason, Visit},
};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Screening {
    #[serde(flatten)]
    pub visit: Visit,
    pub status: Status,
    /// Why there is no seat for it.
    pub reason: Option<Reason>,
    pub requested_at: Timestamp,
}
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    #[default]
    Absent,
    Requested,
    RequestCompleted,
    Canceled,
    ForceCanceled,
    Rejected,
}

/// What is to be another way: of all that a client may send, only the name can be.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Edit {
    pub cust_nm: Option<Personal<String>>,
    pub hospital_id: Option<u64>,
    pub chk_date: Option<String>,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Request(Visit),
    Edit(Edit),
    Cancel,
    // outcomes of the ask for a seat
    Complete,
    Reject(Reason),
    GiveUp,
    // what became of the hospital
    ForceCancel,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum No {
    #[error("{field} must not be empty")]
    Empty { field: &'static str },
    #[error("{field} stays as it was requested")]
    Fixed { field: &'static str },
    #[error("the only status that can be wished for is CANCELED")]
    NotAWish,
    #[error("no seat is left")]
    Full,
    #[error("the hospital is closed")]
    HospitalClosed,
    #[error("there is no such hospital")]
    UnknownHospital,
    #[error("the hospital examines on another date")]
    OtherDate,
    #[error("the hospital does not answer; please try again")]
    NoAnswer,
    #[error("the screening was canceled")]
    Canceled,
    #[error("the screening was canceled because the hospital is closed")]
    ForceCanceled,
    #[error("this screening is closed")]
    Closed,
    #[error("there is no such screening")]
    Unknown,
}
impl Refusal for No {
    fn code(&self) -> &'static str {
        match self {
            No::Empty { .. } => "empty",
            No::Fixed { .. } => "fixed",
            No::NotAWish => "not-a-wish",
            No::Full => "full",
            No::HospitalClosed => "hospital-closed",
            No::UnknownHospital => "unknown-hospital",
            No::OtherDate => "other-date",
            No::NoAnswer => "no-answer",
            No::Canceled => "canceled",
            No::ForceCanceled => "force-canceled",
            No::Closed => "closed",
            No::Unknown => "unknown",
        }
    }
    fn kind(&self) -> Kind {
        match self {
            No::Empty { .. } | No::Fixed { .. } | No::NotAWish | No::OtherDate => Kind::Invalid,
            No::UnknownHospital | No::Unknown => Kind::Missing,
            No::Full | No::HospitalClosed | No::Canceled | No::ForceCanceled | No::Closed => Kind::Conflict,
            No::NoAnswer => Kind::Unavailable,
        }
    }
    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            No::Empty { field } | No::Fixed { field } => vec![("field", (*field).to_owned())],
            No::NotAWish => vec![("field", "status".to_owned())],
            _ => Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a request waits for its seat.
    pub seat_window: Duration,
}

impl Aggregate for Screening {
    const NAME: &'static str = "screening";
    const ROOT: &'static str = "screening";
    const KEYS: &'static [&'static str] = &["hospitalId", "custNm", "status"];
    type Command = Do;
    type Event = Fact;
    type Refusal = No;
    type Settings = Settings;

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
        use Status::*;
        let (id, hospital_id) = (on.number, self.visit.hospital_id);
        Ok(match (self.status, command) {
            (Absent, Do::Request(visit)) => vec![requested(id, visit)?],

            (Requested, Do::Complete) => vec![Fact::RequestCompleted { id, visit: self.visit.clone() }],
            (Requested, Do::Reject(reason)) => vec![Fact::Rejected { id, hospital_id, reason }],
            (Requested, Do::GiveUp) => vec![Fact::Rejected { id, hospital_id, reason: Reason::NoAnswer }],

            (Requested | RequestCompleted, Do::Cancel) => vec![Fact::Canceled { id, hospital_id }],
            (Requested | RequestCompleted, Do::ForceCancel) => vec![Fact::ForceCanceled { id, hospital_id }],
            (Requested | RequestCompleted, Do::Edit(edit)) => self.renamed(id, edit)?,

            (Absent, Do::Cancel | Do::Edit(_)) => return Err(No::Unknown),
            (_, Do::Cancel) => return self.canceled().map(|()| vec![]),
            (_, Do::Edit(_) | Do::Request(_)) => return Err(No::Closed),

            // what comes late changes nothing
            (_, Do::Complete | Do::Reject(_) | Do::GiveUp | Do::ForceCancel) => vec![],
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        match fact {
            Fact::Requested { visit, .. } => {
                *self = Screening { visit: visit.clone(), status: Status::Requested, reason: None, requested_at: on.at }
            }
            Fact::RequestCompleted { .. } => self.status = Status::RequestCompleted,
            Fact::Rejected { reason, .. } => (self.status, self.reason) = (Status::Rejected, Some(*reason)),
            Fact::Canceled { .. } => self.status = Status::Canceled,
            Fact::ForceCanceled { .. } => self.status = Status::ForceCanceled,
            Fact::CustomerRenamed { cust_nm, .. } => self.visit.cust_nm = cust_nm.clone(),
        }
    }

    /// The hospital is asked until the door would lose its patience; who gives up gives back what may have been taken.
    fn owes(&self, _: &Case, settings: &Settings) -> Owes<Do> {
        let Screening { visit, status, requested_at, .. } = self;
        if *status != Status::Requested {
            return Owes::nothing();
        }
        let seat = TakeSeat { hospital_id: visit.hospital_id, chk_date: visit.chk_date.clone() };
        Owes::ask(&seat, |answer| {
            Some(match answer {
                Answer::Taken => Do::Complete,
                Answer::Refused(NoSeat::Full) => Do::Reject(Reason::Full),
                Answer::Refused(NoSeat::Closed) => Do::Reject(Reason::Closed),
                Answer::Refused(NoSeat::Unknown) => Do::Reject(Reason::UnknownHospital),
                Answer::Refused(NoSeat::OtherDate) => Do::Reject(Reason::OtherDate),
                Answer::Refused(NoSeat::GivenBack) => Do::GiveUp,
            })
        })
        .if_not_sent(Do::GiveUp)
        .until(*requested_at + settings.seat_window, Do::GiveUp)
    }

    fn examples() -> Vec<Do> {
        let visit = Visit { hospital_id: 1, chk_date: "20200910".to_owned(), cust_nm: name("MOON"), hospital_nm: None };
        let edit = Edit { cust_nm: Some(name("YOU")), ..Edit::default() };
        let outcomes = [Do::Complete, Do::Reject(Reason::Full), Do::GiveUp];
        [Do::Request(visit), Do::Edit(edit), Do::Cancel].into_iter().chain(outcomes).chain([Do::ForceCancel]).collect()
    }
}

fn name(name: &str) -> Personal<String> {
    Personal(name.to_owned())
}
fn requested(id: u64, visit: Visit) -> Result<Fact, No> {
    let empty = [("chkDate", &visit.chk_date), ("custNm", &visit.cust_nm.0)].into_iter().find(|(_, text)| text.trim().is_empty());
    match empty {
        Some((field, _)) => Err(No::Empty { field }),
        None => Ok(Fact::Requested { id, visit }),
    }
}

impl Screening {
    fn renamed(&self, id: u64, edit: Edit) -> Result<Vec<Fact>, No> {
        if edit.hospital_id.is_some_and(|hospital| hospital != self.visit.hospital_id) {
            return Err(No::Fixed { field: "hospitalId" });
        }
        if edit.chk_date.is_some_and(|date| date != self.visit.chk_date) {
            return Err(No::Fixed { field: "chkDate" });
        }
        Ok(match edit.cust_nm {
            Some(cust_nm) if cust_nm.trim().is_empty() => return Err(No::Empty { field: "custNm" }),
            Some(cust_nm) if cust_nm != self.visit.cust_nm => vec![Fact::CustomerRenamed { id, cust_nm }],
            _ => vec![],
        })
    }
    /// How requesting it ended, once nothing is owed any more.
    pub fn placed(&self) -> Result<(), No> {
        match (self.status, self.reason) {
            (Status::Rejected, Some(Reason::Full)) => Err(No::Full),
            (Status::Rejected, Some(Reason::Closed)) => Err(No::HospitalClosed),
            (Status::Rejected, Some(Reason::UnknownHospital)) => Err(No::UnknownHospital),
            (Status::Rejected, Some(Reason::OtherDate)) => Err(No::OtherDate),
            (Status::Rejected, _) => Err(No::NoAnswer),
            (Status::Canceled, _) => Err(No::Canceled),
            (Status::ForceCanceled, _) => Err(No::ForceCanceled),
            _ => Ok(()),
        }
    }
    /// How cancelling it ended.
    pub fn canceled(&self) -> Result<(), No> {
        match self.status {
            Status::Canceled => Ok(()),
            Status::ForceCanceled => Err(No::ForceCanceled),
            _ => Err(No::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{both_languages_know, visit};
    use jumun_testkit::{Given, NOON, check_table, given, given_facts, laws, outcome};
    use serde_json::json;
    use strum::VariantNames;

    const WINDOW: Duration = Duration::from_millis(1_500);
    const REASONS: [Reason; 5] = [Reason::Full, Reason::Closed, Reason::UnknownHospital, Reason::OtherDate, Reason::NoAnswer];

    fn asked_for() -> Fact {
        Fact::Requested { id: 7, visit: visit() }
    }
    fn completed() -> Fact {
        Fact::RequestCompleted { id: 7, visit: visit() }
    }
    fn rejected(reason: Reason) -> Fact {
        Fact::Rejected { id: 7, hospital_id: 1, reason }
    }
    const CANCELED: Fact = Fact::Canceled { id: 7, hospital_id: 1 };
    const FORCED: Fact = Fact::ForceCanceled { id: 7, hospital_id: 1 };

    fn after(facts: impl IntoIterator<Item = Fact>) -> Screening {
        given_facts::<Screening>(facts).into_state()
    }
    fn states() -> Vec<(&'static str, Screening)> {
        vec![
            ("Absent", Screening::default()),
            ("Requested", after([asked_for()])),
            ("RequestCompleted", after([asked_for(), completed()])),
            ("Canceled", after([asked_for(), completed(), CANCELED])),
            ("Canceled (without a seat)", after([asked_for(), CANCELED])),
            ("ForceCanceled", after([asked_for(), completed(), FORCED])),
            ("Rejected", after([asked_for(), rejected(Reason::Full)])),
            ("Rejected (no answer)", after([asked_for(), rejected(Reason::NoAnswer)])),
        ]
    }
    fn edit(cust_nm: Option<&str>, hospital_id: Option<u64>, chk_date: Option<&str>) -> Do {
        Do::Edit(Edit { cust_nm: cust_nm.map(name), hospital_id, chk_date: chk_date.map(ToOwned::to_owned) })
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![
            ("Request", Do::Request(visit())),
            ("Edit (name)", edit(Some("YOU"), None, None)),
            ("Edit (nothing)", edit(Some("MOON"), Some(1), Some("20200910"))),
            ("Edit (hospital)", edit(None, Some(2), None)),
            ("Cancel", Do::Cancel),
            ("Complete", Do::Complete),
            ("Reject", Do::Reject(Reason::Full)),
            ("GiveUp", Do::GiveUp),
            ("ForceCancel", Do::ForceCancel),
        ]
    }

    #[test]
    fn the_table_on_the_wall_is_the_rule() {
        let table = "
            |                           | Request   | Edit (name)     | Edit (nothing) | Edit (hospital) | Cancel          | Complete         | Reject   | GiveUp   | ForceCancel   |
            |---------------------------|-----------|-----------------|----------------|-----------------|-----------------|------------------|----------|----------|---------------|
            | Absent                    | Requested | !unknown        | !unknown       | !unknown        | !unknown        | –                | –        | –        | –             |
            | Requested                 | !closed   | CustomerRenamed | ∅              | !fixed          | Canceled        | RequestCompleted | Rejected | Rejected | ForceCanceled |
            | RequestCompleted          | !closed   | CustomerRenamed | ∅              | !fixed          | Canceled        | ∅                | ∅        | ∅        | ForceCanceled |
            | Canceled                  | !closed   | !closed         | !closed        | !closed         | ∅               | ∅                | ∅        | ∅        | ∅             |
            | Canceled (without a seat) | !closed   | !closed         | !closed        | !closed         | ∅               | ∅                | ∅        | ∅        | ∅             |
            | ForceCanceled             | !closed   | !closed         | !closed        | !closed         | !force-canceled | ∅                | ∅        | ∅        | ∅             |
            | Rejected                  | !closed   | !closed         | !closed        | !closed         | !closed         | ∅                | ∅        | ∅        | ∅             |
            | Rejected (no answer)      | !closed   | !closed         | !closed        | !closed         | !closed         | ∅                | ∅        | ∅        | ∅             |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |screening| screening.status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Screening>(commands().into_iter().map(|(_, command)| command))
            .users(|command| matches!(command, Do::Request(_) | Do::Edit(_) | Do::Cancel))
            .not_repeatable(|command| matches!(command, Do::Request(_)))
            .hold();
    }

    #[test]
    fn a_request_asks_the_hospital_for_its_seat_until_its_window_closes_and_then_gives_up() {
        let waits = given(after([asked_for()])).with(Settings { seat_window: WINDOW });
        let owed = waits.owes("hospital.takeSeat").owes_at(NOON + WINDOW, Do::GiveUp).owed();
        let ask = owed.ask.as_ref().unwrap();
        assert_eq!(ask.body, json!({ "hospitalId": 1, "chkDate": "20200910" }));
        assert_eq!(ask.not_sent, Some(Do::GiveUp), "surely without effect, so nothing is to be waited for");
        // the window does not move with a new name
        waits.at(NOON + WINDOW / 2).when(edit(Some("YOU"), None, None)).then([renamed("YOU")]).owes_at(NOON + WINDOW, Do::GiveUp);
    }

    #[test]
    fn each_answer_of_the_hospital_ends_the_request_in_its_own_way() {
        let owed = given(after([asked_for()])).with(Settings { seat_window: WINDOW }).owed();
        for (answer, wish) in [
            (Answer::Taken, Do::Complete),
            (Answer::Refused(NoSeat::Full), Do::Reject(Reason::Full)),
            (Answer::Refused(NoSeat::Closed), Do::Reject(Reason::Closed)),
            (Answer::Refused(NoSeat::Unknown), Do::Reject(Reason::UnknownHospital)),
            (Answer::Refused(NoSeat::OtherDate), Do::Reject(Reason::OtherDate)),
            (Answer::Refused(NoSeat::GivenBack), Do::GiveUp),
        ] {
            assert_eq!(outcome(&owed, answer), Some(wish), "{answer:?}");
        }
    }

    #[test]
    fn only_what_waits_for_its_seat_owes_anything() {
        for (name, state) in states() {
            let owes = given(state.clone()).with(Settings { seat_window: WINDOW }).owed();
            assert_eq!(owes.is_nothing(), state.status != Status::Requested, "{name}");
        }
    }

    fn renamed(to: &str) -> Fact {
        Fact::CustomerRenamed { id: 7, cust_nm: name(to) }
    }
    #[test]
    fn of_a_screening_only_its_name_can_be_another_and_it_stays_to_the_end() {
        let stands = || given_facts::<Screening>([asked_for(), completed()]);
        let moved: Given<Screening> = stands().when(edit(Some("YOU"), Some(1), Some("20200910"))).then([renamed("YOU")]);
        assert_eq!((&*moved.state().visit.cust_nm.0, moved.state().status), ("YOU", Status::RequestCompleted));
        stands().when(edit(Some(" "), None, None)).refused(No::Empty { field: "custNm" });
        stands().when(edit(Some("YOU"), Some(2), None)).refused(No::Fixed { field: "hospitalId" });
        stands().when(edit(Some("YOU"), None, Some("20200911"))).refused(No::Fixed { field: "chkDate" });
        stands().when(edit(None, None, None)).then_nothing();
        // who is renamed while the seat is awaited has it under the new name
        let waits = given_facts::<Screening>([asked_for()]).when(edit(Some("YOU"), None, None)).then([renamed("YOU")]);
        let visit = Visit { cust_nm: name("YOU"), ..visit() };
        waits.when(Do::Complete).then([Fact::RequestCompleted { id: 7, visit }]);
    }

    #[test]
    fn a_request_that_says_nothing_is_refused_with_its_field() {
        let wish = |cust_nm: &str, chk_date: &str| {
            Do::Request(Visit { cust_nm: name(cust_nm), chk_date: chk_date.to_owned(), ..visit() })
        };
        given(Screening::default()).when(wish("", "20200910")).refused(No::Empty { field: "custNm" });
        given(Screening::default()).when(wish("MOON", " ")).refused(No::Empty { field: "chkDate" });
    }

    #[test]
    fn whoever_requested_it_is_told_how_it_stands() {
        let told: Vec<_> =
            states().into_iter().map(|(name, state)| (name, state.placed().map_err(|no| (no.code(), no.kind())))).collect();
        assert_eq!(
            told,
            [
                ("Absent", Ok(())),
                ("Requested", Ok(())),
                ("RequestCompleted", Ok(())),
                ("Canceled", Err(("canceled", Kind::Conflict))),
                ("Canceled (without a seat)", Err(("canceled", Kind::Conflict))),
                ("ForceCanceled", Err(("force-canceled", Kind::Conflict))),
                ("Rejected", Err(("full", Kind::Conflict))),
                ("Rejected (no answer)", Err(("no-answer", Kind::Unavailable))),
            ]
        );
        let why: Vec<_> = REASONS.map(|reason| after([asked_for(), rejected(reason)]).placed().unwrap_err().code()).into();
        assert_eq!(why, ["full", "hospital-closed", "unknown-hospital", "other-date", "no-answer"]);
    }

    #[test]
    fn whoever_cancelled_it_is_told_whether_it_could_be() {
        let told: Vec<_> =
            states().into_iter().map(|(name, state)| (name, state.canceled().map_err(|no| (no.code(), no.kind())))).collect();
        assert_eq!(
            told,
            [
                ("Absent", Err(("closed", Kind::Conflict))),
                ("Requested", Err(("closed", Kind::Conflict))),
                ("RequestCompleted", Err(("closed", Kind::Conflict))),
                ("Canceled", Ok(())),
                ("Canceled (without a seat)", Ok(())),
                ("ForceCanceled", Err(("force-canceled", Kind::Conflict))),
                ("Rejected", Err(("closed", Kind::Conflict))),
                ("Rejected (no answer)", Err(("closed", Kind::Conflict))),
            ]
        );
    }

    #[test]
    fn every_refusal_has_a_sentence_in_both_languages() {
        let wishing = [No::Empty { field: "custNm" }, No::Fixed { field: "chkDate" }, No::NotAWish, No::Closed];
        let ending = [No::Full, No::HospitalClosed, No::UnknownHospital, No::OtherDate, No::NoAnswer, No::Canceled];
        both_languages_know(wishing.iter().chain(&ending).chain(&[No::ForceCanceled]));
    }

    #[test]
    fn a_screening_reads_as_clients_know_it() {
        let visited = json!({ "hospitalId": 1, "hospitalNm": "Samsung", "chkDate": "20200910", "custNm": "MOON" });
        for (state, status, reason) in [
            (after([asked_for()]), "REQUESTED", None),
            (after([asked_for(), completed()]), "REQUEST_COMPLETED", None),
            (after([asked_for(), CANCELED]), "CANCELED", None),
            (after([asked_for(), FORCED]), "FORCE_CANCELED", None),
            (after([asked_for(), rejected(Reason::NoAnswer)]), "REJECTED", Some("no-answer")),
        ] {
            let mut known = visited.clone();
            (known["status"], known["reason"]) = (json!(status), json!(reason));
            known["requestedAt"] = json!("2026-01-01T12:00:00.000Z");
            assert_eq!(serde_json::to_value(state).unwrap(), known);
        }
    }
}
