//! A reservation: a screening that has its seat, as it stands in the book.
use crate::contract::{
    reservation::{Event as Fact, Status},
    screening::Visit,
};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Reservation {
    pub screening_id: u64,
    #[serde(flatten)]
    pub visit: Visit,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Do {
    Enter(Visit),
    Rename(Personal<String>),
    Cancel,
    ForceCancel,
}

impl Aggregate for Reservation {
    const NAME: &'static str = "reservation";
    const ROOT: &'static str = "screening";
    const KEYS: &'static [&'static str] = &["screeningId", "hospitalId", "custNm"];
    type Command = Do;
    type Event = Fact;
    type Refusal = Never;
    type Settings = ();

    fn decide(&self, on: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
        use Status::*;
        let screening_id = on.number;
        let changed = |cust_nm: &Personal<String>, status| {
            vec![Fact::ReservationChanged { screening_id, cust_nm: cust_nm.clone(), status }]
        };
        Ok(match (self.status, command) {
            (Absent, Do::Enter(visit)) => vec![Fact::ReservationCompleted { screening_id, visit }],
            (RequestCompleted, Do::Rename(cust_nm)) if cust_nm != self.visit.cust_nm => changed(&cust_nm, RequestCompleted),
            // also of what was never in the book: it is remembered, so that nothing late puts it there
            (Absent | RequestCompleted, Do::Cancel) => changed(&self.visit.cust_nm, Canceled),
            (Absent | RequestCompleted, Do::ForceCancel) => changed(&self.visit.cust_nm, ForceCanceled),
            (_, Do::Enter(_) | Do::Rename(_) | Do::Cancel | Do::ForceCancel) => vec![],
        })
    }

    fn evolve(&mut self, on: &Occasion, fact: &Fact) {
        self.screening_id = on.number;
        match fact {
            Fact::ReservationCompleted { visit, .. } => (self.visit, self.status) = (visit.clone(), Status::RequestCompleted),
            Fact::ReservationChanged { cust_nm, status, .. } => (self.visit.cust_nm, self.status) = (cust_nm.clone(), *status),
        }
    }

    fn listed(&self) -> bool {
        self.visit.hospital_id > 0
    }

    fn examples() -> Vec<Do> {
        let name = |name: &str| Personal(name.to_owned());
        let visit = Visit { hospital_id: 1, chk_date: "20200910".to_owned(), cust_nm: name("MOON"), hospital_nm: None };
        vec![Do::Enter(visit), Do::Rename(name("YOU")), Do::Cancel, Do::ForceCancel]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::visit;
    use jumun_testkit::{check_table, given_facts, laws};
    use strum::VariantNames;

    fn entered() -> Fact {
        Fact::ReservationCompleted { screening_id: 7, visit: visit() }
    }
    fn changed(cust_nm: &str, status: Status) -> Fact {
        Fact::ReservationChanged { screening_id: 7, cust_nm: Personal(cust_nm.to_owned()), status }
    }
    fn states() -> Vec<(&'static str, Reservation)> {
        let after = |facts: Vec<Fact>| given_facts::<Reservation>(facts).into_state();
        vec![
            ("Absent", Reservation::default()),
            ("RequestCompleted", after(vec![entered()])),
            ("Canceled", after(vec![entered(), changed("MOON", Status::Canceled)])),
            ("Canceled (never entered)", after(vec![changed("", Status::Canceled)])),
            ("ForceCanceled", after(vec![entered(), changed("MOON", Status::ForceCanceled)])),
        ]
    }
    fn commands() -> Vec<(&'static str, Do)> {
        vec![
            ("Enter", Do::Enter(visit())),
            ("Rename", Do::Rename(Personal("YOU".to_owned()))),
            ("Rename (as it is)", Do::Rename(Personal("MOON".to_owned()))),
            ("Cancel", Do::Cancel),
            ("ForceCancel", Do::ForceCancel),
        ]
    }

    #[test]
    fn the_table_on_the_wall() {
        let table = "
            |                          | Enter                | Rename             | Rename (as it is) | Cancel             | ForceCancel        |
            |--------------------------|----------------------|--------------------|-------------------|--------------------|--------------------|
            | Absent                   | ReservationCompleted | ∅                  | ∅                 | ReservationChanged | ReservationChanged |
            | RequestCompleted         | ∅                    | ReservationChanged | ∅                 | ReservationChanged | ReservationChanged |
            | Canceled                 | ∅                    | ∅                  | ∅                 | ∅                  | ∅                  |
            | Canceled (never entered) | ∅                    | ∅                  | ∅                 | ∅                  | ∅                  |
            | ForceCanceled            | ∅                    | ∅                  | ∅                 | ∅                  | ∅                  |
        ";
        check_table(table, states(), commands())
            .statuses(Status::VARIANTS, |reservation| reservation.status.into())
            .commands(Do::VARIANTS);
    }

    #[test]
    fn whatever_happens_in_whatever_order_the_laws_hold() {
        laws::<Reservation>(commands().into_iter().map(|(_, command)| command)).hold();
    }

    #[test]
    fn what_was_never_in_the_book_is_not_seen_in_it() {
        let seen: Vec<_> = states().into_iter().map(|(name, state)| (name, state.listed())).collect();
        let never = ["Absent", "Canceled (never entered)"];
        assert!(seen.iter().all(|(name, listed)| *listed != never.contains(name)), "{seen:?}");
    }
}
