//! Starting and stopping: a context while the rest runs, a system as a whole.
use crate::{
    asks::{Answering, Asked, Hub, Lines, Transport, Unanswered},
    context::Context,
    core::{Core, Settings},
    door::Collection,
    journals::Journals,
    lately::Lately,
    ports::{Chance, Clock, Tasks},
    reactor,
    rebuild::Rebuilds,
    shelf::Shelf,
    traces::{Deed, Traces},
    viewer::Shown,
};
use futures_util::future::BoxFuture;
use jumun_store::Store;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::oneshot;

/// A system: its contexts, whom they ask outside, and where it listens.
pub struct System {
    /// Its name.
    pub name: &'static str,
    /// The topic on which its facts are published between processes.
    pub topic: &'static str,
    /// Its contexts.
    pub contexts: Vec<Context>,
    /// Providers behind ports, by the name under which they are asked.
    pub providers: Vec<(&'static str, Arc<dyn Answering>)>,
}

/// What a system is made of that does not hold together.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Inconsistent {
    /// Two things of one name.
    #[error("{0} is there twice")]
    Twice(String),
    /// A policy or view for a context that is not there.
    #[error("{who} of {context} follows {publisher}, which is not there")]
    NobodyPublishes {
        /// The context.
        context: &'static str,
        /// The policy or view.
        who: &'static str,
        /// The publisher.
        publisher: &'static str,
    },
    /// An ask that nobody answers.
    #[error("{context} asks {of} for {ask}, which nobody answers")]
    NobodyAnswers {
        /// The context.
        context: &'static str,
        /// Who is asked.
        of: &'static str,
        /// What.
        ask: &'static str,
    },
    /// An ask that a state owes, and that the wiring does not name.
    #[error("{context} owes {of} the ask {ask}, which its wiring does not name")]
    NotNamed {
        /// The context.
        context: &'static str,
        /// Who would be asked.
        of: &'static str,
        /// What.
        ask: &'static str,
    },
    /// A policy that wants nothing, whatever its publisher says.
    #[error("{policy} of {context} wants nothing of anything that {publisher} says")]
    NeverWanted {
        /// The context.
        context: &'static str,
        /// The policy.
        policy: &'static str,
        /// The publisher.
        publisher: &'static str,
    },
    /// A rule, or its fold, that panics over one of its own examples.
    #[error("{of} of {context} panics over {command}")]
    Stumbles {
        /// The context.
        context: &'static str,
        /// The aggregate or pool.
        of: &'static str,
        /// The command.
        command: String,
    },
    /// A line of a door that nobody may use.
    #[error("{0} has a line without a role")]
    NoRole(&'static str),
    /// Rows with an owner who can not be found by that.
    #[error("{path} names its owners by {key}, which is none of its keys")]
    NoSuchKey {
        /// The door.
        path: &'static str,
        /// The key.
        key: &'static str,
    },
}

impl System {
    /// Whether it holds together: everybody who is followed is there, every ask is answered, nothing is there twice; and, as far as
    /// the rules have examples, every policy wants something, every ask that is owed is named, and no rule panics.
    pub fn check(&self) -> Vec<Inconsistent> {
        let mut found = Vec::new();
        let mut once = BTreeSet::new();
        let mut names = |what: String| {
            if once.insert(what.clone()) { None } else { Some(Inconsistent::Twice(what)) }
        };
        for context in &self.contexts {
            found.extend(names(format!("the context {}", context.name)));
            found.extend(names(format!("the port {}", context.port)));
            found.extend(context.layout().iter().filter_map(|table| names(format!("{} in {}", table.name, context.name))));
            found.extend(context.doors().iter().filter_map(|door| names(format!("the path {}", door.path()))));
            let open = context
                .doors()
                .iter()
                .filter(|door| door.lines().iter().any(|line| line.roles.iter().any(|role| role.is_empty())));
            found.extend(open.map(|door| Inconsistent::NoRole(door.path())));
            let owned = context.doors().iter().filter_map(|door| Some((door, door.sight().owner()?.0)));
            let lost = owned.filter(|(door, key)| !door.keys().contains(key));
            found.extend(lost.map(|(door, key)| Inconsistent::NoSuchKey { path: door.path(), key }));
            let mut arrows = BTreeSet::new();
            for arrow in context.arrows() {
                // position and marks are kept under name and publisher, wherever it leads
                if !arrows.insert((arrow.name, arrow.from)) {
                    found.push(Inconsistent::Twice(format!("{} in {}", arrow.name, context.name)));
                }
                let publishes = |other: &Context| other.name == arrow.from && !other.parts.publishes.is_empty();
                if !self.contexts.iter().any(publishes) {
                    found.push(Inconsistent::NobodyPublishes { context: context.name, who: arrow.name, publisher: arrow.from });
                }
            }
            for (of, ask) in context.asks() {
                let answered = self.contexts.iter().any(|other| other.name == of && other.answers().contains(&ask));
                if !answered && !self.providers.iter().any(|(name, _)| *name == of) {
                    found.push(Inconsistent::NobodyAnswers { context: context.name, of, ask });
                }
            }
        }
        found.extend(self.check_by_probing());
        found
    }
}

/// What contexts of one process share.
#[derive(Clone)]
pub struct Neighbourhood {
    /// Who answers.
    pub hub: Arc<Hub>,
    /// How asks are sent; the hub itself in one process, or something that a test puts in between.
    pub transport: Arc<dyn Transport>,
    /// Whose journals can be read.
    pub journals: Arc<Journals>,
    /// What happened lately and left no fact.
    pub lately: Arc<Lately>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<Chance>,
    /// See [`Settings`].
    pub settings: Settings,
    /// Where spans go; nowhere, unless set.
    pub traces: Traces,
    /// Which of those who are asked are providers outside: asked by errands, with a shorter try.
    pub providers: BTreeSet<&'static str>,
}
impl Neighbourhood {
    /// Everything in one process, with the system's providers at hand.
    pub fn of(system: &System, clock: Arc<dyn Clock>, chance: Arc<Chance>, settings: Settings) -> Self {
        let hub = Arc::new(Hub::default());
        for (name, provider) in &system.providers {
            hub.join(name, Arc::clone(provider));
        }
        let providers = system.providers.iter().map(|(name, _)| *name).collect();
        let transport = Arc::clone(&hub) as Arc<dyn Transport>;
        Neighbourhood {
            transport,
            hub,
            journals: Arc::default(),
            lately: Arc::default(),
            clock,
            chance,
            settings,
            traces: Traces::default(),
            providers,
        }
    }
}

/// A context that runs.
pub struct Running {
    /// What it shares with its parts.
    pub core: Arc<Core>,
    context: Arc<Context>,
    neighbourhood: Neighbourhood,
}

struct Answerer {
    core: Arc<Core>,
    context: Arc<Context>,
}
impl Answering for Answerer {
    fn answer(&self, mut asked: Asked) -> BoxFuture<'static, Result<Value, Unanswered>> {
        let (core, context) = (Arc::clone(&self.core), Arc::clone(&self.context));
        let (tell, told) = oneshot::channel();
        let for_task = Arc::clone(&core);
        core.tasks.spawn(async move {
            let mut span =
                for_task.traces.begin(asked.trace.as_deref(), Deed::Answer, context.name, || format!("answer {}", asked.name));
            span.about("jumun.case", &asked.case).about("jumun.ask", &asked.key);
            asked.trace = span.leads(asked.trace.as_ref());
            let answer = match context.parts.answers.iter().find(|answers| answers.name() == asked.name) {
                Some(answers) => answers.answer(&for_task, &asked).await,
                None => Err(Unanswered::NotSent(format!("{} does not answer {}", context.name, asked.name))),
            };
            span.failed(answer.is_err());
            let _ = tell.send(answer); // whoever asked may be gone
        });
        Box::pin(
            async move { told.await.unwrap_or_else(|_| Err(Unanswered::Unknown("it was stopped while it answered".into()))) },
        )
    }
}

impl Running {
    /// Starts a context on its store.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn start(
        context: Arc<Context>,
        store: Arc<dyn Store>,
        neighbourhood: &Neighbourhood,
    ) -> Result<Self, jumun_store::StoreError> {
        store.release_leases(neighbourhood.clock.now()).await?;
        let running = Running::at_rest(context, store, neighbourhood);
        let (core, context) = (&running.core, &running.context);
        neighbourhood.hub.join(context.name, Arc::new(Answerer { core: Arc::clone(core), context: Arc::clone(context) }));
        core.tasks.spawn(Arc::clone(core).forget_keys());
        for kept in &context.kept {
            core.tasks.spawn(kept.keep_promises(Arc::clone(core)));
        }
        for sweeping in &context.parts.sweeping {
            core.tasks.spawn(Arc::clone(sweeping).run(Arc::clone(core)));
        }
        for reaction in &context.parts.reactions {
            core.tasks.spawn(reactor::follow(Arc::clone(core), Arc::clone(reaction)));
        }
        for shown in &context.shown {
            core.tasks.spawn(Shown::feed(Arc::clone(shown), Arc::clone(core)));
        }
        Ok(running)
    }

    /// A context on its store, to be looked at and mended: it answers nobody, follows nobody, and keeps no promises by itself.
    pub fn at_rest(context: Arc<Context>, store: Arc<dyn Store>, neighbourhood: &Neighbourhood) -> Self {
        let Neighbourhood { transport, journals, lately, clock, chance, settings, traces, providers, .. } = neighbourhood.clone();
        context.kept.iter().for_each(|kept| kept.forget());
        let asked: BTreeSet<_> = context.asks().into_iter().map(|(of, _)| of).collect();
        let try_for = |of| (of, if providers.contains(of) { settings.errand_try } else { settings.ask_try });
        let lines = Lines::new(context.name, asked.into_iter().map(try_for), transport, &settings);
        let core = Arc::new(Core {
            context: context.name,
            store: Arc::clone(&store),
            clock,
            chance,
            tasks: Tasks::default(),
            lines,
            settings,
            traces,
            journals: Arc::clone(&journals),
            lately,
            shelf: Shelf::default(),
            rebuilds: Rebuilds::default(),
        });
        journals.open(context.name, Some(store));
        Running { core, context, neighbourhood: neighbourhood.clone() }
    }

    /// The context.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }
    /// Its collections.
    pub fn doors(&self) -> &[Arc<dyn Collection>] {
        self.context.doors()
    }
    /// Whom it asks, and how that line stands.
    pub fn lines(&self) -> Vec<(&'static str, jumun_resilience::State)> {
        self.core.lines.states(self.core.clock.elapsed())
    }

    fn leave(&self) {
        self.neighbourhood.hub.leave(self.context.name);
        self.neighbourhood.journals.open(self.context.name, None);
    }
    /// Stops it: it takes nothing more in, finishes what it is at, and closes its store.
    ///
    /// # Errors
    /// The store could not be closed cleanly; nothing acknowledged is lost.
    pub async fn stop(self) -> Result<(), jumun_store::StoreError> {
        self.leave();
        self.core.tasks.finish(self.core.settings.drain).await;
        self.core.store.close().await
    }
    /// Ends it at once, as a dying process does.
    pub fn kill(self) {
        self.core.tasks.kill();
        self.leave();
    }
}
