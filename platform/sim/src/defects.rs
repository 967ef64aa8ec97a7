//! Defects are counted by the runtime in its metrics; a run reads them there.
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// By what the defect is.
pub(crate) type Found = BTreeMap<String, u64>;

#[derive(Clone, Default)]
pub(crate) struct Defects(Arc<Mutex<Found>>);
impl Defects {
    pub(crate) fn found(&self) -> Found {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
struct One(Defects, String);
impl CounterFn for One {
    fn increment(&self, by: u64) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner).entry(self.1.clone()).or_default() += by;
    }
    fn absolute(&self, _: u64) {}
}
impl Recorder for Defects {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() != "jumun_defects_total" {
            return Counter::noop();
        }
        let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
        Counter::from_arc(Arc::new(One(self.clone(), labels.join(" "))))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
