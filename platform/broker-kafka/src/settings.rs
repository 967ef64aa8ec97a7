//! Where Kafka is, and how its clients behave.
use rdkafka::ClientConfig;
use std::time::Duration;

/// How long a reader may take nothing in before its parts go to others.
const MOST: Duration = Duration::from_secs(60);

/// Where the topic is, and how it is read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port`, several with commas.
    pub servers: String,
    /// The system's topic.
    pub topic: String,
    /// How many parts the topic gets if it has to be made; one that is there keeps its own.
    pub parts: u32,
    /// How many servers hold each part of a topic that is made; -1 for as many as the servers say.
    pub copies: i32,
    /// The name of this reader among those of its group: who comes back under it within `session` goes on with the parts it had,
    /// without a rebalance. Without a name its parts go to others at once when it leaves.
    pub instance: Option<String>,
    /// After how long without a sign of life a reader is taken for dead.
    pub session: Duration,
}
impl Settings {
    /// The topic at these servers, and the rest as it is usual.
    pub fn of(servers: impl Into<String>, topic: impl Into<String>) -> Self {
        Settings {
            servers: servers.into(),
            topic: topic.into(),
            parts: 6,
            copies: -1,
            instance: None,
            session: Duration::from_secs(6),
        }
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers).set("client.id", "jumun");
        // who was away is asked again soon
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "1000");
        config
    }
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config.set("acks", "all").set("enable.idempotence", "true");
        // no message is given up while others behind it get through: a gap would hide the fact in it from readers for ever
        config.set("message.timeout.ms", "0");
        // as Kafka's own clients place keys
        config.set("partitioner", "murmur2_random").set("linger.ms", "2");
        config
    }
    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config.set("group.id", group).set("partition.assignment.strategy", "cooperative-sticky");
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        // positions are the reader's own; one that the topic does not have leads to the first record, and marks leave out what was taken
        config.set("auto.offset.reset", "earliest");
        config.set("session.timeout.ms", self.session.as_millis().to_string());
        // who takes nothing in for that long holds up a group whose parts are to move; then it loses its own until it goes on
        config.set("max.poll.interval.ms", MOST.as_millis().max(self.session.as_millis()).to_string());
        // by its answer a reader learns that parts are to move
        config.set("heartbeat.interval.ms", (self.session.as_millis() / 5).min(500).to_string());
        config
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "50")
            .set("topic.metadata.refresh.interval.ms", "10000");
        config.set("queued.max.messages.kbytes", "16384");
        if let Some(instance) = &self.instance {
            config.set("group.instance.id", instance);
        }
        config
    }
}
