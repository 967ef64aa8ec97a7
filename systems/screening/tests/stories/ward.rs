//! screening as a town, with its usual hospital and customers.
use jumun_http::Access;
use jumun_model::Case;
use jumun_runtime::{Chance, TokioClock};
use jumun_screening::{OFFER, Settings, system};
use jumun_testkit::{Answer, NEW_YEARS_EVE, Town};
use serde_json::{Value, json};
use std::{collections::BTreeSet, ops::Deref, sync::Arc};

pub(crate) const DATE: &str = "20200910";

pub(crate) struct Ward {
    town: Town,
}
impl Deref for Ward {
    type Target = Town;
    fn deref(&self) -> &Town {
        &self.town
    }
}

impl Ward {
    pub(crate) async fn new() -> Self {
        Ward::knowing(Access::Open).await
    }
    pub(crate) async fn knowing(access: Access) -> Self {
        let (clock, chance) = (Arc::new(TokioClock::at(NEW_YEARS_EVE)), Arc::new(Chance::seeded(7)));
        let town = Town::of(system(&Settings::default()), OFFER.phrases, clock, chance);
        Ward { town: town.knowing(access).up().await }
    }

    /// A hospital with that many seats; its number.
    pub(crate) async fn hospital(&self, seats: u64) -> u64 {
        let wish = json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": seats });
        let registered = self.write("POST", "/hospitals", wish).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        registered.number()
    }
    pub(crate) async fn request(&self, hospital: u64, name: &str) -> Answer {
        self.write("POST", "/screenings", json!({ "hospitalId": hospital, "chkDate": DATE, "custNm": name })).await
    }
    /// A screening that has its seat, and is known everywhere; its number.
    pub(crate) async fn screening(&self, hospital: u64, name: &str) -> u64 {
        let completed = self.request(hospital, name).await;
        assert_eq!((completed.status, completed.text("status")), (201, "REQUEST_COMPLETED"), "{completed:?}");
        self.settle().await;
        completed.number()
    }
    pub(crate) async fn edit(&self, number: u64, body: Value) -> Answer {
        self.write("PATCH", &format!("/screenings/{number}"), body).await
    }
    pub(crate) async fn cancel(&self, number: u64) -> Answer {
        self.edit(number, json!({ "status": "CANCELED" })).await
    }
    pub(crate) async fn close(&self, hospital: u64) -> Answer {
        self.send("DELETE", &format!("/hospitals/{hospital}"), &[], "".into()).await
    }
    /// Seats that are left, and all there are.
    pub(crate) async fn seats(&self, hospital: u64) -> (u64, u64) {
        let row = self.get(&format!("/hospitals/{hospital}")).await.body;
        (row["pcnt"].as_u64().unwrap(), row["capacity"].as_u64().unwrap())
    }
    pub(crate) async fn status(&self, number: u64) -> String {
        self.get(&format!("/screenings/{number}")).await.text("status").to_owned()
    }
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        self.get(&format!("{path}?size=1000")).await.rows()
    }
    /// What a context said of a screening, private facts too.
    pub(crate) async fn said(&self, context: &str, number: u64) -> Vec<String> {
        self.town.said(context, &screening(number)).await
    }

    /// Once everything is settled: whoever stands in one context stands in each, and every seat is one's or is left.
    pub(crate) async fn adds_up(&self) {
        self.settle().await;
        let standing = |rows: &[Value], number: &str| -> BTreeSet<u64> {
            let stands = rows.iter().filter(|row| row["status"] == "REQUEST_COMPLETED");
            stands.map(|row| row[number].as_u64().unwrap()).collect()
        };
        let screenings = self.all("/screenings").await;
        assert!(screenings.iter().all(|row| row["status"] != "REQUESTED"), "nothing waits any more: {screenings:?}");
        let completed = standing(&screenings, "id");
        let mut taken = BTreeSet::new();
        for fact in self.journal("hospital").await {
            match &*fact.name {
                "SeatTaken" => assert!(taken.insert(fact.case.number), "{} took two seats", fact.case),
                "SeatGivenBack" => assert!(taken.remove(&fact.case.number), "{} gave back what it had not", fact.case),
                _ => {}
            }
        }
        assert_eq!(taken, completed, "a seat for each screening, and a screening for each seat");
        for hospital in self.all("/hospitals").await {
            let held =
                screenings.iter().filter(|row| row["hospitalId"] == hospital["id"] && row["status"] == "REQUEST_COMPLETED");
            let (left, all) = (hospital["pcnt"].as_u64().unwrap(), hospital["capacity"].as_u64().unwrap());
            assert_eq!(left + held.count() as u64, all, "{hospital}");
        }
        assert_eq!(standing(&self.all("/reservations").await, "screeningId"), completed, "the book");
        let statuses = |rows: Vec<Value>, number: &str| -> BTreeSet<String> {
            rows.iter().map(|row| format!("{} {}", row[number], row["status"])).collect()
        };
        assert_eq!(statuses(self.all("/myPages").await, "screeningId"), statuses(screenings, "id"), "what customers see");
    }
}
pub(crate) fn screening(number: u64) -> Case {
    Case::new("screening", number)
}
