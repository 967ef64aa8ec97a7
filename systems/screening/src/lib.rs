//! screening: health-screening reservation. A case is a screening; a hospital is a pool with a seat per screening.
pub mod contract;
pub mod hospital;
pub mod marketing;
pub mod my_page;
pub mod reservation;
#[cfg(test)]
mod samples;
pub mod screening;

use jumun_runtime::{Built, Key, Load, Offer, Set, Step, Surroundings, System};
use std::time::Duration;

/// Who may do what.
pub mod roles {
    pub const CUSTOMER: &str = "customer";
    pub const FRONT_DESK: &str = "front-desk";
    pub const ADMINISTRATOR: &str = "hospital-administrator";
    pub const MARKETER: &str = "marketer";
}

/// The system.
pub fn system(settings: &Settings) -> System {
    System {
        name: "screening",
        topic: "local",
        contexts: vec![
            screening::context(settings),
            hospital::context(),
            reservation::context(),
            my_page::context(),
            marketing::context(),
        ],
        providers: Vec::new(),
    }
}

/// What the system's owner can set; each key begins with `screening.`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seat_window: Duration,
}
const KEYS: &[Key] = &[Key {
    name: "screening.seat_window",
    default: "1500ms",
    meaning: "how long a request waits for its seat before it is refused; less than asks.deadline, for which its door waits",
}];
impl Default for Settings {
    fn default() -> Self {
        Settings { seat_window: Duration::from_millis(1_500) }
    }
}
impl Settings {
    /// # Errors
    /// One sentence on what can not be read.
    pub fn read(set: &Set) -> Result<Self, String> {
        let Some(value) = set.get("screening.seat_window") else { return Ok(Settings::default()) };
        let bad = || format!("screening.seat_window = {value:?} is no duration, such as 1500ms");
        let window: jiff::SignedDuration = value.parse().map_err(|_| bad())?;
        Ok(Settings { seat_window: window.try_into().map_err(|_| bad())? })
    }
}

/// The system as it is offered to the command line.
pub const OFFER: Offer = Offer {
    name: "screening",
    about: "health screening: hospitals with seats, requests for them, reservations, and the pages that show it all",
    keys: KEYS,
    phrases: &[
        ("ko", include_str!("../locales/ko.toml")),
        ("en", include_str!("../locales/en.toml")),
        ("ko", include_str!("../locales/words.ko.toml")),
        ("en", include_str!("../locales/words.en.toml")),
    ],
    tries: &[
        "http localhost:{8082}/hospitals hospitalNm=Samsung chkDate=20200910 pcnt=2",
        "http localhost:{8081}/screenings hospitalId=1 chkDate=20200910 custNm=MOON",
        "http localhost:{8082}/hospitals/1",
        "http localhost:{8083}/reservations",
        "http PATCH :{8081}/screenings/1 status=CANCELED",
        "http localhost:{8084}/myPages",
        "http DELETE :{8082}/hospitals/1",
        "http localhost:{8085}/marketings",
    ],
    story: &[
        Step::Say("Samsung hospital has two seats on the tenth of September."),
        Step::Open("/hospitals", r#"{"hospitalNm": "Samsung", "chkDate": "20200910", "pcnt": 2}"#),
        Step::Say("Moon asks for one. Screening commits the wish, hospital gives a seat, and only then the request stands."),
        Step::Open("/screenings", r#"{"hospitalId": 1, "chkDate": "20200910", "custNm": "MOON"}"#),
        Step::See("/hospitals", 1),
        Step::See("/reservations", 1),
        Step::Say("Jung takes the other. For You there is none left: a clear no, and nothing is taken."),
        Step::Open("/screenings", r#"{"hospitalId": 1, "chkDate": "20200910", "custNm": "JUNG"}"#),
        Step::Open("/screenings", r#"{"hospitalId": 1, "chkDate": "20200910", "custNm": "YOU"}"#),
        Step::See("/myPages", 3),
        Step::Say("Moon does not come after all: the seat goes back, and You asks again."),
        Step::Command("/screenings", 1, "cancel"),
        Step::See("/hospitals", 1),
        Step::Open("/screenings", r#"{"hospitalId": 1, "chkDate": "20200910", "custNm": "YOU"}"#),
        Step::Say("The hospital closes. Everybody who still had a seat is told, one by one."),
        Step::Command("/hospitals", 1, "close"),
        Step::See("/myPages", 2),
        Step::See("/myPages", 4),
        Step::See("/reservations", 4),
        Step::Open("/screenings", r#"{"hospitalId": 1, "chkDate": "20200910", "custNm": "HAN"}"#),
    ],
    load: Load {
        first: Some(("/hospitals", r#"{"hospitalNm": "Samsung", "chkDate": "20200910", "pcnt": 1000000}"#)),
        wish: ("/screenings", r#"{"hospitalId": "{id}", "chkDate": "20200910", "custNm": "MOON"}"#),
        ends: ("/myPages", "status=REQUEST_COMPLETED"),
    },
    build,
};

fn build(set: &Set, _: &Surroundings<'_>) -> Result<Built, String> {
    Ok(Built { system: system(&Settings::read(set)?), dials: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Settings, String> {
        Settings::read(&Set::from([("screening.seat_window".to_owned(), value.to_owned())]))
    }

    #[test]
    fn every_key_that_can_be_set_is_read() {
        assert_eq!(read("300ms").unwrap().seat_window, Duration::from_millis(300));
        assert_eq!(read(KEYS[0].default).unwrap().seat_window, Settings::default().seat_window);
        assert_eq!(KEYS.len(), 1, "a new key has a line here");
    }

    #[test]
    fn what_can_not_be_read_is_said_with_its_key() {
        let why = read("soon").unwrap_err();
        assert!(why.starts_with("screening.seat_window") && why.contains("soon"), "{why}");
    }

    #[test]
    fn a_request_is_given_up_before_its_door_loses_patience() {
        assert!(Settings::default().seat_window < jumun_runtime::Settings::default().door_deadline);
    }
}
