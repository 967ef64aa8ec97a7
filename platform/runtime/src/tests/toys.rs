//! Two small contexts and a third that listens: a clinic whose seats bookings share, the bookings, and a diary of them.
use crate::{
    Context, Rank,
    door::{collection, pool_collection},
    keep, keep_pool, show,
};
use jumun_model::*;
use serde::{Deserialize, Serialize};
use std::{cell::Cell, convert::Infallible, time::Duration};
use strum::{IntoStaticStr, VariantNames};

/// What never refuses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Nothing(Infallible);
impl Refusal for Nothing {
    fn code(&self) -> &'static str {
        match self.0 {}
    }
    fn kind(&self) -> Kind {
        match self.0 {}
    }
}

thread_local! {
    static MENDED: Cell<bool> = const { Cell::new(false) };
}
/// From now on nobody stumbles any more over what is unlucky: as if a better version had been deployed.
pub(super) fn mend() {
    MENDED.set(true);
}
fn unlucky() -> bool {
    !MENDED.get()
}

pub(super) mod clinic {
    use super::*;

    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "camelCase", default)]
    pub(crate) struct Clinic {
        pub(crate) capacity: u64,
        pub(crate) left: u64,
        pub(crate) closed: bool,
    }
    /// What one booking holds here.
    #[derive(Clone, Copy, Default, Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) enum Seat {
        #[default]
        None,
        Taken,
        GivenBack,
        Never,
    }
    #[derive(Clone, Debug)]
    pub(crate) enum Do {
        Open(u64),
        Take,
        GiveBack,
        Close,
        Announce(Announce),
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType", rename_all_fields = "camelCase")]
    pub(crate) enum Fact {
        ClinicOpened {
            capacity: u64,
        },
        SeatTaken {
            clinic_id: u64,
        },
        SeatGivenBack {
            clinic_id: u64,
        },
        SeatForgone {
            clinic_id: u64,
        },
        ClinicClosed {
            clinic_id: u64,
        },
        /// To everybody who has a seat anywhere, or at that clinic only.
        Announced {
            word: String,
            to: Option<u64>,
        },
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "clinic";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    #[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
    pub(crate) enum No {
        #[error("there is no such clinic")]
        Unknown,
        #[error("no seat is left")]
        Full,
        #[error("it is closed")]
        Closed,
        #[error("this seat was given up")]
        GivenUp,
    }
    impl Refusal for No {
        fn code(&self) -> &'static str {
            match self {
                No::Unknown => "unknown",
                No::Full => "full",
                No::Closed => "closed",
                No::GivenUp => "given-up",
            }
        }
        fn kind(&self) -> Kind {
            Kind::Conflict
        }
    }

    impl Pool for Clinic {
        const NAME: &'static str = "clinic";
        type Entry = Seat;
        type Command = Do;
        type Event = Fact;
        type Refusal = No;
        fn decide(&self, seat: &Seat, on: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
            let clinic_id = on.number;
            Ok(match (seat, command) {
                (_, Do::Open(capacity)) if self.capacity == 0 => vec![Fact::ClinicOpened { capacity }],
                (_, Do::Close) if !self.closed => vec![Fact::ClinicClosed { clinic_id }],
                (_, Do::Announce(Announce { word, to })) => vec![Fact::Announced { word, to }],
                (Seat::GivenBack | Seat::Never, Do::Take) => return Err(No::GivenUp),
                (Seat::None, Do::Take) if self.capacity == 0 => return Err(No::Unknown),
                (Seat::None, Do::Take) if self.closed => return Err(No::Closed),
                (Seat::None, Do::Take) if self.left == 0 => return Err(No::Full),
                (Seat::None, Do::Take) => vec![Fact::SeatTaken { clinic_id }],
                (Seat::Taken, Do::GiveBack) => vec![Fact::SeatGivenBack { clinic_id }],
                (Seat::None, Do::GiveBack) => vec![Fact::SeatForgone { clinic_id }],
                (_, Do::Open(_) | Do::Close | Do::Take | Do::GiveBack) => vec![],
            })
        }
        fn evolve(&mut self, seat: &mut Seat, _: &Occasion, fact: &Fact) {
            match fact {
                Fact::ClinicOpened { capacity } => (self.capacity, self.left) = (*capacity, *capacity),
                Fact::SeatTaken { .. } => (self.left, *seat) = (self.left - 1, Seat::Taken),
                Fact::SeatGivenBack { .. } => (self.left, *seat) = (self.left + 1, Seat::GivenBack),
                Fact::SeatForgone { .. } => *seat = Seat::Never,
                Fact::ClinicClosed { .. } => self.closed = true,
                Fact::Announced { .. } => {}
            }
        }
        fn listed(&self) -> bool {
            self.capacity > 0
        }
    }

    #[derive(Serialize, Deserialize)]
    pub(crate) struct Take {
        pub(crate) clinic_id: u64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) enum Taken {
        Yes,
        No(String),
    }
    impl Ask for Take {
        const OF: &'static str = "clinic";
        const NAME: &'static str = "take";
        type Answer = Taken;
    }

    #[derive(Deserialize, schemars::JsonSchema)]
    pub(crate) struct Wished {
        capacity: u64,
    }
    #[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Announce {
        word: String,
        to: Option<u64>,
    }

    pub(crate) fn context() -> Context {
        Context::named("clinic", Rank::Supporting, 8002).keeps(
            keep_pool::<Clinic>()
                .answers::<Take>(
                    |ask| (ask.clinic_id, Do::Take),
                    |seat| match seat {
                        Ok(Seat::Taken) => Taken::Yes,
                        Ok(_) => Taken::No("given-up".to_owned()),
                        Err(no) => Taken::No(no.code().to_owned()),
                    },
                )
                .whenever("GiveBackSeat", |fact: &booking::Fact| match fact {
                    booking::Fact::Canceled { clinic_id, .. } => Some((*clinic_id, Do::GiveBack)),
                    _ => None,
                })
                .door(
                    pool_collection::<Clinic>("/clinics")
                        .opens("operator", |body: Wished| Ok(Do::Open(body.capacity)), |_| Ok(()))
                        .command("close", "operator", || Do::Close, |_| Ok(()))
                        .edits("operator", |body: Announce| Ok(Do::Announce(body)), |_| Ok(())),
                ),
        )
    }
}

pub(super) mod booking {
    use super::*;
    use clinic::{Take, Taken};

    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "camelCase", default)]
    pub(crate) struct Booking {
        pub(crate) clinic_id: u64,
        pub(crate) status: Status,
        pub(crate) reason: String,
        pub(crate) sum: u64,
        pub(crate) heard: Vec<String>,
        pub(crate) since: Timestamp,
        pub(crate) reminded: Option<Timestamp>,
    }
    #[derive(Clone, Copy, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) enum Status {
        #[default]
        Absent,
        Requested,
        Booked,
        Canceled,
        Rejected,
    }
    #[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
    pub(crate) enum Do {
        Book(u64),
        Cancel,
        Closed,
        Taken,
        Refused(String),
        GiveUp,
        Remind,
        Add(u64),
        Hear(String),
        /// The rule stumbles over this, halfway through a fold.
        Stumble,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType", rename_all_fields = "camelCase")]
    pub(crate) enum Fact {
        Requested { clinic_id: u64 },
        Booked { clinic_id: u64 },
        Rejected { reason: String },
        Canceled { clinic_id: u64, reason: String },
        Reminded {},
        Added { n: u64 },
        Heard { word: String },
        Stumbled {},
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "booking";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    #[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
    pub(crate) enum No {
        #[error("it is over")]
        Over,
        #[error("the booking was rejected")]
        Rejected,
    }
    impl Refusal for No {
        fn code(&self) -> &'static str {
            match self {
                No::Over => "over",
                No::Rejected => "rejected",
            }
        }
        fn kind(&self) -> Kind {
            Kind::Conflict
        }
    }
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Settings {
        pub(crate) give_up: Option<Duration>,
        pub(crate) if_not_sent: bool,
        pub(crate) remind: Option<Duration>,
    }

    impl Aggregate for Booking {
        const NAME: &'static str = "booking";
        const ROOT: &'static str = "booking";
        const KEYS: &'static [&'static str] = &["clinicId", "status"];
        type Command = Do;
        type Event = Fact;
        type Refusal = No;
        type Settings = Settings;
        fn decide(&self, _: &Occasion, command: Do) -> Result<Vec<Fact>, No> {
            use Status::*;
            let clinic_id = self.clinic_id;
            let over = |reason: &str| vec![Fact::Canceled { clinic_id, reason: reason.to_owned() }];
            let rejected = |reason: String| vec![Fact::Rejected { reason }];
            Ok(match (self.status, command) {
                (Absent, Do::Book(clinic_id)) => vec![Fact::Requested { clinic_id }],
                (Requested, Do::Taken) => vec![Fact::Booked { clinic_id }],
                (Requested, Do::Refused(reason)) => rejected(reason),
                // whatever was taken meanwhile is given back
                (Requested, Do::GiveUp) => over("no-answer"),
                (Requested | Booked, Do::Cancel) => over("patient"),
                (Requested | Booked, Do::Closed) => over("closed"),
                (Booked, Do::Remind) if self.reminded.is_none() => vec![Fact::Reminded {}],
                (_, Do::Add(n)) if n > 0 => vec![Fact::Added { n }],
                (Booked, Do::Hear(word)) => vec![Fact::Heard { word }],
                (_, Do::Stumble) => vec![Fact::Added { n: 1000 }, Fact::Stumbled {}],
                (Canceled, Do::Cancel) => vec![],
                (_, Do::Cancel | Do::Book(_)) => return Err(No::Over),
                _ => vec![],
            })
        }
        fn evolve(&mut self, on: &Occasion, fact: &Fact) {
            match fact {
                Fact::Requested { clinic_id } => {
                    (self.clinic_id, self.status, self.since) = (*clinic_id, Status::Requested, on.at)
                }
                Fact::Booked { .. } => self.status = Status::Booked,
                Fact::Rejected { reason } => (self.status, self.reason) = (Status::Rejected, reason.clone()),
                Fact::Canceled { reason, .. } => (self.status, self.reason) = (Status::Canceled, reason.clone()),
                Fact::Reminded {} => {
                    assert!(!self.heard.iter().any(|word| word == "deaf"), "the reminder stumbles");
                    self.reminded = Some(on.at);
                }
                Fact::Added { n } => self.sum += n,
                Fact::Heard { .. } if self.sum == 66 && unlucky() => panic!("it will not hear"),
                Fact::Heard { word } => self.heard.push(word.clone()),
                Fact::Stumbled {} => panic!("the fold stumbles"),
            }
        }
        fn owes(&self, _: &Case, settings: &Settings) -> Owes<Do> {
            match self.status {
                Status::Requested => {
                    let owes = Owes::ask(&Take { clinic_id: self.clinic_id }, |taken| {
                        Some(match taken {
                            Taken::Yes => Do::Taken,
                            Taken::No(why) => Do::Refused(why),
                        })
                    });
                    let owes = if settings.if_not_sent { owes.if_not_sent(Do::Refused("not-sent".to_owned())) } else { owes };
                    match settings.give_up {
                        Some(after) => owes.until(self.since + after, Do::GiveUp),
                        None => owes,
                    }
                }
                Status::Booked if self.reminded.is_none() => {
                    settings.remind.map_or_else(Owes::nothing, |after| Owes::at(self.since + after, Do::Remind))
                }
                _ => Owes::nothing(),
            }
        }
    }
    impl Booking {
        fn placed(&self) -> Result<(), No> {
            if self.status == Status::Booked { Ok(()) } else { Err(No::Rejected) }
        }
    }

    #[derive(Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Wished {
        clinic_id: u64,
    }

    pub(crate) fn context(settings: Settings) -> Context {
        Context::named("booking", Rank::Core, 8001).keeps(
            keep::<Booking>(settings)
                .asks::<Take>()
                .whenever_every("CancelWhenClosed", |fact: &clinic::Fact| match fact {
                    clinic::Fact::ClinicClosed { clinic_id } => {
                        Some(Every { key: "clinicId", value: clinic_id.to_string(), command: Do::Closed })
                    }
                    _ => None,
                })
                .whenever_every("TellEverybody", |fact: &clinic::Fact| match fact {
                    clinic::Fact::Announced { word, to: None } => {
                        Some(Every { key: "status", value: "Booked".to_owned(), command: Do::Hear(word.clone()) })
                    }
                    clinic::Fact::Announced { word, to: Some(clinic) } => {
                        Some(Every { key: "clinicId", value: clinic.to_string(), command: Do::Hear(word.clone()) })
                    }
                    _ => None,
                })
                .door(
                    collection::<Booking>("/bookings")
                        .opens("patient", |body: Wished| Ok(Do::Book(body.clinic_id)), Booking::placed)
                        .command("cancel", "patient", || Do::Cancel, |_| Ok(()))
                        .edits("patient", Ok, |_| Ok(())),
                ),
        )
    }
}

pub(super) mod diary {
    use super::*;

    /// The facts of a booking, in the order in which they were heard.
    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Diary {
        pub(crate) lines: Vec<String>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
    #[serde(tag = "eventType")]
    pub(crate) enum Fact {
        Written { line: String },
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "diary";
        const NAMES: &'static [&'static str] = Self::VARIANTS;
        fn name(&self) -> &'static str {
            self.into()
        }
    }
    impl Aggregate for Diary {
        const NAME: &'static str = "diary";
        const ROOT: &'static str = "booking";
        type Command = String;
        type Event = Fact;
        type Refusal = Nothing;
        type Settings = ();
        fn decide(&self, _: &Occasion, line: String) -> Result<Vec<Fact>, Nothing> {
            Ok(vec![Fact::Written { line }]) // not idempotent by itself: only the mark keeps a repeat out
        }
        fn evolve(&mut self, _: &Occasion, Fact::Written { line }: &Fact) {
            self.lines.push(line.clone());
        }
    }

    pub(crate) fn context() -> Context {
        Context::named("diary", Rank::General, 8003).keeps(
            keep::<Diary>(())
                .whenever("WriteDown", |fact: &booking::Fact| match fact {
                    booking::Fact::Added { n: 13 } if unlucky() => panic!("an unlucky number"),
                    booking::Fact::Added { n } => Some(format!("Added {n}")),
                    other => Some(other.name().to_owned()),
                })
                .door(collection::<Diary>("/diaries")),
        )
    }
}

pub(super) mod gazette {
    use super::*;

    /// What was added to a booking since there is a gazette.
    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    pub(crate) struct Gazette {
        pub(crate) news: Vec<u64>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "eventType")]
    pub(crate) enum Fact {
        Printed { n: u64 },
    }
    impl Event for Fact {
        const CONTEXT: &'static str = "gazette";
        const NAMES: &'static [&'static str] = &["Printed"];
        fn name(&self) -> &'static str {
            "Printed"
        }
    }
    impl Aggregate for Gazette {
        const NAME: &'static str = "gazette";
        const ROOT: &'static str = "booking";
        type Command = u64;
        type Event = Fact;
        type Refusal = Nothing;
        type Settings = ();
        fn decide(&self, _: &Occasion, n: u64) -> Result<Vec<Fact>, Nothing> {
            Ok(vec![Fact::Printed { n }])
        }
        fn evolve(&mut self, _: &Occasion, Fact::Printed { n }: &Fact) {
            self.news.push(*n);
        }
    }

    pub(crate) fn context() -> Context {
        Context::named("gazette", Rank::General, 8005).keeps(
            keep::<Gazette>(())
                .whenever_from_now("Print", |fact: &booking::Fact| match fact {
                    booking::Fact::Added { n } => Some(*n),
                    _ => None,
                })
                .door(collection::<Gazette>("/gazettes")),
        )
    }
}

pub(super) mod page {
    use super::*;

    /// One row per booking, half of it from the clinic.
    #[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "camelCase", default)]
    pub(crate) struct Board {
        pub(crate) status: String,
        pub(crate) seat: String,
        pub(crate) facts: u64,
    }
    impl View for Board {
        const NAME: &'static str = "board";
        const KEYS: &'static [&'static str] = &["status"];
    }
    impl Follows<booking::Fact> for Board {
        fn follow(&mut self, _: &Occasion, event: &booking::Fact) {
            self.facts += 1;
            match event {
                booking::Fact::Added { n: 17 } if unlucky() => panic!("the view stumbles"),
                booking::Fact::Added { .. } | booking::Fact::Heard { .. } | booking::Fact::Reminded {} => {}
                other => self.status = other.name().to_owned(),
            }
        }
    }
    impl Follows<clinic::Fact> for Board {
        fn row(on: &Occasion, _: &clinic::Fact) -> Option<u64> {
            (on.case.root == "booking").then_some(on.case.number)
        }
        fn follow(&mut self, _: &Occasion, event: &clinic::Fact) {
            self.facts += 1;
            self.seat = event.name().to_owned();
        }
    }

    pub(crate) fn context() -> Context {
        Context::named("page", Rank::Supporting, 8004)
            .shows(show::<Board>("/board").follows::<booking::Fact>().follows::<clinic::Fact>())
    }
}
