//! What holds of every screening and every seat: at any time, and once everything has settled.
use crate::visiting::{RETURNING, Visiting};
use jumun_model::Case;
use jumun_sim::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const BOOKED: &str = "REQUEST_COMPLETED";
const OVER: [&str; 3] = ["CANCELED", "FORCE_CANCELED", "REJECTED"];

/// The durable state of hospital and screening.
struct Books {
    screenings: BTreeMap<u64, Value>,
    hospitals: BTreeMap<u64, Value>,
    /// By hospital and screening: the seat.
    seats: BTreeMap<(u64, u64), String>,
}
impl Books {
    fn of(world: &World) -> Self {
        let (screenings, hospitals) = (world.bodies("screening", "screening"), world.bodies("hospital", "hospital"));
        let mut seats = BTreeMap::new();
        for &hospital in hospitals.keys() {
            for &screening in screenings.keys() {
                if let Some(entry) = world.entry("hospital", "hospital", hospital, &Case::new("screening", screening)) {
                    seats.insert((hospital, screening), entry.body.trim_matches('"').to_owned());
                }
            }
        }
        Books { screenings, hospitals, seats }
    }
    fn taken(&self, hospital: u64) -> Vec<u64> {
        let taken = self.seats.iter().filter(|((at, _), seat)| *at == hospital && *seat == "Taken");
        taken.map(|((_, screening), _)| *screening).collect()
    }
}
fn field<'a>(row: Option<&'a Value>, field: &str) -> &'a str {
    row.and_then(|row| row[field].as_str()).unwrap_or_default()
}

pub(crate) fn always(story: &Visiting, world: &World) -> Vec<String> {
    let (books, mut wrong) = (Books::of(world), Vec::new());
    for (&number, hospital) in &books.hospitals {
        let (capacity, left, taken) = (&hospital["capacity"], &hospital["pcnt"], books.taken(number));
        if capacity.as_u64() != left.as_u64().map(|left| left + taken.len() as u64) {
            wrong.push(format!("hospital {number} has {capacity} seats, {left} left and taken by {taken:?}"));
        }
    }
    for (hospital, closed) in &*story.hospitals.borrow() {
        let there = books.hospitals.get(hospital);
        if there.is_none_or(|there| *closed && there["closed"] != true) {
            wrong.push(format!("hospital {hospital} was acknowledged (closed: {closed}), and is {there:?}"));
        }
    }
    for (hospital, told) in &*story.capacities.borrow() {
        let there = books.hospitals.get(hospital).map_or(&Value::Null, |there| &there["capacity"]);
        if there != told {
            wrong.push(format!("hospital {hospital} was told to have {told} seats, and has {there}"));
        }
    }
    for (number, told) in &*story.names.borrow() {
        let bears = field(books.screenings.get(number), "custNm");
        if bears != told {
            wrong.push(format!("screening {number} was told to be {told}'s, and is {bears:?}'s"));
        }
    }
    let mut live = BTreeMap::<&str, Vec<u64>>::new();
    for (&number, screening) in &books.screenings {
        let (status, hospital) = (field(Some(screening), "status"), screening["hospitalId"].as_u64().unwrap_or_default());
        let seat = books.seats.get(&(hospital, number)).map_or("", String::as_str);
        if status == BOOKED && seat != "Taken" {
            wrong.push(format!("screening {number} is booked, and its seat is {seat:?}"));
        }
        let mut over = story.over.borrow_mut();
        if let Some(was) = over.get(&number).filter(|was| *was != status) {
            wrong.push(format!("screening {number} was over ({was}), and is {status}"));
        }
        if OVER.contains(&status) {
            over.insert(number, status.to_owned());
        }
        let name = field(Some(screening), "custNm");
        if field(Some(screening), "reason") != "no-answer" && name != RETURNING {
            live.entry(name.strip_suffix("renamed").unwrap_or(name)).or_default().push(number);
        }
    }
    wrong.extend(live.iter().filter(|(_, all)| all.len() > 1).map(|(key, all)| format!("under one key {key} there are {all:?}")));
    for (number, told) in &*story.told.borrow() {
        let status = field(books.screenings.get(number), "status");
        let stands = match *told {
            "taken down" => !status.is_empty(),
            "canceled" => status == "CANCELED",
            _ => [BOOKED, "CANCELED", "FORCE_CANCELED"].contains(&status),
        };
        if !stands {
            wrong.push(format!("screening {number} was told to be {told}, and is {status:?}"));
        }
    }
    wrong
}

/// Facts of one screening of which at most one is ever said.
const EXCLUSIVE: [&[&str]; 4] = [
    &["screening Canceled", "screening ForceCanceled", "screening Rejected"],
    &["screening RequestCompleted", "screening Rejected"],
    &["hospital SeatTaken", "hospital SeatForgone"],
    &["hospital SeatGivenBack", "hospital SeatForgone"],
];

pub(crate) fn settled(story: &Visiting, world: &World) -> Vec<String> {
    let (books, mut wrong) = (Books::of(world), Vec::new());
    let (book, pages) = (world.bodies("reservation", "reservation"), world.bodies("myPage", "myPages"));
    for (&number, screening) in &books.screenings {
        let (status, hospital) = (field(Some(screening), "status"), screening["hospitalId"].as_u64().unwrap_or_default());
        let reason = field(Some(screening), "reason");
        let seat = books.seats.get(&(hospital, number)).map_or("", String::as_str);
        if status != BOOKED && !OVER.contains(&status) {
            wrong.push(format!("screening {number} is still {status}"));
        }
        if (status == BOOKED) != (seat == "Taken") {
            wrong.push(format!("screening {number} is {status}, and its seat is {seat:?}"));
        }
        if OVER.contains(&status) && seat.is_empty() {
            wrong.push(format!("screening {number} is {status}, and the hospital never heard of it"));
        }
        if status == BOOKED && books.hospitals[&hospital]["closed"] == true {
            wrong.push(format!("screening {number} is booked at hospital {hospital}, which is closed"));
        }
        let entered = field(book.get(&number), "status");
        if entered != if status == "REJECTED" { "" } else { status } {
            wrong.push(format!("screening {number} is {status}, and the book says {entered:?}"));
        }
        for shown in ["status", "custNm", "reason", "hospitalId", "chkDate"] {
            let page = pages.get(&number).map_or(&Value::Null, |page| &page[shown]);
            if *page != screening[shown] {
                wrong.push(format!("screening {number} is shown with {shown} {page}, and that is {}", screening[shown]));
            }
        }
        let said = world.story(&format!("screening/{number}"));
        let again = |fact: &&String| !fact.ends_with("CustomerRenamed") && !fact.ends_with("ReservationChanged");
        let once: BTreeSet<_> = said.iter().filter(again).collect();
        if once.len() != said.iter().filter(again).count() {
            wrong.push(format!("screening {number}: something was said more than once: {said:?}"));
        }
        for facts in EXCLUSIVE {
            if said.iter().filter(|fact| facts.contains(&fact.as_str())).count() > 1 {
                wrong.push(format!("screening {number}: of {facts:?} more than one was said: {said:?}"));
            }
        }
        let early = if said.iter().any(|fact| fact == "hospital SeatForgone") { " (no seat)" } else { "" };
        let words = [status, reason].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
        story.fates.count(words.join(" ") + early);
    }
    wrong.extend(marketing(story, &books, world));
    wrong.extend(keys(&books, world));
    wrong
}

/// Under one key, which is the name that it was asked for in, at most one request was not given up for want of an answer.
fn keys(books: &Books, world: &World) -> Vec<String> {
    let mut wished = BTreeMap::<String, Vec<u64>>::new();
    for fact in world.journal("screening").iter().filter(|fact| &*fact.name == "Requested") {
        if field(books.screenings.get(&fact.number), "reason") != "no-answer" {
            let body: Value = serde_json::from_str(&fact.body).expect("a fact is data");
            wished.entry(field(Some(&body), "custNm").to_owned()).or_default().push(fact.number);
        }
    }
    let twice = wished.iter().filter(|(_, all)| all.len() > 1);
    twice.map(|(key, all)| format!("under one key {key} there are {all:?}")).collect()
}

/// What marketing sums up is what a recount of screening's facts gives.
fn marketing(story: &Visiting, books: &Books, world: &World) -> Vec<String> {
    let mut counted = BTreeMap::<&str, (u64, u64)>::new();
    for (&number, screening) in &books.screenings {
        if world.story(&format!("screening/{number}")).iter().any(|fact| fact == "screening RequestCompleted") {
            let (bookings, canceled) = counted.entry(field(Some(screening), "custNm")).or_default();
            *bookings += 1;
            *canceled += u64::from(field(Some(screening), "status") != BOOKED);
        }
    }
    let rows = world.bodies("marketing", "marketings");
    let sums: Vec<_> = rows.values().filter(|row| row["bookings"] != 0).collect();
    let mut wrong = Vec::new();
    for row in &sums {
        let (bookings, canceled) = counted.remove(field(Some(row), "custNm")).unwrap_or_default();
        let wanted = json!([bookings, canceled, bookings >= 2]);
        if json!([row["bookings"], row["canceled"], row["returning"]]) != wanted {
            wrong.push(format!("marketing says {row}, and it is {wanted}"));
        }
    }
    wrong.extend(counted.iter().map(|(name, counts)| format!("marketing does not know of {name}: {counts:?}")));
    let returning = sums.iter().filter(|row| row["returning"] == true).count();
    (0..returning).for_each(|_| story.fates.count("a customer who returned".to_owned()));
    let inflow = world.bodies("marketing", "inflow").remove(&1).unwrap_or(json!({ "newCustomers": 0, "returningCustomers": 0 }));
    if inflow != json!({ "newCustomers": sums.len() - returning, "returningCustomers": returning }) {
        wrong.push(format!("of {} customers {returning} return, and marketing sums up to {inflow}", sums.len()));
    }
    wrong
}
