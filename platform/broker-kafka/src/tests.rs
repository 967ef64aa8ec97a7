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
/// What one test does to the server is none of another's business.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

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
        let pid = std::fs::read_to_string(server("JUMUN_TEST_KAFKA_PID")).unwrap();
        let done = Command::new("kill").args([if away { "-STOP" } else { "-CONT" }, &pid]).status().unwrap();
        assert!(done.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_passes_the_suite() {
    let _alone = ALONE.lock().await;
    println!("Apache Kafka {}", server("JUMUN_TEST_KAFKA_VERSION"));
    suite::all(Topic::fresh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_server_that_is_said_in_one_sentence() {
    let settings = Settings::of("127.0.0.1:9", "nobody");
    let no = tokio::time::timeout(Duration::from_secs(30), Kafka::open(settings)).await.expect("it gives up").err().unwrap();
    assert!(no.to_string().starts_with("Kafka at 127.0.0.1:9"), "{no}");
}

/// Killed and started again by whoever keeps it, while facts are published and read.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_and_comes_back_has_lost_nothing_and_everybody_goes_on() {
    let _alone = ALONE.lock().await;
    let Topic { broker, .. } = Topic::fresh().await;
    let mut member = broker.join("shop", from_the_first()).await.unwrap();
    let mut read = BTreeSet::new();
    let (mut published, mut killed) = (0, false);
    let both = async {
        let publishing = async {
            for version in 1..=400 {
                broker.publish(&[suite::said(1 + version % 12, version)]).await.expect("it waits as long as it takes");
                published = version;
                if version == 100 && !killed {
                    killed = true;
                    assert!(Command::new("kill").args(["-USR1", &server("JUMUN_TEST_KAFKA_KEEPER")]).status().unwrap().success());
                }
            }
        };
        let reading = async {
            while read.len() < 400 {
                if let Event::Records(_, records) = member.next().await.expect("the reader goes on") {
                    read.extend(records.into_iter().map(|record| record.fact.expect("it is a fact").version));
                }
            }
        };
        futures_util::future::join(publishing, reading).await
    };
    tokio::time::timeout(Duration::from_secs(120), both).await.expect("all is published, and read");
    assert_eq!((published, read.into_iter().collect::<Vec<_>>()), (400, (1..=400).collect()));
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
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("the group settles");
}

/// A name is for a process that is restarted: nobody's parts move, and it need not wait until it was missed.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_under_its_name_has_its_parts_and_nobody_elses_move() {
    let _alone = ALONE.lock().await;
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
