//! Who may do what, and see what, where callers say who they are.
use crate::ward::{DATE, Ward};
use jumun_http::{Access, Known};
use jumun_testkit::Answer;
use serde_json::{Value, json};

/// Each by a token made of their name.
async fn known() -> Ward {
    let callers = [
        ("MOON", "customer"),
        ("JUNG", "customer"),
        ("desk", "front-desk"),
        ("admin", "hospital-administrator"),
        ("market", "marketer"),
    ];
    let known = callers.into_iter().fold(Known::default(), |known, (name, role)| {
        known.token(&format!("token-of-{name:0<8}"), name, vec![role.to_owned()]).unwrap()
    });
    Ward::knowing(Access::known(known)).await
}
async fn by(ward: &Ward, name: &str, method: &str, path: &str, body: Value) -> Answer {
    let token = format!("Bearer token-of-{name:0<8}");
    let head = [("authorization", &*token), ("content-type", "application/json")];
    ward.send(method, path, &head, if body.is_null() { "".into() } else { body.to_string().into() }).await
}

#[tokio::test(start_paused = true)]
async fn each_role_does_its_own_and_nothing_else() {
    let ward = known().await;
    let hospital = || json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 5 });
    let wish = || json!({ "hospitalId": 1, "chkDate": DATE });
    assert_eq!(ward.write("POST", "/hospitals", hospital()).await.status, 401);
    for name in ["MOON", "desk", "market"] {
        assert_eq!(by(&ward, name, "POST", "/hospitals", hospital()).await.status, 403, "{name}");
    }
    assert_eq!(by(&ward, "admin", "POST", "/hospitals", hospital()).await.status, 201);
    for name in ["admin", "market"] {
        assert_eq!(by(&ward, name, "POST", "/screenings", wish()).await.status, 403, "{name}");
    }
    let completed = by(&ward, "MOON", "POST", "/screenings", wish()).await;
    assert_eq!((completed.status, completed.text("custNm")), (201, "MOON"), "it bears its owner's name");
    ward.settle().await;
    for name in ["MOON", "desk", "market"] {
        assert_eq!(by(&ward, name, "DELETE", "/hospitals/1", Value::Null).await.status, 403, "{name}");
        assert_eq!(by(&ward, name, "PATCH", "/hospitals/1", json!({ "capacity": 9 })).await.status, 403, "{name}");
    }
    for (name, path, status) in [
        ("MOON", "/hospitals", 200),
        ("desk", "/hospitals", 200),
        ("market", "/hospitals", 403),
        ("desk", "/screenings/1", 200),
        ("admin", "/screenings/1", 403),
        ("admin", "/reservations/1", 200),
        ("desk", "/reservations/1", 200),
        ("market", "/reservations/1", 403),
        ("desk", "/myPages/1", 200),
        ("market", "/marketings", 200),
        ("MOON", "/marketings", 403),
        ("admin", "/marketings", 403),
    ] {
        assert_eq!(by(&ward, name, "GET", path, Value::Null).await.status, status, "{name} at {path}");
    }
    assert_eq!(by(&ward, "admin", "DELETE", "/hospitals/1", Value::Null).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_customer_reaches_their_own_rows_and_for_them_there_are_no_others() {
    let ward = known().await;
    by(&ward, "admin", "POST", "/hospitals", json!({ "hospitalNm": "Samsung", "chkDate": DATE, "pcnt": 5 })).await;
    for name in ["MOON", "JUNG", "MOON"] {
        let wish = json!({ "hospitalId": 1, "chkDate": DATE, "custNm": name });
        assert_eq!(by(&ward, name, "POST", "/screenings", wish).await.status, 201);
    }
    let for_another = json!({ "hospitalId": 1, "chkDate": DATE, "custNm": "JUNG" });
    assert_eq!(by(&ward, "MOON", "POST", "/screenings", for_another).await.no(), (403, "not-yours"));
    ward.settle().await;
    for path in ["/screenings", "/reservations", "/myPages"] {
        for (name, own) in [("MOON", vec![1, 3]), ("JUNG", vec![2]), ("desk", vec![1, 2, 3])] {
            let rows = by(&ward, name, "GET", path, Value::Null).await.rows();
            assert_eq!(rows.iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>(), own, "{name} at {path}");
        }
        assert_eq!(by(&ward, "JUNG", "GET", &format!("{path}/1"), Value::Null).await.no(), (404, "unknown"), "{path}");
    }
    for (method, path, body) in [
        ("PATCH", "/screenings/1", json!({ "status": "CANCELED" })),
        ("PATCH", "/screenings/1", json!({ "custNm": "JUNG" })),
        ("PUT", "/screenings/1/cancel", Value::Null),
    ] {
        let refused = by(&ward, "JUNG", method, path, body).await;
        assert!(matches!(refused.status, 403 | 404), "{method} {path}: {refused:?}");
    }
    assert_eq!(by(&ward, "desk", "GET", "/screenings/1", Value::Null).await.text("status"), "REQUEST_COMPLETED");
    assert_eq!(by(&ward, "MOON", "PATCH", "/screenings/1", json!({ "status": "CANCELED" })).await.status, 200);
}
