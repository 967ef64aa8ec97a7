//! What a document owes: asks carried out, tried again and swept; moments that ring.
use super::{
    Desk, Failure, Wish,
    held::{Held, load},
};
use crate::{
    asks::{Asked, Unanswered},
    core::Core,
    keeping::Keeping,
};
use futures_util::future::BoxFuture;
use jumun_model::{Asking, Case, Timestamp};
use jumun_store::Attempt;
use std::sync::Arc;

/// What became of a moment.
pub(crate) enum Rung {
    /// It had come, and its command was handled.
    Done,
    /// It had come, but its command changed nothing: a defect.
    InVain,
    /// It has not come, or there is none any more.
    NotYet,
}

impl<K: Keeping> Desk<K> {
    /// Reads from the state what it owes now. A new ask's first try is ours, in the same commit.
    pub(super) fn owe(
        &self,
        core: &Core,
        held: &mut Held<K>,
        number: u64,
        at: Timestamp,
    ) -> Option<(Asking<K::Command>, Attempt)> {
        let owes = K::owes(&held.root, &Case::new(K::ROOT, number), &self.settings);
        held.moment = owes.moment.map(|moment| moment.at);
        let ask = owes.ask.as_ref().map(|ask| (ask.of, ask.name));
        let begun = Attempt::owe(&mut held.attempt, ask, held.version, at + core.settings.lease);
        owes.ask.zip(begun)
    }

    /// Asks what is owed, and handles what the answer leads to.
    pub(super) fn carry_out(
        self: Arc<Self>,
        core: Arc<Core>,
        case: Case,
        ask: Asking<K::Command>,
        attempt: Attempt,
        trace: Option<Arc<str>>,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.carried_out(&core, case, ask, attempt, trace).await })
    }

    async fn carried_out(
        self: &Arc<Self>,
        core: &Arc<Core>,
        case: Case,
        ask: Asking<K::Command>,
        attempt: Attempt,
        trace: Option<Arc<str>>,
    ) {
        let key = attempt.key(&case);
        let outcome = core
            .ask(Asked { of: ask.of, name: ask.name, case: case.clone(), key: key.clone(), body: ask.body, trace: trace.clone() })
            .await;
        let sent = !matches!(outcome, Err(Unanswered::NotSent(_)));
        let command = match outcome {
            Ok(answer) => (ask.then)(answer).unwrap_or_else(|why| {
                core.defect("answer", &format!("{case}: {} of {} answers what can not be read: {why}", ask.name, ask.of));
                None
            }),
            Err(Unanswered::NotSent(_)) => ask.not_sent.filter(|_| !attempt.sent),
            Err(Unanswered::Unknown(_)) => None,
        };
        if let Some(command) = command {
            let mut wish = Wish::of_system(&case, command);
            (wish.cause, wish.trace) = (Some(&*key), trace.as_deref());
            wish.at_try = (!sent).then_some(&attempt); // whoever came later may have sent it
            match self.handle(core, wish).await {
                Ok(state) if !state.owing => return,
                Ok(_) => {} // if it is the same that is still owed, then after a pause
                Err(Failure::Refused(no)) => {
                    core.defect("outcome", &format!("{case}: an outcome of {} was refused: {no}", attempt.step));
                }
                Err(_) => {} // tried again when it is due
            }
        }
        self.try_again(core, case.number, &attempt, sent).await;
    }

    /// The try has ended without an outcome: the next one is due after a pause that doubles, unless another has the lease by now, or the
    /// state has moved on.
    async fn try_again(&self, core: &Arc<Core>, number: u64, tried: &Attempt, sent: bool) {
        let slot = self.slot(number);
        let mut guard = slot.held.lock().await;
        let Ok(held) = load::<K>(&mut guard, core, number).await else { return };
        let Some(attempt) = held.attempt.as_mut().filter(|attempt| attempt.is_with(tried)) else { return };
        attempt.fail(sent, core.clock.now() + core.settings.backoff.delay(attempt.tries, core.chance.draw()));
        let (due, moment) = held.wake_at();
        let write = held.rewrite(core, number);
        drop(guard);
        if self.durably(&slot, write).await.is_ok() {
            self.alarms.set(due, moment);
        }
    }

    /// Claims what is due at `now` and carries it out; whether there was anything to claim.
    pub(crate) async fn sweep(self: &Arc<Self>, core: &Arc<Core>, number: u64) -> Result<bool, Failure<K::Refusal>> {
        let now = core.clock.now();
        let slot = self.slot(number);
        let mut guard = slot.held.lock().await;
        let held = load::<K>(&mut guard, core, number).await?;
        let case = Case::new(K::ROOT, number);
        let Some(ask) = K::owes(&held.root, &case, &self.settings).ask else { return Ok(false) };
        let Some(attempt) = held.attempt.as_mut() else { return Ok(false) };
        if !attempt.claim(now, now + core.settings.lease) {
            return Ok(false);
        }
        let attempt = attempt.clone();
        let write = held.rewrite(core, number);
        drop(guard);
        self.durably(&slot, write).await?;
        let trace = core.trace_of(K::NAME, &case, attempt.began_at()).await;
        Arc::clone(self).carry_out(Arc::clone(core), case, ask, attempt, trace).await;
        Ok(true)
    }

    /// Handles the command of a moment, if it has come.
    pub(crate) async fn ring(self: &Arc<Self>, core: &Arc<Core>, number: u64) -> Result<Rung, Failure<K::Refusal>> {
        let case = Case::new(K::ROOT, number);
        let state = self.state(core, number).await?;
        let owes = K::owes(&state.root, &case, &self.settings);
        let Some(moment) = owes.moment.filter(|moment| moment.at <= core.clock.now()) else { return Ok(Rung::NotYet) };
        let trace = core.trace_of(K::NAME, &case, state.version).await;
        match self.handle(core, Wish { trace: trace.as_deref(), ..Wish::of_system(&case, moment.command) }).await {
            Ok(after) if after.version == state.version => {
                core.defect("moment", &format!("{case}: the command of a moment changed nothing"));
                Ok(Rung::InVain)
            }
            Ok(_) => Ok(Rung::Done),
            Err(Failure::Refused(no)) => {
                core.defect("moment", &format!("{case}: the command of a moment was refused: {no}"));
                Ok(Rung::InVain)
            }
            Err(why) => Err(why),
        }
    }
}
