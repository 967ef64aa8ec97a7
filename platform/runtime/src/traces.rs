//! What led to what, across contexts: spans of W3C traces, given to whoever takes them. Nobody does unless told, and then nothing
//! here costs anything.
use crate::ports::{Chance, Clock, lock};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Who takes spans in. It must not wait, and can not fail: what it can not take it lets go.
pub trait Spans: Send + Sync {
    /// Takes in a span that has ended.
    fn ended(&self, span: Span);
    /// Hands on what it still has, or lets go of it, within a short while: the process is about to end.
    fn flush(&self) {}
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A request at a door.
    Door,
    /// A command, from the wish to the durable change.
    Command,
    /// A question to another context or a provider, until it is answered.
    Ask,
    /// A question of another context, answered.
    Answer,
    /// A fact that a policy takes in.
    Policy,
    /// A fact that a view takes in.
    View,
}

/// Something that was done, and where in a trace. It names things and numbers them; what concerns a person is not in it.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it stands.
    pub place: Place,
    /// The span that led to it.
    pub parent: Option<u64>,
    /// What it is of.
    pub deed: Deed,
    /// Where it was done.
    pub context: &'static str,
    /// One of as many as the code has: without numbers.
    pub name: String,
    /// What else is to be known.
    pub about: Vec<(&'static str, String)>,
    /// When it began, since 1970.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Whether it failed by our fault; a refusal is an answer.
    pub failed: bool,
}

/// A place in a trace, as the W3C writes it: `00-<trace>-<span>-<flags>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The trace.
    pub trace: u128,
    /// The span.
    pub span: u64,
    /// Whether whoever began the trace wants it kept.
    pub sampled: bool,
}
impl Place {
    /// At the beginning of a trace of its own.
    pub fn new(chance: &Chance) -> Self {
        let trace = u128::from(chance.draw()) << 64 | u128::from(chance.draw() | 1);
        Place { trace, span: chance.draw() | 1, sampled: true }
    }
    /// Reads one; none if it is not of that form, or an id is all zeros.
    pub fn read(text: &str) -> Option<Self> {
        let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let mut parts = text.split('-');
        let mut next = |length: usize| parts.next().filter(|part| part.len() == length && lower(part));
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let place = Place {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (version == "00" && parts.next().is_none() && place.trace > 0 && place.span > 0).then_some(place)
    }
}
impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Where spans go; by default nowhere.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<To>>);
struct To {
    spans: Arc<dyn Spans>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    /// The time of day at the origin of the clock's elapsed time, which is the finer of both.
    origin: Mutex<Duration>,
}
impl To {
    /// Since 1970. The time of day is in milliseconds and may be set; it is only followed where it is far off.
    fn now(&self) -> Duration {
        let (elapsed, day) = (self.clock.elapsed(), Duration::from_millis(self.clock.now().millis().unsigned_abs()));
        let mut origin = lock(&self.origin);
        if (*origin + elapsed).abs_diff(day) > Duration::from_secs(1) {
            *origin = day.saturating_sub(elapsed);
        }
        *origin + elapsed
    }
}

impl Traces {
    /// To these, on this clock; ids are drawn from that chance.
    pub fn to(spans: Arc<dyn Spans>, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Self {
        Traces(Some(Arc::new(To { spans, clock, chance, origin: Mutex::default() })))
    }
    /// Whether anybody takes spans in.
    pub const fn are_kept(&self) -> bool {
        self.0.is_some()
    }
    /// Begins a span in the trace that led here, or in one of its own. It is none if nobody takes it, or the trace is not wanted.
    pub fn begin(&self, led_by: Option<&str>, deed: Deed, context: &'static str, name: impl FnOnce() -> String) -> Underway {
        Underway(self.0.as_ref().and_then(|to| {
            let parent = led_by.and_then(Place::read);
            if parent.is_some_and(|parent| !parent.sampled) {
                return None;
            }
            let place = match parent {
                Some(parent) => Place { span: to.chance.draw() | 1, ..parent },
                None => Place::new(&to.chance),
            };
            let span = Span {
                place,
                parent: parent.map(|parent| parent.span),
                deed,
                context,
                name: name(),
                about: Vec::new(),
                began: to.now(),
                took: Duration::ZERO,
                failed: false,
            };
            Some(Box::new((Arc::clone(to), span)))
        }))
    }
}

/// A span under way; it ends when this is dropped, as it does when whoever waited for it is gone.
#[must_use = "a span ends when it is dropped"]
pub struct Underway(Option<Box<(Arc<To>, Span)>>);
impl Underway {
    /// Adds what is to be known of it.
    pub fn about(&mut self, what: &'static str, value: impl fmt::Display) -> &mut Self {
        if let Some((_, span)) = self.0.as_deref_mut() {
            span.about.push((what, value.to_string()));
        }
        self
    }
    /// It has a better name by now.
    pub fn named(&mut self, name: impl FnOnce() -> String) {
        if let Some((_, span)) = self.0.as_deref_mut() {
            span.name = name();
        }
    }
    /// It failed by our fault, or it did not.
    pub fn failed(&mut self, failed: bool) {
        if let Some((_, span)) = self.0.as_deref_mut() {
            span.failed = failed;
        }
    }
    /// What it leads to belongs here; if there is no span, to what led here.
    pub fn leads(&self, led_by: Option<&Arc<str>>) -> Option<Arc<str>> {
        self.place().map(|place| place.to_string().into()).or_else(|| led_by.cloned())
    }
    /// Its place; none if there is no span.
    pub fn place(&self) -> Option<Place> {
        self.0.as_deref().map(|(_, span)| span.place)
    }
    /// It was not worth a span.
    pub fn forget(mut self) {
        self.0 = None;
    }
}
impl Drop for Underway {
    fn drop(&mut self) {
        if let Some((to, mut span)) = self.0.take().map(|both| *both) {
            span.took = to.now().saturating_sub(span.began);
            to.spans.ended(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let written = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let place = Place::read(written).unwrap();
        assert_eq!((place.trace >> 96, place.span & 0xfff, place.sampled), (0x4bf9_2f35, 0x2b7, true));
        assert_eq!(place.to_string(), written);
        let ours = Place::new(&Chance::seeded(1));
        assert_eq!(Place::read(&ours.to_string()), Some(ours));
        assert_eq!(ours, Place::new(&Chance::seeded(1)));
    }
}
