//! What the tests of several contexts share: one of each fact, all of screening 7 at hospital 1.
use crate::contract::{
    hospital,
    screening::{self, Reason, Visit},
};
use jumun_model::{Personal, Refusal};

pub(crate) fn visit() -> Visit {
    Visit {
        hospital_id: 1,
        hospital_nm: Some("Samsung".to_owned()),
        chk_date: "20200910".to_owned(),
        cust_nm: Personal("MOON".to_owned()),
    }
}

pub(crate) fn screening() -> Vec<screening::Event> {
    use screening::Event::*;
    let (id, hospital_id) = (7, 1);
    vec![
        Requested { id, visit: visit() },
        RequestCompleted { id, visit: visit() },
        Rejected { id, hospital_id, reason: Reason::Full },
        Canceled { id, hospital_id },
        ForceCanceled { id, hospital_id },
        CustomerRenamed { id, cust_nm: Personal("YOU".to_owned()) },
    ]
}
pub(crate) fn hospital() -> Vec<hospital::Event> {
    use hospital::Event::*;
    let (id, hospital_id, screening_id) = (1, 1, 7);
    let (hospital_nm, chk_date) = ("Samsung".to_owned(), "20200910".to_owned());
    vec![
        HospitalRegistered { id, hospital_nm: hospital_nm.clone(), chk_date: chk_date.clone(), pcnt: 2, capacity: 2 },
        HospitalChanged { id, hospital_nm: hospital_nm.clone(), chk_date: chk_date.clone(), pcnt: 3, capacity: 3 },
        HospitalDeleted { id, hospital_nm, chk_date, pcnt: 3 },
        SeatTaken { hospital_id, screening_id },
        SeatGivenBack { hospital_id, screening_id },
        SeatForgone { hospital_id, screening_id },
    ]
}

/// Every refusal has a sentence in Korean and in English.
#[track_caller]
pub(crate) fn both_languages_know<'r, R: Refusal>(refusals: impl IntoIterator<Item = &'r R>) {
    let files = [("ko", include_str!("../locales/ko.toml")), ("en", include_str!("../locales/en.toml"))];
    for code in refusals.into_iter().map(Refusal::code) {
        for (language, file) in files {
            assert!(file.lines().any(|line| line.starts_with(&format!("{code} = "))), "{code} has no sentence in {language}");
        }
    }
}
