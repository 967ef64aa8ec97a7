//! The wire from one context to those that it asks.
use crate::{
    pilot::{Passage, Pilot, When},
    world::Life,
};
use futures_util::future::BoxFuture;
use jumun_runtime::{Asked, Hub, Transport, Unanswered};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) hub: Arc<Hub>,
    pub(crate) life: Arc<Life>,
    pub(crate) pilot: Arc<Pilot>,
    pub(crate) providers: Arc<BTreeSet<&'static str>>,
}
type Answer = Result<Value, Unanswered>;
type Tell = Arc<Mutex<Option<oneshot::Sender<Answer>>>>;

impl Transport for Wire {
    fn send(&self, asked: Asked) -> BoxFuture<'static, Answer> {
        let wire = self.clone();
        Box::pin(async move {
            if wire.life.is_over() {
                return pending().await; // the dead say nothing
            }
            let passage = wire.pilot.enter(wire.life.context, "transport.send", format_args!("{asked:?}"));
            if passage.dies == Some(When::Before) {
                wire.life.end();
                return pending().await;
            }
            let fate = wire.pilot.fate();
            if fate.not_sent {
                return Err(Unanswered::NotSent("no connection".to_owned()));
            }
            let (tell, told) = oneshot::channel();
            let tell: Tell = Arc::new(Mutex::new(Some(tell)));
            for takes in fate.copies {
                // on its way by itself: it arrives even if whoever asked is gone by then
                tokio::spawn(wire.clone().deliver(asked.clone(), takes, Arc::clone(&tell)));
            }
            drop(tell);
            let answer = match told.await {
                Ok(answer) if !fate.reply_lost => answer,
                _ => pending().await,
            };
            tokio::time::sleep(fate.reply_takes).await;
            if passage.dies == Some(When::After) {
                wire.life.end();
                return pending().await;
            }
            if let Some(takes) = passage.takes {
                tokio::time::sleep(takes).await;
            }
            answer
        })
    }
}
impl Wire {
    async fn deliver(self, asked: Asked, takes: Duration, tell: Tell) {
        tokio::time::sleep(takes).await;
        // a provider is outside: what happens there happens whoever is dead here
        let passage = if self.providers.contains(asked.of) && !self.life.is_over() {
            self.pilot.enter(self.life.context, "provider.answer", format_args!("{asked:?}"))
        } else {
            Passage::default()
        };
        if passage.dies == Some(When::Before) {
            self.life.end();
        }
        let answer = self.hub.send(asked).await;
        if passage.dies == Some(When::After) {
            self.life.end();
        }
        if let Some(takes) = passage.takes {
            tokio::time::sleep(takes).await;
        }
        if let Some(tell) = tell.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = tell.send(answer);
        }
    }
}
