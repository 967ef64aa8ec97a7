#![doc = include_str!("../README.md")]
mod member;
mod settings;
#[cfg(all(test, feature = "server"))]
mod tests;

pub use settings::Settings;

use futures_util::future::join_all;
use jumun_broker::{Begins, Broker, BrokerError, Envelope, Member, Waiting};
use jumun_store::Fact;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer, future_producer::DeliveryFuture},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long it waits for a server when it opens.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how long it looks again whether there is room.
const AGAIN: Duration = Duration::from_millis(10);

/// One system's topic on Apache Kafka.
pub struct Kafka {
    settings: Settings,
    producer: Mutex<FutureProducer>,
}

fn error(what: &str, why: impl std::fmt::Display) -> BrokerError {
    BrokerError(format!("{what}: {why}"))
}

impl Kafka {
    /// Connects, and makes the topic if there is none.
    ///
    /// # Errors
    /// The servers can not be reached, or refuse.
    pub async fn open(settings: Settings) -> Result<Self, BrokerError> {
        let at = format!("Kafka at {}", settings.servers);
        let admin: AdminClient<DefaultClientContext> = settings.client().create().map_err(|why| error(&at, why))?;
        let topic = NewTopic::new(&settings.topic, settings.parts as i32, TopicReplication::Fixed(settings.copies));
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        for made in admin.create_topics([&topic], &options).await.map_err(|why| error(&at, why))? {
            if let Err((_, why)) = made
                .or_else(|(topic, why)| if why == RDKafkaErrorCode::TopicAlreadyExists { Ok(topic) } else { Err((topic, why)) })
            {
                return Err(error(&format!("{at} can not make the topic {}", settings.topic), why));
            }
        }
        let producer = Mutex::new(settings.producer().create().map_err(|why| error(&at, why))?);
        Ok(Kafka { settings, producer })
    }

    fn lock(&self) -> MutexGuard<'_, FutureProducer> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a fact in line, as soon as there is room. The order in line is the order in the topic.
    async fn line_up(&self, fact: &Fact) -> Result<DeliveryFuture, BrokerError> {
        let Envelope { key, headers, body } = Envelope::of(fact);
        let with = |to: OwnedHeaders, (name, value): &(&'static str, String)| to.insert(Header { key: name, value: Some(value) });
        let headers = headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), with);
        loop {
            let record = FutureRecord::to(&self.settings.topic)
                .key(&key)
                .payload(&*body)
                .timestamp(fact.at.millis())
                .headers(headers.clone());
            let sent = self.lock().send_result(record);
            match sent {
                Ok(delivery) => return Ok(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => tokio::time::sleep(AGAIN).await,
                Err((why, _)) => return Err(self.failed(&why)),
            }
        }
    }
    /// A producer that has met a fatal error never sends again; another one goes on.
    fn failed(&self, why: &KafkaError) -> BrokerError {
        let mut producer = self.lock();
        if producer.client().fatal_error().is_some()
            && let Ok(fresh) = self.settings.producer().create()
        {
            *producer = fresh;
        }
        error(&format!("Kafka at {} did not take a fact", self.settings.servers), why)
    }
}

impl Broker for Kafka {
    fn publish<'a>(&'a self, facts: &'a [Fact]) -> Waiting<'a, ()> {
        Box::pin(async move {
            let mut lined_up = Vec::with_capacity(facts.len());
            for fact in facts {
                lined_up.push(self.line_up(fact).await?);
            }
            for delivered in join_all(lined_up).await {
                match delivered {
                    Ok(Ok(_)) => {}
                    Ok(Err((why, _))) => return Err(self.failed(&why)),
                    Err(_) => return Err(error("Kafka", "its producer was closed")),
                }
            }
            Ok(())
        })
    }
    fn join<'a>(&'a self, group: &'a str, begins: Arc<dyn Begins>) -> Waiting<'a, Box<dyn Member>> {
        let joined = member::join(&self.settings, group, begins).map_err(|why| error("Kafka", why));
        Box::pin(std::future::ready(joined.map(|member| Box::new(member) as Box<dyn Member>)))
    }
}
