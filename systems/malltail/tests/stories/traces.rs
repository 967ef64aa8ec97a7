//! What led to what, told as one trace from the request at the door to the last row.
use crate::mall::Mall;
use axum::body::Body;
use jumun_malltail::{Settings, provider::Dial};
use jumun_runtime::traces::{Span, Spans};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Spans, kept in memory.
#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);
impl Spans for Kept {
    fn ended(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}
impl Kept {
    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }
    fn find(&self, name: &str) -> Span {
        let spans = self.spans();
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}")).clone()
    }
    /// What followed from that one, as a tree of lines.
    fn tree(&self, of: &Span) -> String {
        let mut lines = String::new();
        self.grow(of, 0, &mut lines);
        lines
    }
    fn grow(&self, span: &Span, depth: usize, lines: &mut String) {
        lines.push_str(&format!("{}{}: {}\n", "  ".repeat(depth), span.context, span.name));
        let mut children = self.spans();
        children.retain(|child| child.place.trace == span.place.trace && child.parent == Some(span.place.span));
        children.sort_by_key(|child| (child.began, child.context, child.name.clone()));
        for child in &children {
            assert!(child.began >= span.began, "{child:?} began before {span:?}, which led to it");
            self.grow(child, depth + 1, lines);
        }
    }
}
fn about<'a>(span: &'a Span, what: &str) -> &'a str {
    span.about.iter().find(|(name, _)| *name == what).map_or("", |(_, value)| value)
}

const ORDER: &str = "\
order: POST /orders
  order: order Place
    order: ask pay charge
      pay: answer charge
        pay: ask provider charge
        pay: payment Charge
          shop: policy OrderInfoUpdate
            shop: shopManagement NotePaid
          viewPage: view statusViews
    order: order Paid
      shop: policy ListedWhenEstablished
        shop: shopManagement NoteEstablished
          viewPage: view statusViews
      viewPage: view statusViews
    viewPage: view statusViews
";

#[tokio::test(start_paused = true)]
async fn an_order_is_one_trace_from_the_door_to_the_last_row() {
    let kept = Arc::new(Kept::default());
    let mall = Mall::traced(Settings::default(), kept.clone()).await;
    let number = mall.order().await;
    let door = kept.find("POST /orders");
    let tree = kept.tree(&door);
    assert_eq!(tree, ORDER, "\n{tree}");
    assert_eq!(kept.spans().iter().filter(|span| span.place.trace == door.place.trace).count(), tree.lines().count());
    let case = format!("order/{number}");
    assert!(kept.spans().iter().all(|span| about(span, "jumun.case") == case && !span.failed), "{:#?}", kept.spans());
    assert_eq!((door.parent, about(&door, "http.response.status_code")), (None, "201"));
    assert_eq!(about(&kept.find("ask provider charge"), "jumun.outcome"), "answered");
    assert_eq!(about(&kept.find("policy OrderInfoUpdate"), "jumun.fact"), "pay/payment/1@1");
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_a_client_began_is_gone_on_with_unless_nobody_wants_it() {
    let kept = Arc::new(Kept::default());
    let mall = Mall::traced(Settings::default(), kept.clone()).await;
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (flags, wanted) in [("00", false), ("01", true)] {
        let head = [("traceparent", format!("00-{trace}-{span}-{flags}"))];
        let head = head.each_ref().map(|(name, value)| (*name, &**value));
        mall.send("POST", "/orders", &head, Body::from("{\"itemNo\":1}")).await;
        mall.settle().await;
        assert_eq!(!kept.spans().is_empty(), wanted, "{:#?}", kept.spans());
    }
    assert!(kept.spans().iter().all(|span| format!("{:032x}", span.place.trace) == trace));
    assert_eq!(kept.find("POST /orders").parent.map(|parent| format!("{parent:016x}")).as_deref(), Some(span));
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_after_a_crash_belongs_to_the_trace_that_led_to_it() {
    let kept = Arc::new(Kept::default());
    let mall = Mall::traced(Settings::default(), kept.clone()).await;
    mall.stop("pay").await;
    assert_eq!(mall.post(json!({ "itemNo": 1 })).await.status, 202);
    mall.kill("order");
    mall.start("order").await;
    mall.start("pay").await;
    mall.settle().await;
    let place = kept.find("order Place");
    for name in ["ask pay charge", "order Paid"] {
        let last = kept.spans().into_iter().rfind(|span| span.name == name).unwrap();
        assert_eq!((last.place.trace, last.parent), (place.place.trace, Some(place.place.span)), "{last:?}");
    }
    assert_eq!(about(&kept.find("ask pay charge"), "jumun.outcome"), "not sent");
    assert!(kept.spans().iter().all(|span| span.place.trace == place.place.trace), "{:#?}", kept.spans());
}

#[tokio::test(start_paused = true)]
async fn a_moment_that_comes_belongs_to_the_trace_of_what_waited_for_it() {
    let kept = Arc::new(Kept::default());
    let settings = Settings { payment_window: Duration::from_secs(60), ..Settings::default() };
    let mall = Mall::traced(settings, kept.clone()).await;
    mall.dial(Dial { outage: true, ..Dial::default() });
    assert_eq!(mall.post(json!({ "itemNo": 1 })).await.status, 202);
    mall.until("/orders/1", "orderStatus", "PaymentFailed").await;
    let (place, late) = (kept.find("order Place"), kept.find("order GiveUp"));
    assert_eq!((late.place.trace, late.parent), (place.place.trace, Some(place.place.span)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_spans_at_the_same_times() {
    let told = async || {
        let kept = Arc::new(Kept::default());
        Mall::traced(Settings::default(), kept.clone()).await.order().await;
        kept.spans().iter().map(|span| format!("{span:?}")).collect::<Vec<_>>()
    };
    assert_eq!(told().await, told().await);
}
