//! Traces to a collector, by OTLP over HTTP. Nobody waits for it, and it fails nobody: what it does not take is counted and let go.
use crate::config::Config;
use jumun_runtime::{Clock, traces::Spans};
use std::sync::Arc;

/// Who takes the spans of this system, as `otlp.endpoint` was set; none if it was not.
///
/// # Errors
/// One sentence on what was set and can not be.
pub(crate) fn spans(config: &Config, system: &'static str, clock: &Arc<dyn Clock>) -> Result<Option<Arc<dyn Spans>>, String> {
    config.set("otlp.endpoint").map(|endpoint| collector(endpoint, system, clock)).transpose()
}
#[cfg(not(feature = "otlp"))]
fn collector(endpoint: &str, _: &'static str, _: &Arc<dyn Clock>) -> Result<Arc<dyn Spans>, String> {
    Err(format!("this build sends no traces, so none to {endpoint}: build with `cargo build --release --features otlp`"))
}
#[cfg(feature = "otlp")]
fn collector(endpoint: &str, system: &'static str, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Spans>, String> {
    Ok(Arc::new(sending::Collector::at(endpoint, system, Arc::clone(clock))?))
}

#[cfg(feature = "otlp")]
mod sending {
    use async_trait::async_trait;
    use http_body_util::{BodyExt, Full};
    use hyper_util::{
        client::legacy::{Client, connect::HttpConnector},
        rt::TokioExecutor,
    };
    use jumun_runtime::{
        Clock,
        traces::{Deed, Span, Spans},
    };
    use opentelemetry::{
        InstrumentationScope, KeyValue, Value,
        trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
    };
    use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
    use opentelemetry_otlp::{Protocol, SpanExporter as Exporter, WithExportConfig, WithHttpConfig};
    use opentelemetry_sdk::{
        Resource,
        error::{OTelSdkError, OTelSdkResult},
        trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor},
    };
    use std::{
        collections::BTreeMap,
        fmt,
        sync::{
            Arc, Mutex, MutexGuard, PoisonError,
            atomic::{AtomicUsize, Ordering},
        },
        time::{Duration, UNIX_EPOCH},
    };
    use tokio::runtime::Handle;

    /// How many spans may wait to be sent; what comes on top of them is let go.
    pub(super) const WAITING: usize = 16_384;
    /// How many are sent at once.
    pub(super) const BATCH: usize = 2_048;
    /// How long a span waits for others to be sent with it.
    const GATHERED: Duration = Duration::from_secs(1);
    /// How long the collector may take to answer.
    const ANSWERED: Duration = Duration::from_secs(5);
    /// How long an orderly stop waits for what is still to be sent.
    const FLUSHED: Duration = Duration::from_secs(2);
    /// How often it is said that spans are lost.
    const SAID_EVERY: Duration = Duration::from_secs(60);

    /// A collector of traces, and what waits to be sent to it by a thread of its own.
    pub(super) struct Collector {
        sender: BatchSpanProcessor,
        waiting: Arc<AtomicUsize>,
        lost: Arc<Lost>,
    }
    impl Collector {
        /// Must be called where tasks run.
        pub(super) fn at(endpoint: &str, system: &'static str, clock: Arc<dyn Clock>) -> Result<Self, String> {
            let wrong = |why: &str| format!("otlp.endpoint = {endpoint:?} {why}, such as http://127.0.0.1:4318");
            if !endpoint.starts_with("http://") {
                return Err(wrong("is no URL that begins with http://"));
            }
            let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
            let client = Client::builder(TokioExecutor::new()).build_http();
            let client: Arc<dyn HttpClient> = Arc::new(Http { client, tasks: Handle::current() });
            let waiting = Arc::<AtomicUsize>::default();
            let lost = Arc::new(Lost { endpoint: endpoint.to_owned(), clock, unsaid: Mutex::default() });
            let to = ByContext { url, client, system, waiting: Arc::clone(&waiting), lost: Arc::clone(&lost) };
            to.exporter("").map_err(|why| wrong(&format!("can not be used ({why}); it must be a URL")))?;
            let sizes = BatchConfigBuilder::default().with_max_queue_size(WAITING).with_max_export_batch_size(BATCH);
            Ok(Collector { sender: BatchSpanProcessor::new(to, sizes.with_scheduled_delay(GATHERED).build()), waiting, lost })
        }
        #[cfg(test)]
        pub(super) fn lost_and_waiting(&self) -> (usize, usize) {
            (self.lost.unsaid().0, self.waiting.load(Ordering::Relaxed))
        }
    }
    impl Spans for Collector {
        fn ended(&self, span: Span) {
            if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING {
                self.sender.on_end(data(span));
            } else {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                self.lost.note(1, "too many wait to be sent");
            }
        }
        fn flush(&self) {
            let _ = self.sender.shutdown_with_timeout(FLUSHED);
            let left = self.waiting.load(Ordering::Relaxed);
            if left > 0 {
                tracing::warn!(left, endpoint = self.lost.endpoint, "stopped before all traces were sent");
            }
        }
    }

    /// What was not taken: counted, and said once in a while.
    struct Lost {
        endpoint: String,
        clock: Arc<dyn Clock>,
        /// How many since it was said last, and when that was.
        unsaid: Mutex<(usize, Option<Duration>)>,
    }
    impl fmt::Debug for Lost {
        fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(to, "lost on the way to {}", self.endpoint)
        }
    }
    impl Lost {
        fn unsaid(&self) -> MutexGuard<'_, (usize, Option<Duration>)> {
            self.unsaid.lock().unwrap_or_else(PoisonError::into_inner)
        }
        fn note(&self, many: usize, why: &str) {
            metrics::counter!("jumun_spans_lost_total").increment(many as u64);
            let now = self.clock.elapsed();
            let mut unsaid = self.unsaid();
            unsaid.0 += many;
            if unsaid.1.is_none_or(|said| now >= said + SAID_EVERY) {
                tracing::warn!(lost = unsaid.0, endpoint = self.endpoint, why, "traces are lost");
                *unsaid = (0, Some(now));
            }
        }
    }

    /// Sends each context's spans as a service of its own.
    #[derive(Debug)]
    struct ByContext {
        url: String,
        client: Arc<dyn HttpClient>,
        system: &'static str,
        waiting: Arc<AtomicUsize>,
        lost: Arc<Lost>,
    }
    impl ByContext {
        fn exporter(&self, context: &str) -> Result<Exporter, String> {
            let to = Exporter::builder().with_http().with_shared_http_client(Arc::clone(&self.client));
            let to = to.with_endpoint(&self.url).with_protocol(Protocol::HttpBinary).with_timeout(ANSWERED);
            let mut exporter = to.build().map_err(|why| why.to_string())?;
            let (name, of) = (KeyValue::new("service.name", context.to_owned()), KeyValue::new("service.namespace", self.system));
            let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
            exporter.set_resource(&Resource::builder_empty().with_attributes([name, of, version]).build());
            Ok(exporter)
        }
    }
    impl SpanExporter for ByContext {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
            let mut contexts: BTreeMap<String, Vec<SpanData>> = BTreeMap::new();
            for span in batch {
                contexts.entry(span.instrumentation_scope.name().to_owned()).or_default().push(span);
            }
            for (context, spans) in contexts {
                let many = spans.len();
                let sent = match self.exporter(&context) {
                    Ok(exporter) => exporter.export(spans).await,
                    Err(why) => Err(OTelSdkError::InternalFailure(why)),
                };
                if let Err(why) = sent {
                    self.lost.note(many, &why.to_string());
                }
            }
            Ok(())
        }
    }

    /// The client that we have anyway; the sender's own thread waits for what a task of ours does.
    #[derive(Debug)]
    struct Http {
        client: Client<HttpConnector, Full<Bytes>>,
        tasks: Handle,
    }
    #[async_trait]
    impl HttpClient for Http {
        async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let sent = self.client.request(request.map(Full::new));
            let answer = async {
                let (head, body) = sent.await?.into_parts();
                Ok::<_, HttpError>(Response::from_parts(head, body.collect().await?.to_bytes()))
            };
            self.tasks.spawn(async { tokio::time::timeout(ANSWERED, answer).await? }).await?
        }
    }

    fn data(span: Span) -> SpanData {
        let Span { place, parent, deed, context, name, about, began, took, failed } = span;
        let id = SpanId::from(place.span);
        let deed_is = format!("{deed:?}").to_lowercase();
        let where_and_what = [KeyValue::new("jumun.context", context), KeyValue::new("jumun.deed", deed_is)];
        let flags = TraceFlags::default().with_sampled(place.sampled);
        SpanData {
            span_context: SpanContext::new(TraceId::from(place.trace), id, flags, false, TraceState::default()),
            parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: deed == Deed::Door,
            span_kind: match deed {
                Deed::Door | Deed::Answer => SpanKind::Server,
                Deed::Command => SpanKind::Internal,
                Deed::Ask => SpanKind::Client,
                Deed::Policy | Deed::View => SpanKind::Consumer,
            },
            name: name.into(),
            start_time: UNIX_EPOCH + began,
            end_time: UNIX_EPOCH + began + took,
            attributes: about
                .into_iter()
                .map(|(what, value)| KeyValue::new(what, value_of(value)))
                .chain(where_and_what)
                .collect(),
            dropped_attributes_count: 0,
            events: Default::default(),
            links: Default::default(),
            status: if failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder(context).build(),
        }
    }
    /// A number is sent as one.
    fn value_of(text: String) -> Value {
        text.parse().map_or_else(|_| text.into(), Value::I64)
    }
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use super::sending::{BATCH, Collector, WAITING};
    use jumun_runtime::{
        Chance, SystemClock,
        traces::{Deed, Spans, Traces},
    };
    use std::{sync::Arc, time::Duration};
    use tokio::io::AsyncReadExt;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_never_answers_keeps_nobody_waiting_and_what_is_lost_is_counted() {
        let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (clock, many) = (Arc::new(SystemClock::start()), 3 * WAITING);
        let endpoint = format!("http://{}", deaf.local_addr().unwrap());
        let collector = Arc::new(Collector::at(&endpoint, "mall", clock.clone()).unwrap());
        let traces = Traces::to(collector.clone(), clock, Arc::new(Chance::fresh()));
        for _ in 0..many {
            drop(traces.begin(None, Deed::Command, "order", || "order Place".to_owned()));
        }
        // of what is let go the first one is said, the others will be in a minute; one batch is on its way
        let (lost, waiting) = collector.lost_and_waiting();
        assert!(waiting <= WAITING && lost + waiting + 1 + BATCH >= many, "{lost} lost, {waiting} waiting, of {many}");
        let asked = async {
            let (mut asked, mut head) = (deaf.accept().await.unwrap().0, [0; 15]);
            asked.read_exact(&mut head).await.unwrap();
            (asked, head)
        };
        let (_silent, head) = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it is asked");
        assert_eq!(&head, b"POST /v1/traces");
        let flushed = tokio::task::spawn_blocking(move || collector.flush());
        tokio::time::timeout(Duration::from_secs(20), flushed).await.expect("an orderly stop does not wait for it").unwrap();
    }
}
