//! A reader of a group: librdkafka's consumer, polled on a thread of its own.
use crate::settings::Settings;
use jumun_broker::{Begins, BrokerError, Envelope, Event, Member, Record, Unreadable, Waiting};
use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    message::{BorrowedMessage, Headers},
    types::RDKafkaRespErr,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{runtime::Handle, sync::mpsc, sync::oneshot};

/// How many records are read ahead of who takes them in; above it nothing is polled. The client's own queue is bounded as well.
const AHEAD: usize = 4_096;
/// How many records go together at most.
const BATCH: usize = 512;
/// How long a poll waits. Nobody wants a record sooner than it comes; this is how soon a reader that leaves is noticed.
const POLL: Duration = Duration::from_millis(100);

/// How soon it is looked again whether there is room.
const ROOM: Duration = Duration::from_millis(5);

type Told = Result<Event, BrokerError>;

/// What the thread and its owner share.
struct Shared {
    /// Records handed over and not taken in yet.
    ahead: AtomicUsize,
    leaves: AtomicBool,
}

pub(crate) struct Reader {
    events: mpsc::UnboundedReceiver<Told>,
    shared: Arc<Shared>,
    gone: Option<oneshot::Receiver<()>>,
}

/// Told of what the group decides, in the middle of a poll.
struct Seat {
    begins: Arc<dyn Begins>,
    runtime: Handle,
    events: mpsc::UnboundedSender<Told>,
}
impl ClientContext for Seat {}
impl ConsumerContext for Seat {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, parts: &mut TopicPartitionList) {
        let numbers = parts.elements().iter().map(|part| (part.topic().to_owned(), part.partition())).collect::<Vec<_>>();
        let changed = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            for (topic, part) in &numbers {
                let at = self.runtime.block_on(self.begins.at(part.unsigned_abs()));
                let _ = self.events.send(Ok(Event::Given(part.unsigned_abs())));
                let _ = parts.set_partition_offset(topic, *part, Offset::Offset(at.cast_signed()));
            }
            consumer.incremental_assign(parts)
        } else {
            for (_, part) in &numbers {
                let _ = self.events.send(Ok(Event::Taken(part.unsigned_abs())));
            }
            consumer.incremental_unassign(parts)
        };
        if let Err(why) = changed {
            tracing::warn!(%why, "Kafka: the parts of a reader could not be changed");
        }
    }
}

pub(crate) fn join(settings: &Settings, group: &str, begins: Arc<dyn Begins>) -> KafkaResult<Reader> {
    let (to, events) = mpsc::unbounded_channel();
    let (left, gone) = oneshot::channel();
    let shared = Arc::new(Shared { ahead: AtomicUsize::new(0), leaves: AtomicBool::new(false) });
    let seat = Seat { begins, runtime: Handle::current(), events: to };
    let consumer: BaseConsumer<Seat> = settings.consumer(group).create_with_context(seat)?;
    consumer.subscribe(&[&settings.topic])?;
    let told = Arc::clone(&shared);
    let read = move || {
        read(&consumer, &told);
        drop(consumer); // leaves the group
        let _ = left.send(());
    };
    let named = thread::Builder::new().name(format!("kafka {group}")).spawn(read);
    named.map_err(|why| KafkaError::ClientCreation(why.to_string()))?;
    Ok(Reader { events, shared, gone: Some(gone) })
}

/// Polls as long as somebody reads.
fn read(consumer: &BaseConsumer<Seat>, shared: &Shared) {
    let events = consumer.context().events.clone();
    while !shared.leaves.load(Ordering::Acquire) && !events.is_closed() {
        if shared.ahead.load(Ordering::Acquire) >= AHEAD {
            thread::park_timeout(ROOM);
            continue;
        }
        let mut batch = Vec::new();
        let mut wait = POLL;
        while batch.len() < BATCH {
            match consumer.poll(wait) {
                Some(Ok(message)) => batch.push((message.partition().unsigned_abs(), record(&message))),
                Some(Err(why)) => {
                    if let Some((code, why)) = consumer.client().fatal_error() {
                        let _ = events
                            .send(Err(BrokerError(format!("Kafka will not let this reader read any more: {why} ({code})"))));
                        return;
                    }
                    tracing::debug!(%why, "Kafka: a reader waits"); // it is away, say, and the client tries again by itself
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        shared.ahead.fetch_add(batch.len(), Ordering::AcqRel);
        for event in by_part(batch) {
            let _ = events.send(Ok(event));
        }
    }
}

/// Neighbours of one part go together.
fn by_part(batch: Vec<(u32, Record)>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (part, record) in batch {
        match events.last_mut() {
            Some(Event::Records(same, records)) if *same == part => records.push(record),
            _ => events.push(Event::Records(part, vec![record])),
        }
    }
    events
}
fn record(message: &BorrowedMessage<'_>) -> Record {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let headers = message.headers().into_iter().flat_map(Headers::iter).map(|header| (header.key.to_owned(), text(header.value)));
    let headers = headers.collect::<Vec<_>>();
    let fact = match message.payload().map(std::str::from_utf8) {
        Some(Ok(body)) => Envelope::read(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())), body),
        Some(Err(why)) => Err(Unreadable { why: format!("it is no text: {why}"), body: text(message.payload()) }),
        None => Err(Unreadable { why: "it has no body".to_owned(), body: String::new() }),
    };
    Record { offset: message.offset().unsigned_abs(), fact }
}

impl Member for Reader {
    fn next(&mut self) -> Waiting<'_, Event> {
        Box::pin(async {
            let ended = || BrokerError("Kafka: this reader has left".to_owned());
            let event = self.events.recv().await.ok_or_else(ended)??;
            if let Event::Records(_, records) = &event {
                self.shared.ahead.fetch_sub(records.len(), Ordering::AcqRel);
            }
            Ok(event)
        })
    }
    fn leave(mut self: Box<Self>) -> Waiting<'static, ()> {
        self.shared.leaves.store(true, Ordering::Release);
        let gone = self.gone.take();
        Box::pin(async move {
            if let Some(gone) = gone {
                let _ = gone.await;
            }
            drop(self);
            Ok(())
        })
    }
}
impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.leaves.store(true, Ordering::Release);
    }
}
