//! What went wrong in the predecessors, and does not here. `docs/predecessors.md` says which bug is whose.
use crate::ward::{DATE, Ward};
use futures_util::future::join_all;
use jumun_testkit::Town;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

#[tokio::test(start_paused = true)]
async fn a_put_with_new_data_takes_no_seat_and_a_repeated_one_neither() {
    let ward = Ward::new().await;
    let number = ward.hospital(3).await;
    for _ in 0..3 {
        let edited = ward.write("PUT", "/hospitals/1", json!({ "hospitalNm": "Seoul", "chkDate": DATE, "capacity": 3 })).await;
        assert_eq!((edited.status, edited.text("hospitalNm")), (200, "Seoul"));
        assert_eq!(ward.seats(number).await, (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_sets_no_state_and_no_key() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    let wishes = json!({
        "hospitalId": number, "chkDate": DATE, "custNm": "MOON", "id": 77, "status": "FORCE_CANCELED", "reason": "full",
        "requestedAt": "1999-01-01T00:00:00Z",
    });
    let completed = ward.write("POST", "/screenings", wishes).await;
    Town::shows(&completed.body, &json!({ "id": 1, "status": "REQUEST_COMPLETED", "reason": null }));
    assert!(completed.text("requestedAt").starts_with("2026-12-31"));
    let wishes = json!({ "hospitalNm": "SK", "chkDate": DATE, "pcnt": 5, "capacity": 99, "closed": true });
    let registered = ward.write("POST", "/hospitals", wishes).await;
    Town::shows(&registered.body, &json!({ "pcnt": 5, "capacity": 5, "closed": false }));
    ward.adds_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_hospital_says_of_itself_tells_its_seats() {
    let ward = Ward::new().await;
    ward.hospital(2).await;
    ward.screening(1, "MOON").await;
    ward.write("PATCH", "/hospitals/1", json!({ "capacity": 4 })).await;
    ward.close(1).await;
    ward.settle().await;
    let public = ["HospitalRegistered", "HospitalChanged", "HospitalDeleted"];
    let facts = ward.journal("hospital").await;
    let said: Vec<Value> =
        facts.iter().filter(|fact| public.contains(&&*fact.name)).map(|fact| serde_json::from_str(&fact.body).unwrap()).collect();
    let of_samsung = json!({ "id": 1, "hospitalNm": "Samsung", "chkDate": DATE });
    for (fact, pcnt) in said.iter().zip([2, 3, 3]) {
        Town::shows(fact, &of_samsung);
        assert_eq!(fact["pcnt"], pcnt, "{fact}");
    }
    assert_eq!(said.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_hospitals_number_is_a_number_wherever_it_is_shown_and_only_hospital_shows_hospitals() {
    let ward = Ward::new().await;
    ward.hospital(2).await;
    let wish = json!({ "hospitalId": "1", "chkDate": DATE, "custNm": "MOON" });
    ward.write("POST", "/screenings", wish).await;
    ward.settle().await;
    for path in ["/screenings/1", "/reservations/1", "/myPages/1"] {
        assert_eq!(ward.get(path).await.body["hospitalId"], json!(1), "{path}");
    }
    let system = jumun_screening::system(&jumun_screening::Settings::default());
    let shows = |path: &str| {
        let at = |context: &&jumun_runtime::Context| context.doors().iter().any(|door| door.path() == path);
        system.contexts.iter().filter(at).map(|context| context.name).collect::<Vec<_>>()
    };
    assert_eq!(shows("/hospitals"), ["hospital"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_delivered_twice_has_one_effect_and_one_row() {
    let ward = Ward::new().await;
    let number = ward.hospital(9).await;
    for name in ["MOON", "JUNG", "MOON"] {
        ward.screening(number, name).await;
    }
    ward.cancel(1).await;
    ward.edit(2, json!({ "custNm": "YOU" })).await;
    ward.settle().await;
    let contexts = ["screening", "hospital", "reservation", "myPage", "marketing"];
    let journals = || async { join_all(contexts[..3].iter().map(|context| ward.journal(context))).await.concat().len() };
    let pages = || async { join_all(["/reservations", "/myPages", "/marketings"].map(|path| ward.all(path))).await };
    let before = (journals().await, pages().await);
    // a process that dies forgets how far it had read, as far as that was not saved; it is told again
    for context in contexts {
        ward.kill(context);
        ward.start(context).await;
    }
    ward.adds_up().await;
    assert_eq!((journals().await, pages().await), before);
    assert_eq!(before.1.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_moment_is_utc_to_the_millisecond_also_around_new_year() {
    let ward = Ward::new().await;
    let number = ward.hospital(2).await;
    let old = ward.request(number, "MOON").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let new = ward.request(number, "JUNG").await;
    for (screening, begins) in [(&old, "2026-12-31T23:59:59."), (&new, "2027-01-01T00:00:01.")] {
        let date = screening.text("requestedAt");
        assert!(date.starts_with(begins) && date.ends_with('Z') && date.len() == 24, "{date}");
    }
}

#[test]
fn the_page_about_the_predecessors_names_every_bug_and_only_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
    let page = read("docs/predecessors.md");
    for bug in (1..=17).map(|bug| format!("HS-{bug:02}")) {
        let lines: Vec<_> = page.lines().filter(|line| line.starts_with(&format!("| {bug} |"))).collect();
        let [line] = lines[..] else { panic!("{bug} has {} lines", lines.len()) };
        let named: Vec<_> = line.split("[`").skip(1).filter_map(|rest| rest.split_once(')')).collect();
        assert!(!named.is_empty(), "{bug} has no test");
        for (link, _) in named {
            let (name, file) = link.split_once("`](../").unwrap_or_else(|| panic!("{link} is no link to a test"));
            assert!(read(file).contains(&format!("fn {name}(")), "{file} has no {name}");
        }
    }
}
