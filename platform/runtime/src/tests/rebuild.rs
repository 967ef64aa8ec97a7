//! A view is rebuilt while it is read and written: nobody sees a row go back, and none is missing.
use super::{
    rig::*,
    toys::{booking, mend},
};
use crate::rebuild::{Progress, Rebuild};
use jumun_store::{Change, Document, Query, Store, Write};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

async fn rebuilt(rig: &Rig) -> Rebuild {
    let page = rig.running("page");
    assert_eq!(page.rebuild("board").unwrap().state, Progress::Reading);
    until("it is rebuilt", async || page.rebuilding("board").filter(|rebuild| rebuild.state != Progress::Reading)).await
}
async fn stored(rig: &Rig) -> BTreeMap<u64, Document> {
    let all = Query { limit: u64::MAX, unlisted: true, ..Query::default() };
    rig.store("page").find("board", &all).await.unwrap().rows.into_iter().map(|row| (row.number, row)).collect()
}
async fn settled(rig: &Rig) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lag = rig.running("page").lag().await.unwrap();
    assert!(lag.iter().all(|(_, _, behind)| *behind == 0), "{lag:?}");
}
/// Rows as no fact made them: one that is wrong, and one that nobody spoke of.
async fn spoil(rig: &Rig, wrong: u64, ghost: u64) {
    let rows = stored(rig).await;
    let body: Arc<str> = json!({ "status": "Wrong", "seat": "", "facts": 99 }).to_string().into();
    let spoilt = |number: u64| Write {
        table: "board",
        number,
        expected: rows.get(&number).map_or(0, |row| row.revision),
        version: rows.get(&number).map_or(0, |row| row.version) + 1,
        listed: true,
        keys: vec![Some("Wrong".to_owned())],
        body: Arc::clone(&body),
        at: rig.now(),
        attempt: None,
        moment: None,
        marks: BTreeMap::new(),
    };
    let writes = vec![spoilt(wrong), spoilt(ghost)];
    rig.store("page").commit(Change { writes, ..Change::default() }).durably().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_view_is_as_its_facts_say_and_what_was_right_is_not_touched() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    for _ in 0..3 {
        rig.book(clinic).await.unwrap();
    }
    settled(&rig).await;
    let right = stored(&rig).await;
    let same = rebuilt(&rig).await;
    assert_eq!((same.state, same.differing, same.rows, stored(&rig).await), (Progress::Done, 0, 3, right.clone()), "{same:?}");
    spoil(&rig, 2, 77).await;
    let rebuild = rebuilt(&rig).await;
    let (facts, rows) = (rig.facts("booking").await.len() + rig.facts("clinic").await.len(), stored(&rig).await);
    assert_eq!((rebuild.state, rebuild.facts, rebuild.differing), (Progress::Done, facts as u64, 2), "{rebuild:?}");
    assert_eq!((rebuild.first[0].number, &rebuild.first[0].was.as_ref().unwrap()["status"]), (2, &json!("Wrong")));
    assert_eq!((rebuild.first[1].number, &rebuild.first[1].is), (77, &None));
    assert_eq!((&rows[&1], &rows[&3]), (&right[&1], &right[&3]), "their versions and places stay");
    assert_eq!((&rows[&2].body, rows[&2].version), (&right[&2].body, right[&2].version + 2), "its version goes on");
    assert!(rows[&2].seq > right[&3].seq && !rows[&77].listed);
    assert_eq!(rig.rows("/board").await.len(), 3);
    assert_eq!(rig.running("page").rebuild("nothing"), None);

    rig.stop("clinic").await;
    let failed = rebuilt(&rig).await;
    assert_eq!((failed.state, stored(&rig).await), (Progress::Failed, rows), "{failed:?}");
    assert!(failed.why.unwrap().contains("clinic"));
}

#[tokio::test(start_paused = true)]
async fn four_who_read_during_a_rebuild_under_writes_see_no_row_go_back_and_none_missing() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9_999).await;
    for _ in 0..300 {
        rig.book(clinic).await.unwrap();
    }
    rig.kill("page");
    rig.sync = Some(Duration::from_millis(3));
    rig.start("page").await;
    settled(&rig).await;
    spoil(&rig, 7, 9_000).await;
    let store = rig.store("page").clone();
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut seen, mut after) = (BTreeMap::<u64, (u64, u64, u64)>::new(), 0);
                loop {
                    let all = Query { limit: u64::MAX, ..Query::default() };
                    let rows = store.find("board", &all).await.unwrap().rows;
                    let facts = |row: &Document| serde_json::from_str::<Value>(&row.body).unwrap()["facts"].as_u64().unwrap();
                    let now: BTreeMap<_, _> = rows.iter().map(|row| (row.number, (row.version, row.seq, facts(row)))).collect();
                    for (number, before) in &seen {
                        let now = now.get(number).unwrap_or_else(|| panic!("row {number} is missing"));
                        let wrong = *number == 7 && before.2 >= 99; // it is mended
                        assert!(
                            now.0 >= before.0 && now.1 >= before.1 && (wrong || now.2 >= before.2),
                            "row {number} goes back from {before:?} to {now:?}"
                        );
                    }
                    seen = now.into_iter().filter(|(number, _)| *number != 9_000).collect();
                    // a stream that goes on from where it was hears of each write once
                    for row in store.changed("board", after, 500).await.unwrap() {
                        assert!(row.seq > after, "the stream goes back");
                        after = row.seq;
                    }
                    if rows.iter().any(|row| row.number == 400 && row.body.contains("Canceled")) {
                        return seen.len();
                    }
                    tokio::time::sleep(Duration::from_micros(300 + 100 * reader)).await;
                }
            })
        })
        .collect();
    let page = rig.running("page");
    for number in 301..=400 {
        let _ = page.rebuild("board"); // again as soon as the last one is done
        rig.book(clinic).await.unwrap();
        rig.patch("/bookings", number - 300, json!({ "Add": 1 })).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    rig.put("/bookings", 400, "cancel").await.unwrap();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 400);
    }
    let rebuild = until("the last is done", async || page.rebuilding("board").filter(|it| it.state != Progress::Reading)).await;
    assert_eq!((rebuild.state, rebuild.differing), (Progress::Done, 0), "{rebuild:?}");
    settled(&rig).await;
    let live = rig.rows("/board").await;
    assert_eq!(rebuilt(&rig).await.differing, 0);
    assert!(live.iter().all(|row| row["status"] != "Wrong"));
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_takes_in_what_was_set_aside_if_it_now_can() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9).await;
    rig.book(clinic).await.unwrap();
    for n in [17, 1] {
        rig.patch("/bookings", 1, json!({ "Add": n })).await.unwrap();
    }
    settled(&rig).await;
    let rebuild = rebuilt(&rig).await;
    assert_eq!((rebuild.differing, rebuild.aside), (0, 2), "as it is now");
    assert_eq!(rig.store("page").set_aside().await, Ok(2));
    rig.patch("/bookings", 1, json!({ "Add": 2 })).await.unwrap();
    settled(&rig).await;
    assert_eq!(rig.store("page").set_aside().await, Ok(3), "what comes later still waits");
    mend();
    rig.kill("page");
    rig.start("page").await;
    settled(&rig).await;
    assert_eq!(rebuilt(&rig).await.differing, 1);
    assert_eq!((rig.store("page").set_aside().await, rig.get("/board", 1).await["facts"].clone()), (Ok(0), json!(6)));
    rig.patch("/bookings", 1, json!({ "Add": 3 })).await.unwrap();
    until_is("it goes on", json!(7), async || rig.get("/board", 1).await["facts"].clone()).await;
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_that_dies_changes_nothing() {
    let mut rig = Rig::up(booking::Settings::default()).await;
    let clinic = rig.clinic(9_999).await;
    for _ in 0..40 {
        rig.book(clinic).await.unwrap();
    }
    settled(&rig).await;
    spoil(&rig, 7, 9_000).await;
    let before = stored(&rig).await;
    for refused in [true, false] {
        if refused {
            rig.store("page").refuse(1);
            assert_eq!(rebuilt(&rig).await.state, Progress::Failed);
        } else {
            rig.running("page").rebuild("board");
            rig.kill("page");
            rig.start("page").await;
            assert_eq!(rig.running("page").rebuilding("board"), None);
        }
        assert_eq!(stored(&rig).await, before);
    }
    assert_eq!(rebuilt(&rig).await.differing, 2);
    let wrong = rig.rows("/board").await.into_iter().filter(|row| row["status"] == "Wrong").collect::<Vec<Value>>();
    assert_eq!(wrong, [Value::Null; 0]);
}
