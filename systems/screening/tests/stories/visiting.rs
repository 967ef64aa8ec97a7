//! Everybody who has to do with hospitals: customers who ask for a seat, rename, repeat and cancel, an administrator who registers, edits and
//! closes, and an operator with days of their own. All they do comes from the seed.
use crate::invariants;
use futures_util::future::{join, join_all, join3};
use jumun_runtime::{
    Surroundings, System,
    door::{Call, Problem, Reply, Verb},
};
use jumun_screening::{Settings, system};
use jumun_sim::{Fates, Gone, Story, World, call};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

#[derive(Default)]
pub(crate) struct Visiting {
    /// A fixed sequence, rather than what the seed makes up.
    plain: bool,
    /// What somebody was told for good: the screening, and what it was told to be.
    pub(crate) told: RefCell<BTreeSet<(u64, &'static str)>>,
    /// What was seen of screenings that are over.
    pub(crate) over: RefCell<BTreeMap<u64, String>>,
    /// Hospitals that somebody was told are there, or are closed.
    pub(crate) hospitals: RefCell<BTreeMap<u64, bool>>,
    /// The capacity that somebody was told a hospital has now, and the name that a screening bears now.
    pub(crate) capacities: RefCell<BTreeMap<u64, u64>>,
    pub(crate) names: RefCell<BTreeMap<u64, String>>,
    pub(crate) fates: Fates,
}
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
async fn pause(world: &World, most: u64) {
    tokio::time::sleep(ms(world.below(most))).await;
}
const CONTEXTS: [&str; 5] = ["screening", "hospital", "reservation", "myPage", "marketing"];
/// Whose name several requests bear in the end.
pub(crate) const RETURNING: &str = "KIM";
const DATES: [&str; 2] = ["20200910", "20200911"];

impl Visiting {
    /// One hospital, two who ask for its one seat, one who cancels, and the hospital closes.
    pub(crate) fn plain() -> Self {
        Visiting { plain: true, ..Visiting::default() }
    }
    pub(crate) fn counting(fates: &Fates) -> Self {
        Visiting { fates: fates.clone(), ..Visiting::default() }
    }

    async fn register(&self, world: &World, id: Option<u64>, seats: u64) -> Option<u64> {
        let body = json!({ "id": id, "hospitalNm": "Samsung", "chkDate": DATES[0], "pcnt": seats });
        for _ in 0..20 {
            if let Ok(Ok(Reply::Opened(shape) | Reply::Done(shape))) =
                world.call("/hospitals", Verb::Open, call(None, body.clone())).await
            {
                self.hospitals.borrow_mut().entry(shape.number).or_default();
                return Some(shape.number);
            }
            pause(world, 300).await;
        }
        None
    }
    async fn resize(&self, world: &World, hospital: u64, seats: u64) {
        let resized = call(Some(hospital), json!({ "capacity": seats }));
        if let Ok(Ok(Reply::Done(_))) = world.call("/hospitals", Verb::Edit, resized).await {
            self.capacities.borrow_mut().insert(hospital, seats);
        }
    }
    async fn rename(&self, world: &World, number: u64, name: String) {
        let renamed = call(Some(number), json!({ "custNm": name }));
        if let Ok(Ok(Reply::Done(_))) = world.call("/screenings", Verb::Edit, renamed).await {
            self.names.borrow_mut().insert(number, name);
        }
    }
    async fn close(&self, world: &World, hospital: u64) {
        for _ in 0..20 {
            let closed = world.call("/hospitals", Verb::Command("close"), call(Some(hospital), Value::Null)).await;
            if matches!(closed, Ok(Ok(Reply::Done(_)))) {
                self.hospitals.borrow_mut().insert(hospital, true);
                return;
            }
            pause(world, 300).await;
        }
    }
    /// Asks for a seat, again and again under the same key as long as there is no answer.
    async fn request(&self, world: &World, name: &str, hospital: u64, date: &str) -> Option<u64> {
        let body = json!({ "hospitalId": hospital, "chkDate": date, "custNm": name });
        for _ in 0..4 {
            let ask = || Call { key: Some(name.to_owned()), ..call(None, body.clone()) };
            let one = world.call("/screenings", Verb::Open, ask());
            // the impatient press twice
            let answers = if world.below(4) == 0 {
                let (one, two) = join(one, world.call("/screenings", Verb::Open, ask())).await;
                vec![one, two]
            } else {
                vec![one.await]
            };
            let mut number = None;
            for answer in answers {
                match answer {
                    Ok(Ok(Reply::Opened(shape))) => {
                        self.told.borrow_mut().insert((shape.number, "booked"));
                        number = Some(shape.number);
                    }
                    Ok(Ok(Reply::Done(shape) | Reply::NotYet(shape))) => {
                        self.told.borrow_mut().insert((shape.number, "taken down"));
                        number = Some(shape.number);
                    }
                    Ok(Err(Problem { code, left: Some(left), .. })) if code != "no-answer" => number = Some(left),
                    Ok(Err(_)) | Err(Gone) => {}
                }
            }
            if number.is_some() {
                return number;
            }
            pause(world, 1_500).await;
        }
        None
    }
    async fn cancel(&self, world: &World, number: u64) {
        for _ in 0..1 + world.below(3) {
            let word = ["CANCELED", "Canceled"][world.below(2) as usize];
            let wish = json!({ "status": word });
            if let Ok(Ok(Reply::Done(_))) = world.call("/screenings", Verb::Edit, call(Some(number), wish)).await {
                self.told.borrow_mut().insert((number, "canceled"));
            }
            pause(world, 1_500).await;
        }
    }
    async fn customer(&self, world: &World, index: u64) {
        pause(world, 1_500).await;
        let name = format!("customer-{index}-");
        let known: Vec<u64> = self.hospitals.borrow().keys().copied().collect();
        let hospital =
            if known.is_empty() || world.below(12) == 0 { 77 } else { known[world.below(known.len() as u64) as usize] };
        let date = DATES[usize::from(world.below(10) == 0)];
        match world.below(5) {
            0 | 1 => drop(self.request(world, &name, hospital, date).await),
            2 => {
                if let Some(number) = self.request(world, &name, hospital, date).await {
                    pause(world, 2_000).await;
                    self.cancel(world, number).await;
                }
            }
            3 => {
                if let Some(number) = self.request(world, &name, hospital, date).await {
                    // some turn out to be one and the same, who returns
                    let name = if world.below(2) == 0 { RETURNING.to_owned() } else { format!("{name}renamed") };
                    self.rename(world, number, name).await;
                }
            }
            // somebody cancels while it is still being asked for
            _ => {
                let early = async {
                    pause(world, 1_500).await;
                    if let Some(number) = world.bodies("screening", "screening").into_keys().next_back() {
                        self.cancel(world, number).await;
                    }
                };
                join(self.request(world, &name, hospital, date), early).await;
            }
        }
    }
    async fn administrator(&self, world: &World) {
        for index in 0..1 + world.below(3) {
            let id = (world.below(3) == 0).then_some(50 + index);
            let Some(hospital) = self.register(world, id, world.below(4)).await else { continue };
            pause(world, 2_500).await;
            match world.below(4) {
                0 => self.close(world, hospital).await,
                1 => self.resize(world, hospital, world.below(4)).await,
                _ => {}
            }
        }
    }
    /// Contexts are stopped and started.
    async fn operator(&self, world: &World) {
        for _ in 0..world.below(3) {
            pause(world, 3_000).await;
            let stopped = CONTEXTS[world.below(CONTEXTS.len() as u64) as usize];
            world.stop(stopped).await;
            pause(world, 2_500).await;
            world.start(stopped).await;
        }
    }
    async fn one_seat(&self, world: &World) {
        let Some(hospital) = self.register(world, Some(50), 1).await else { return };
        let _ = self.register(world, Some(50), 1).await;
        let first = self.request(world, "customer-0-", hospital, DATES[0]).await;
        let _ = self.request(world, "customer-1-", hospital, DATES[0]).await;
        if let Some(number) = first {
            self.rename(world, number, "customer-0-renamed".to_owned()).await;
            self.cancel(world, number).await;
        }
        let _ = self.request(world, "customer-2-", hospital, DATES[0]).await;
        self.close(world, hospital).await;
        // whoever has a seat is told, while contexts may still die over it
        let told = || world.bodies("screening", "screening").values().all(|row| row["status"] != "REQUEST_COMPLETED");
        for _ in 0..100 {
            if told() {
                break;
            }
            tokio::time::sleep(ms(100)).await;
        }
        let _ = self.request(world, "customer-3-", hospital, DATES[0]).await;
    }
}

impl Story for Visiting {
    fn system(&mut self, _: &Surroundings<'_>) -> System {
        system(&Settings::default())
    }
    async fn play(&self, world: &World) {
        if self.plain {
            return self.one_seat(world).await;
        }
        let customers = (0..2 + world.below(5)).map(|index| self.customer(world, index));
        join3(self.administrator(world), join_all(customers), self.operator(world)).await;
    }
    fn rebuilt(&self) -> &'static [&'static str] {
        &["myPage", "marketing"]
    }
    fn always(&self, world: &World) -> Vec<String> {
        invariants::always(self, world)
    }
    fn settled(&self, world: &World) -> Vec<String> {
        invariants::settled(self, world)
    }
}
