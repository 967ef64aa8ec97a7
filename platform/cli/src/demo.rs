//! `jumun demo`: a system plays its story in memory, and tells it as a timeline.
use crate::config::Config;
use jumun_model::{Caller, Timestamp};
use jumun_runtime::{
    Built, Chance, Clock, Dialed, Neighbourhood, Offer, Running, Step, Surroundings, SystemClock,
    door::{Call, Collection, Problem, Reply, Shape, Verb},
};
use jumun_store::{Fact, MemoryDisk, MemoryStore};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long a step may take to settle; the story's longest wait is a retry.
const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    clock: Arc<dyn Clock>,
    began: Timestamp,
    running: Vec<Running>,
    dials: Vec<(&'static str, Arc<dyn Dialed>)>,
    told: BTreeMap<&'static str, u64>,
}

pub(crate) async fn demo(offer: &Offer, config: &Config) -> Result<(), String> {
    let (clock, chance): (Arc<dyn Clock>, _) = (Arc::new(SystemClock::start()), Arc::new(Chance::fresh()));
    let around = Surroundings { data: None, clock: Arc::clone(&clock), chance: Arc::clone(&chance) };
    let Built { system, dials } = (offer.build)(&config.of(offer.name), &around)?;
    let neighbourhood = Neighbourhood::of(&system, Arc::clone(&clock), chance, config.platform()?);
    let mut running = Vec::new();
    for context in system.contexts {
        let store = MemoryStore::open(&MemoryDisk::new(), context.layout()).map_err(|why| why.to_string())?;
        running.push(Running::start(Arc::new(context), Arc::new(store), &neighbourhood).await.map_err(|why| why.to_string())?);
    }
    let began = clock.now();
    let mut stage = Stage { clock, began, running, dials, told: BTreeMap::new() };
    for step in offer.story {
        stage.play(step).await?;
    }
    Ok(())
}

impl Stage {
    async fn play(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Say(sentence) => say!("\n{sentence}"),
            Step::Open(path, body) => {
                say!("\n  > POST {path} {body}");
                let call = self.call(path, None, |verb| verb == Verb::Open, body).await?;
                self.answer(call).await?;
            }
            Step::Command(path, number, name) => {
                say!("\n  > PUT {path}/{number}/{name}");
                let call = self.call(path, Some(number), |verb| verb == Verb::Command(name), "null").await?;
                self.answer(call).await?;
            }
            Step::Turn(dial, to) => {
                say!("\n  ~ {dial}: {to}");
                let (_, dial) = self.dials.iter().find(|(name, _)| *name == dial).ok_or_else(|| format!("no dial {dial}"))?;
                let mut shown = dial.show();
                if let (Some(fields), Ok(Value::Object(wanted))) = (shown.as_object_mut(), serde_json::from_str(to)) {
                    fields.extend(wanted);
                }
                dial.turn(shown)?;
            }
            Step::See(path, number) => {
                self.settle().await?;
                self.tell().await?;
                let (running, door) = self.door(path)?;
                let by = Caller::system();
                let seen = door.item(&running.core, number, &by).await;
                say!("\n  > GET {path}/{number}");
                match seen {
                    Ok(shape) => say!("    {}", brief(&shape.body)),
                    Err(problem) => say!("    {}", problem.detail),
                }
            }
        }
        Ok(())
    }

    fn door(&self, path: &str) -> Result<(&Running, &Arc<dyn Collection>), String> {
        let doors = self.running.iter().flat_map(|running| running.doors().iter().map(move |door| (running, door)));
        doors.into_iter().find(|(_, door)| door.path() == path).ok_or_else(|| format!("no door {path}"))
    }

    async fn call(
        &self,
        path: &str,
        number: Option<u64>,
        line: impl Fn(Verb) -> bool,
        body: &str,
    ) -> Result<Result<Reply, Problem>, String> {
        let (running, door) = self.door(path)?;
        let line = door.lines().iter().position(|known| line(known.verb)).ok_or_else(|| format!("no such line at {path}"))?;
        let body = serde_json::from_str(body).map_err(|why| why.to_string())?;
        let call = Call { number, body, by: Caller::system(), key: None, at_version: None, trace: None };
        Ok(door.call(&running.core, line, call).await)
    }

    async fn answer(&mut self, answer: Result<Reply, Problem>) -> Result<(), String> {
        let shown = |what: &str, shape: &Shape| say!("    {what}: {}", brief(&shape.body));
        match &answer {
            Ok(Reply::Opened(shape)) => shown("created", shape),
            Ok(Reply::Done(shape)) => shown("done", shape),
            Ok(Reply::NotYet(shape)) => shown("taken, look again a little later", shape),
            Err(problem) => say!("    refused ({}): {}", problem.code, problem.detail),
        }
        self.tell().await
    }

    /// Waits until nothing is owed and everybody has read everything.
    async fn settle(&self) -> Result<(), String> {
        let until = self.clock.elapsed() + PATIENCE;
        loop {
            let mut open = 0;
            for running in &self.running {
                open += running.lag().await.map_err(|why| why.to_string())?.iter().map(|(_, _, facts)| facts).sum::<u64>();
                open += running.owed().await.map_err(|why| why.to_string())?.iter().map(|(_, owed)| owed).sum::<u64>();
            }
            if open == 0 {
                return Ok(());
            }
            if self.clock.elapsed() > until {
                return Err(format!("not settled within {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Tells the facts since it told the last ones.
    async fn tell(&mut self) -> Result<(), String> {
        let mut facts: Vec<Fact> = Vec::new();
        for running in &self.running {
            let told = self.told.entry(running.core.context).or_default();
            let new = running.core.store.tail(*told, 1000).await.map_err(|why| why.to_string())?;
            *told = new.last().map_or(*told, |fact| fact.seq);
            facts.extend(new);
        }
        facts.sort_by_key(|fact| (fact.at, fact.seq));
        for fact in facts {
            let since = fact.at.since(self.began);
            say!("    {:>6} ms  {:<9} {:<10} {}", since.as_millis(), fact.context, fact.case.to_string(), fact.name);
        }
        Ok(())
    }
}

/// A row in one line: what is not empty.
fn brief(body: &Map<String, Value>) -> String {
    let fields = body.iter().filter(|(name, value)| !value.is_null() && !name.ends_with("Date"));
    fields
        .map(|(name, value)| format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect::<Vec<_>>()
        .join(" · ")
}
