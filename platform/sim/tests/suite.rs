//! The suite of crashes: a clinic whose seats bookings share, a post for those who get none, readers and operators who look. In each test a context dies before and
//! after every single call at one site; whatever was acknowledged is there, and all that is owed is done.
use futures_util::future::{BoxFuture, join};
use jumun_model::*;
use jumun_runtime::{
    Answering, Asked, Context, Rank, Surroundings, System, Unanswered,
    door::{Call, Reply, Verb, collection, pool_collection},
    keep, keep_pool,
};
use jumun_sim::{Gone, Outcome, Plan, SITES, SUITE, Story, Tally, When, World, all, call, run};
use jumun_store::Waiting;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use strum::{IntoStaticStr, VariantNames};

mod clinic {
    use super::*;

    #[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Clinic {
        pub(crate) seats: u64,
        pub(crate) left: u64,
        pub(crate) closed: bool,
    }
    /// What one booking holds here.
    #[derive(Clone, Copy, Default, Debug, Serialize, Deserialize)]
    pub(crate) enum Seat {
        #[default]
        None,
        Taken,
        GivenBack,
    }
    #[derive(Clone, Debug)]
    pub(crate) enum Do {
        Open(u64),
        Close,
        Take,
        GiveBack,
    }
    #[derive(Clone, Debug, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(crate) enum Fact {
        Opened { seats: u64 },
        Closed { clinic: u64 },
        SeatTaken {},
        SeatGivenBack {},
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "clinic";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    impl Pool for Clinic {
        const NAME: &'static str = "clinic";
        type Entry = Seat;
        type Command = Do;
        type Event = Fact;
        type Refusal = Never;
        fn decide(&self, seat: &Seat, on: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
            Ok(match (seat, command) {
                (_, Do::Open(seats)) => vec![Fact::Opened { seats }],
                (_, Do::Close) if !self.closed => vec![Fact::Closed { clinic: on.number }],
                (Seat::None, Do::Take) if self.left > 0 => vec![Fact::SeatTaken {}],
                (Seat::Taken, Do::GiveBack) => vec![Fact::SeatGivenBack {}],
                (_, Do::Close | Do::Take | Do::GiveBack) => vec![],
            })
        }
        fn evolve(&mut self, seat: &mut Seat, _: &Occasion, fact: &Fact) {
            match fact {
                Fact::Opened { seats } => (self.seats, self.left) = (*seats, *seats),
                Fact::Closed { .. } => self.closed = true,
                Fact::SeatTaken {} => (self.left, *seat) = (self.left - 1, Seat::Taken),
                Fact::SeatGivenBack {} => (self.left, *seat) = (self.left + 1, Seat::GivenBack),
            }
        }
    }
    #[derive(Serialize, Deserialize)]
    pub(crate) struct Take(pub(crate) u64);
    impl Ask for Take {
        const OF: &'static str = "clinic";
        const NAME: &'static str = "take";
        type Answer = bool;
    }
    #[derive(Deserialize, schemars::JsonSchema)]
    struct Wished {
        seats: u64,
    }
    pub(crate) fn context() -> Context {
        let door = pool_collection::<Clinic>("/clinics")
            .opens("operator", |body: Wished| Ok(Do::Open(body.seats)), |_| Ok(()))
            .command("close", "operator", || Do::Close, |_| Ok(()));
        let keeps = keep_pool::<Clinic>()
            .answers::<Take>(|ask| (ask.0, Do::Take), |seat| matches!(seat, Ok(Seat::Taken)))
            .whenever("GiveBackSeat", |fact: &booking::Fact| match fact {
                booking::Fact::Canceled { clinic } => Some((*clinic, Do::GiveBack)),
                _ => None,
            })
            .door(door);
        Context::named("clinic", Rank::Supporting, 1).keeps(keeps)
    }
}

mod booking {
    use super::*;

    #[derive(Clone, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Booking {
        pub(crate) clinic: u64,
        pub(crate) status: Status,
    }
    #[derive(Clone, Copy, Default, Debug, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) enum Status {
        #[default]
        Absent,
        Requested,
        Booked,
        Rejected,
        Told,
        Canceled,
    }
    /// To who gets no seat, by post.
    #[derive(Serialize, Deserialize)]
    pub(crate) struct Letter {}
    impl Ask for Letter {
        const OF: &'static str = "post";
        const NAME: &'static str = "letter";
        type Answer = ();
    }
    #[derive(Clone, Debug)]
    pub(crate) enum Do {
        Book(u64),
        Answered(bool),
        Delivered,
        Cancel,
    }
    #[derive(Clone, Debug, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(crate) enum Fact {
        Requested { clinic: u64 },
        Booked {},
        Rejected {},
        Told {},
        Canceled { clinic: u64 },
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "booking";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    impl Aggregate for Booking {
        const NAME: &'static str = "booking";
        const ROOT: &'static str = "booking";
        const KEYS: &'static [&'static str] = &["clinic"];
        type Command = Do;
        type Event = Fact;
        type Refusal = Never;
        type Settings = ();
        fn decide(&self, _: &Occasion, command: Do) -> Result<Vec<Fact>, Never> {
            Ok(match (self.status, command) {
                (Status::Absent, Do::Book(clinic)) => vec![Fact::Requested { clinic }],
                (Status::Requested, Do::Answered(true)) => vec![Fact::Booked {}],
                (Status::Requested, Do::Answered(false)) => vec![Fact::Rejected {}],
                (Status::Rejected, Do::Delivered) => vec![Fact::Told {}],
                (Status::Booked, Do::Cancel) => vec![Fact::Canceled { clinic: self.clinic }],
                (_, Do::Book(_) | Do::Answered(_) | Do::Delivered | Do::Cancel) => vec![],
            })
        }
        fn evolve(&mut self, _: &Occasion, fact: &Fact) {
            self.status = match fact {
                Fact::Requested { clinic } => {
                    self.clinic = *clinic;
                    Status::Requested
                }
                Fact::Booked {} => Status::Booked,
                Fact::Rejected {} => Status::Rejected,
                Fact::Told {} => Status::Told,
                Fact::Canceled { .. } => Status::Canceled,
            };
        }
        fn owes(&self, _: &Case, (): &()) -> Owes<Do> {
            match self.status {
                Status::Requested => Owes::ask(&clinic::Take(self.clinic), |taken| Some(Do::Answered(taken))),
                Status::Rejected => Owes::ask(&Letter {}, |()| Some(Do::Delivered)),
                _ => Owes::nothing(),
            }
        }
    }
    #[derive(Deserialize, schemars::JsonSchema)]
    struct Wished {
        clinic: u64,
    }
    pub(crate) fn context() -> Context {
        let door = collection::<Booking>("/bookings").opens("patient", |body: Wished| Ok(Do::Book(body.clinic)), |_| Ok(()));
        let keeps = keep::<Booking>(())
            .asks::<clinic::Take>()
            .asks::<Letter>()
            .whenever_every("CancelWhenClosed", |fact: &clinic::Fact| match fact {
                clinic::Fact::Closed { clinic } => Some(Every { key: "clinic", value: clinic.to_string(), command: Do::Cancel }),
                _ => None,
            })
            .door(door);
        Context::named("booking", Rank::Core, 2).keeps(keeps)
    }
}

/// Three patients, two seats; the clinic closes. A reader follows the bookings, an operator looks at them.
#[derive(Default)]
struct Lobby {
    acknowledged: RefCell<BTreeSet<u64>>,
    /// What the reader saw last, by booking.
    shown: RefCell<BTreeMap<u64, Value>>,
    /// What the operator was told of each booking: its facts.
    told: RefCell<BTreeMap<u64, Vec<String>>>,
    /// How much the operator saw owed at the most, and whether any of it was ever due.
    owing: Cell<(u64, bool)>,
}
const SEATS: u64 = 2;
const PATIENTS: u64 = 3;

/// Until whoever died is there again.
async fn again<T>(mut what: impl AsyncFnMut() -> Result<T, Gone>) -> T {
    loop {
        match what().await {
            Ok(done) => return done,
            Err(Gone) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
async fn open(world: &World, path: &str, key: &str, body: Value) -> u64 {
    let opened = again(async || {
        let wished = Call { key: Some(key.to_owned()), ..call(None, body.clone()) };
        match world.call(path, Verb::Open, wished).await? {
            Ok(Reply::Opened(shape) | Reply::Done(shape) | Reply::NotYet(shape)) => Ok(shape.number),
            Err(_) => Err(Gone),
        }
    });
    opened.await
}

impl Lobby {
    /// As a stream does: what is new since the last row seen, whenever there is something newer.
    async fn read(&self, world: &World, after: &mut u64) {
        let newest = again(async || world.look("booking", |store| here(*store.newest_write().borrow())).await).await;
        if newest <= *after {
            return;
        }
        for row in again(async || world.changed("/bookings", *after).await).await {
            *after = row.seq;
            self.shown.borrow_mut().insert(row.number, row.body["status"].clone());
        }
    }
    async fn look(&self, world: &World) {
        let owing = again(async || world.look("booking", |store| store.owing("booking")).await).await;
        let due = again(async || world.look("booking", |store| store.next_due("booking")).await).await;
        let tomorrow = world.now() + Duration::from_secs(24 * 60 * 60);
        let overdue = again(async || world.look("booking", |store| store.overdue("booking", tomorrow)).await).await;
        let aside = again(async || world.look("booking", |store| store.set_aside()).await).await;
        assert_eq!(aside, 0, "nothing is ever set aside here");
        let (most, some) = self.owing.get();
        self.owing.set((most.max(owing), some || due.is_some() && overdue > 0));
        let acknowledged = self.acknowledged.borrow().clone();
        for number in acknowledged {
            let case = Case::new("booking", number);
            let story = again(async || {
                let case = case.clone();
                world.look("booking", |store| Box::pin(async move { store.story(&case).await })).await
            });
            let story = story.await.iter().map(|fact| fact.name.to_string()).collect();
            self.told.borrow_mut().insert(number, story);
        }
    }
}
fn here<'a, T: Send + 'a>(found: T) -> Waiting<'a, T> {
    Box::pin(std::future::ready(Ok(found)))
}
fn is_over(status: &Value) -> bool {
    status == "Canceled" || status == "Told"
}
/// Every letter arrives.
struct Post;
impl Answering for Post {
    fn answer(&self, _: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        Box::pin(std::future::ready(Ok(Value::Null)))
    }
}

impl Story for Lobby {
    fn system(&mut self, _: &Surroundings<'_>) -> System {
        let (contexts, providers) =
            (vec![clinic::context(), booking::context()], vec![("post", Arc::new(Post) as Arc<dyn Answering>)]);
        System { name: "lobby", topic: "lobby", contexts, providers }
    }
    async fn play(&self, world: &World) {
        let (clinic, mut after) = (open(world, "/clinics", "the clinic", json!({ "seats": SEATS })).await, 0);
        for patient in 1..=PATIENTS {
            let key = format!("patient {patient}");
            let booked = open(world, "/bookings", &key, json!({ "clinic": clinic }));
            let meanwhile = async {
                tokio::time::sleep(Duration::from_millis(2)).await; // now the seat is owed
                self.look(world).await;
            };
            let (booked, ()) = join(booked, meanwhile).await;
            self.acknowledged.borrow_mut().insert(booked);
            self.read(world, &mut after).await;
            self.look(world).await;
        }
        again(async || world.call("/clinics", Verb::Command("close"), call(Some(clinic), Value::Null)).await.map(drop)).await;
        let until = world.now() + Duration::from_secs(120);
        while world.now() < until && !(self.shown.borrow().len() as u64 == PATIENTS && self.shown.borrow().values().all(is_over))
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.read(world, &mut after).await;
        }
        self.look(world).await;
    }
    fn always(&self, world: &World) -> Vec<String> {
        let bookings = world.bodies("booking", "booking");
        let lost = self.acknowledged.borrow().iter().filter(|number| !bookings.contains_key(number)).copied().collect::<Vec<_>>();
        lost.into_iter().map(|number| format!("booking {number} was acknowledged and is lost")).collect()
    }
    fn settled(&self, world: &World) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.owing.get() != (1, true) {
            wrong.push(format!("one booking after the other owed its ask, and the operator saw {:?}", self.owing.get()));
        }
        let (bookings, clinics) = (world.bodies("booking", "booking"), world.bodies("clinic", "clinic"));
        if bookings.len() as u64 != PATIENTS || clinics.values().any(|clinic| clinic["left"] != SEATS) || clinics.len() != 1 {
            wrong.push(format!("{PATIENTS} patients came to {SEATS} seats, and it ended as {bookings:?} at {clinics:?}"));
        }
        for (number, booking) in &bookings {
            let wanted: &[_] = match booking["status"].as_str() {
                Some("Canceled") => {
                    &["clinic SeatTaken", "clinic SeatGivenBack", "booking Requested", "booking Booked", "booking Canceled"]
                }
                Some("Told") => &["booking Requested", "booking Rejected", "booking Told"],
                _ => &[],
            };
            let story = world.story(&format!("booking/{number}"));
            if story != wanted {
                wrong.push(format!("booking {number} has settled as {booking} after {story:?}"));
            }
            if self.shown.borrow().get(number) != Some(&booking["status"]) {
                wrong.push(format!("booking {number} is {booking}, and the reader saw {:?}", self.shown.borrow().get(number)));
            }
            let told = self.told.borrow().get(number).cloned().unwrap_or_default();
            if !story.iter().filter_map(|fact| fact.strip_prefix("booking ")).eq(&told) {
                wrong.push(format!("the operator was told of booking {number}: {told:?}"));
            }
        }
        wrong
    }
}

/// At every call at the site of this test, whoever makes it dies, once before and once after.
fn whoever_dies(test: &str) {
    let play = |plan| -> Outcome { run(7, plan, Lobby::default()) };
    let &(site, _) = SUITE.iter().find(|(_, named)| *named == test).expect("the suite names its tests");
    let calm = play(Plan::Calm);
    calm.expect();
    let calls = calm.sites.of(site).reached;
    let each = (1..=calls).flat_map(|call| [When::Before, When::After].map(|when| Plan::CrashIn(site, call, when)));
    let Tally { sites, .. } = all(each, play);
    let died = sites.of(site);
    assert!(calls > 0 && (died.crashed_before, died.crashed_after) == (calls, calls), "{calls} calls at {site}: {died:?}");
}

#[test]
fn a_seat_is_taken_once_whoever_dies_over_its_entry() {
    whoever_dies("a_seat_is_taken_once_whoever_dies_over_its_entry");
}
#[test]
fn everybody_is_told_once_whoever_dies_over_whom_to_tell() {
    whoever_dies("everybody_is_told_once_whoever_dies_over_whom_to_tell");
}
#[test]
fn a_reader_misses_no_row_whoever_dies_over_what_was_changed() {
    whoever_dies("a_reader_misses_no_row_whoever_dies_over_what_was_changed");
}
#[test]
fn a_reader_misses_no_row_whoever_dies_over_the_newest_write() {
    whoever_dies("a_reader_misses_no_row_whoever_dies_over_the_newest_write");
}
#[test]
fn what_is_owed_is_done_whoever_dies_over_when_it_is_due() {
    whoever_dies("what_is_owed_is_done_whoever_dies_over_when_it_is_due");
}
#[test]
fn what_is_owed_is_done_whoever_dies_over_how_much_it_is() {
    whoever_dies("what_is_owed_is_done_whoever_dies_over_how_much_it_is");
}
#[test]
fn what_is_owed_is_done_whoever_dies_over_how_much_is_overdue() {
    whoever_dies("what_is_owed_is_done_whoever_dies_over_how_much_is_overdue");
}
#[test]
fn what_is_owed_is_done_whoever_dies_over_what_is_set_aside() {
    whoever_dies("what_is_owed_is_done_whoever_dies_over_what_is_set_aside");
}
#[test]
fn a_story_is_told_whole_whoever_dies_over_it() {
    whoever_dies("a_story_is_told_whole_whoever_dies_over_it");
}
#[test]
fn a_letter_is_answered_whoever_dies_over_it() {
    whoever_dies("a_letter_is_answered_whoever_dies_over_it");
}

#[test]
fn every_method_of_the_store_is_a_site() {
    let port = include_str!("../../store/src/port.rs");
    let (_, methods) = port.split_once("pub trait Store: ").expect("the port is there");
    let (methods, _) = methods.split_once("\n}").expect("it ends");
    let names = methods.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split(['<', '(']).next());
    let methods: BTreeSet<_> = names.map(|name| format!("store.{name}")).collect();
    let sites: BTreeSet<_> = SITES.iter().filter(|site| site.starts_with("store.")).map(|site| (*site).to_owned()).collect();
    assert_eq!(sites, methods);
}

#[test]
fn each_test_that_the_suite_names_is_here_for_a_site_of_its_own() {
    let list = std::process::Command::new(std::env::current_exe().expect("a test is a program")).arg("--list").output();
    let list = String::from_utf8(list.expect("it can be run again").stdout).expect("names are text");
    let here: BTreeSet<_> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for (site, test) in SUITE {
        assert!(SITES.contains(site) && here.contains(test), "{test} for {site}");
    }
    let sites: BTreeSet<_> = SUITE.iter().map(|(site, _)| site).collect();
    assert_eq!(sites.len(), SUITE.len());
}
