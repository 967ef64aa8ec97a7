//! The suite that every broker passes, on a real Apache Kafka; and what only that can do.
use crate::{Kafka, Settings};
use jumun_broker::{Broker, Event, Member, from_the_first, suite};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
};
use std::{
    collections::BTreeSet,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The server, as scripts/test has started it.
fn server(what: &str) -> String {
    std::env::var(what).unwrap_or_else(|_| panic!("{what} names a server; scripts/test starts one"))
}
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A topic of its own.
struct Topic {
    settings: Settings,
    broker: Kafka,
}
impl Topic {
    async fn fresh() -> Self {
        let name = format!("jumun-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let settings = Settings { copies: 1, ..Settings::of(server("JUMUN_TEST_KAFKA"), name) };
        Topic { broker: Kafka::open(settings.clone()).await.expect("the server answers"), settings }
    }
}
impl suite::Place for Topic {
    const PARTS: u32 = 6;
    async fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(Kafka::open(self.settings.clone()).await.expect("the server answers"))
    }
    async fn put(&self, key: &str, headers: &[(&str, &str)], body: &str) {
        let with = |to: OwnedHeaders, (name, value): &(&str, &str)| to.insert(Header { key: name, value: Some(*value) });
        let headers = headers.iter().fold(OwnedHeaders::new(), with);
        let record = FutureRecord::to(&self.settings.topic).key(key).payload(body).headers(headers);
        let sent = self.broker.lock().send_result(record).map_err(|(why, _)| why).unwrap();
        sent.await.unwrap().map_err(|(why, _)| why).unwrap();
    }
    /// The server stands still, as one does whose machine does.
    async fn away(&self, away: bool) {
        let pid = server("JUMUN_TEST_KAFKA_PID");
        let done = Command::new("kill").args([if away { "-STOP" } else { "-CONT" }, &pid]).status().unwrap();
        assert!(done.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_passes_the_suite() {
    println!("Apache Kafka {}", server("JUMUN_TEST_KAFKA_VERSION"));
    suite::all(Topic::fresh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_server_that_is_said_in_one_sentence() {
    let settings = Settings::of("127.0.0.1:9", "nobody");
    let no = tokio::time::timeout(Duration::from_secs(30), Kafka::open(settings)).await.expect("it gives up").err().unwrap();
    assert!(no.to_string().starts_with("Kafka at 127.0.0.1:9"), "{no}");
}

/// As many events as it takes to have that many parts.
async fn parts(member: &mut dyn Member, parts: &mut BTreeSet<u32>, wanted: usize) {
    let read = async {
        while parts.len() != wanted {
            match member.next().await.unwrap() {
                Event::Given(part) => assert!(parts.insert(part)),
                Event::Taken(part) => assert!(parts.remove(&part)),
                Event::Records(..) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("the group settles");
}

/// A name is for a process that is restarted: nobody's parts move, and it need not wait until it was missed.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_under_its_name_has_its_parts_and_nobody_elses_move() {
    let topic = Topic::fresh().await;
    let named = |name: &str| {
        let settings = topic.settings.clone();
        Settings { instance: Some(name.to_owned()), session: Duration::from_secs(40), ..settings }
    };
    let (first, second) = (Kafka::open(named("shop-0")).await.unwrap(), Kafka::open(named("shop-1")).await.unwrap());
    let (mut stays, mut its) = (first.join("shop", from_the_first()).await.unwrap(), BTreeSet::new());
    parts(&mut *stays, &mut its, 6).await;
    let (mut restarts, mut others) = (second.join("shop", from_the_first()).await.unwrap(), BTreeSet::new());
    futures_util::future::join(parts(&mut *stays, &mut its, 3), parts(&mut *restarts, &mut others, 3)).await;
    drop(restarts);
    tokio::time::sleep(Duration::from_secs(2)).await; // not a wait for something: how long it is gone is what is tried
    let (mut restarted, mut again) = (second.join("shop", from_the_first()).await.unwrap(), BTreeSet::new());
    parts(&mut *restarted, &mut again, 3).await;
    assert_eq!(again, others);
    let moved = tokio::time::timeout(Duration::from_secs(1), stays.next()).await;
    assert!(moved.is_err(), "its parts moved: {moved:?}");
}
