//! `jumun up`: a whole system in one process.
use crate::{
    callers,
    config::Config,
    metrics::{self, Metrics},
    otlp,
    stores::Stores,
};
use axum::Router;
use jumun_console::Console;
use jumun_gateway::{Gateway, GatewayRoute, Rate, Upstream, edged};
use jumun_http::{Access, BodyLimit, House, Limits, Phrases, guarded};
use jumun_runtime::{
    Built, Chance, Clock, Context, Dialed, Neighbourhood, Offer, Running, Stand, Surroundings, SystemClock,
    door::OPERATOR,
    traces::{Spans, Traces},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    task::JoinHandle,
};

/// The gateway's and the operators' local ports, before any offset.
const GATEWAY: u16 = 8088;
pub(crate) const OPERATORS: u16 = 8089;

/// What `up` was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) data: PathBuf,
    pub(crate) listen: IpAddr,
    pub(crate) port_offset: u16,
    pub(crate) without: Vec<String>,
}

/// A system that is up: each context is started and stopped on its own.
pub(crate) struct Town {
    told: Told,
    stores: Stores,
    neighbourhood: Neighbourhood,
    house: HouseParts,
    board: String,
    access: Access,
    limits: Limits,
    body: BodyLimit,
    ready: AtomicBool,
    lodgings: BTreeMap<&'static str, Lodging>,
    pub(crate) dials: Vec<(&'static str, Arc<dyn Dialed>)>,
}
struct HouseParts {
    system: &'static str,
    metrics: Metrics,
    phrases: Arc<Phrases>,
}
/// A context's place: there whether it runs or not.
struct Lodging {
    context: Arc<Context>,
    upstream: Arc<Upstream>,
    guest: Mutex<Option<Guest>>,
}
/// A context that runs, or is looked at.
struct Guest {
    running: Running,
    /// Its door; none while it is at rest.
    door: Option<Door>,
}
struct Door {
    server: Server,
    ready: watch::Sender<bool>,
}
/// Something that listens.
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}
impl Server {
    pub(crate) fn start(listener: TcpListener, router: Router, limits: Limits) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        Server { stop, task: tokio::spawn(jumun_http::serve(listener, router, limits, until)) }
    }
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if let Ok(Err(why)) = self.task.await {
            tracing::warn!(%why, "a listener did not end cleanly");
        }
    }
}

impl Town {
    /// Starts a context that does not run; nothing if it does.
    pub(crate) async fn open(&self, name: &str) -> Result<(), String> {
        let lodging = self.lodgings.get(name).ok_or_else(|| format!("{} has no context {name}", self.house.system))?;
        let mut guest = lodging.guest.lock().await;
        if guest.is_some() {
            return Ok(());
        }
        let context = &lodging.context;
        let listener = listen(self.told.listen, context.port, self.told.port_offset, context.name).await?;
        let store = self.stores.open(context, self.file(name)).await?;
        let running = Running::start(Arc::clone(context), store, &self.neighbourhood)
            .await
            .map_err(|why| format!("{name} can not start: {why}"))?;
        let (set_ready, ready) = watch::channel(self.ready.load(Ordering::Acquire));
        let house = House {
            system: self.house.system,
            metrics: Arc::clone(&self.house.metrics),
            phrases: Arc::clone(&self.house.phrases),
            ready,
            body: self.body,
            access: self.access.clone(),
        };
        let router = jumun_http::router(&running, &house);
        lodging.upstream.set(Some(router.clone()));
        *guest =
            Some(Guest { running, door: Some(Door { server: Server::start(listener, router, self.limits), ready: set_ready }) });
        Ok(())
    }
    fn file(&self, name: &str) -> PathBuf {
        self.told.data.join(format!("{name}.db"))
    }

    /// Stops a context: it finishes what it is at. Nothing if it does not run.
    pub(crate) async fn close(&self, name: &str) -> Result<(), String> {
        let lodging = self.lodgings.get(name).ok_or_else(|| format!("{} has no context {name}", self.house.system))?;
        if let Some(Guest { running, door }) = lodging.guest.lock().await.take() {
            if let Some(Door { server, ready }) = door {
                ready.send_replace(false); // streams end, probes say so
                lodging.upstream.set(None);
                server.stop().await;
            }
            running.stop().await.map_err(|why| format!("{name} did not stop cleanly: {why}"))?;
        }
        Ok(())
    }

    /// Stops every context.
    pub(crate) async fn close_all(&self) -> Result<(), String> {
        let mut failed = None;
        for name in self.lodgings.keys() {
            if let Err(why) = self.close(name).await {
                failed = Some(why);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    pub(crate) fn system(&self) -> &'static str {
        self.house.system
    }
    /// All metrics of the process.
    pub(crate) fn metrics(&self) -> String {
        (self.house.metrics)()
    }
    /// The board, drawn.
    pub(crate) fn board(&self) -> &str {
        &self.board
    }
    /// The contexts' names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.lodgings.keys().copied()
    }
    /// What kinds of cases there are.
    pub(crate) fn roots(&self) -> BTreeSet<&'static str> {
        self.lodgings.values().flat_map(|lodging| lodging.context.roots()).collect()
    }
    /// How a context stands that does not run.
    pub(crate) fn at_rest(&self, name: &str) -> Stand {
        self.lodgings[name].context.at_rest()
    }
    /// Does something with a context, if it runs.
    pub(crate) async fn with<T>(&self, name: &str, what: impl AsyncFnOnce(&Running) -> T) -> Option<T> {
        match &*self.lodgings.get(name)?.guest.lock().await {
            Some(guest) => Some(what(&guest.running).await),
            None => None,
        }
    }

    /// Whether new requests are welcome, at every door.
    async fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
        for lodging in self.lodgings.values() {
            if let Some(Guest { door: Some(door), .. }) = &*lodging.guest.lock().await {
                door.ready.send_replace(ready);
            }
        }
    }

    /// The contexts, and whether each runs.
    pub(crate) async fn contexts(&self) -> Vec<(&'static str, u16, bool)> {
        let mut all = Vec::new();
        for (name, lodging) in &self.lodgings {
            all.push((*name, lodging.context.port + self.told.port_offset, lodging.guest.lock().await.is_some()));
        }
        all.sort_by_key(|(_, port, _)| *port);
        all
    }
}

async fn listen(to: IpAddr, port: u16, offset: u16, who: &str) -> Result<TcpListener, String> {
    let port = port.checked_add(offset).ok_or_else(|| format!("port {port} + {offset} for {who} is no port"))?;
    let address = SocketAddr::new(to, port);
    TcpListener::bind(address).await.map_err(|why| match why.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("port {port} for {who} is in use; stop what uses it, or move all ports with --port-offset 100")
        }
        _ => format!("{who} can not listen on {address}: {why}"),
    })
}

/// A town with nobody in it yet. `ledgers` is where what is outside of the contexts keeps files of its own.
fn built(
    offer: &Offer,
    config: &Config,
    ledgers: Option<&Path>,
    told: Told,
    access: Access,
    metrics: Metrics,
    spans: Option<Arc<dyn Spans>>,
) -> Result<Arc<Town>, String> {
    let (clock, chance): (Arc<dyn Clock>, _) = (Arc::new(SystemClock::start()), Arc::new(Chance::fresh()));
    let around = Surroundings { data: ledgers, clock: Arc::clone(&clock), chance: Arc::clone(&chance) };
    let Built { system, dials } = (offer.build)(&config.of(offer.name), &around)?;
    if let Some(wrong) = system.check().first() {
        return Err(format!("{} does not hold together: {wrong}", system.name));
    }
    let traces = spans.map(|spans| Traces::to(spans, Arc::clone(&clock), Arc::clone(&chance))).unwrap_or_default();
    let neighbourhood = Neighbourhood { traces, ..Neighbourhood::of(&system, clock, chance, config.platform()?) };
    let phrases = Arc::new(Phrases::new(offer.phrases).map_err(|why| why.to_string())?);
    let board = system.board().svg();
    let lodging = |context: Context| {
        let (upstream, context) = (Upstream::named(context.name), Arc::new(context));
        (context.name, Lodging { context, upstream, guest: Mutex::new(None) })
    };
    Ok(Arc::new(Town {
        stores: Stores::read(config, system.contexts.iter().map(|context| context.name))?,
        told,
        neighbourhood,
        house: HouseParts { system: system.name, metrics, phrases },
        board,
        access,
        limits: config.limits()?,
        body: config.body()?,
        ready: AtomicBool::new(false),
        lodgings: system.contexts.into_iter().map(lodging).collect(),
        dials,
    }))
}

/// A system that does not run, on its data: every context that ever ran can be looked at and mended. Nothing listens, nobody asks.
pub(crate) async fn at_rest(offer: &Offer, config: &Config, data: PathBuf) -> Result<Arc<Town>, String> {
    let told = Told { data, listen: IpAddr::from([127, 0, 0, 1]), port_offset: 0, without: Vec::new() };
    let town = built(offer, config, None, told, Access::Open, Arc::new(String::new), None)?;
    let mut found = false;
    for (name, lodging) in &town.lodgings {
        if town.stores.exists(name, &town.file(name)) {
            let context = &lodging.context;
            let store = town.stores.open(context, town.file(name)).await?;
            let running = Running::at_rest(Arc::clone(context), store, &town.neighbourhood);
            *lodging.guest.lock().await = Some(Guest { running, door: None });
            found = true;
        }
    }
    if found { Ok(town) } else { Err(format!("{} holds no data of {}", town.told.data.display(), offer.name)) }
}

/// Runs a system until it is told to stop.
pub(crate) async fn up(offer: &Offer, config: &Config, told: Told) -> Result<(), String> {
    let began = SystemClock::start();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let access = callers::access(config, &clock)?;
    if access.is_open() && !told.listen.is_loopback() {
        let sets = "auth.tokens, auth.tokens_file or auth.jwt (`jumun config` explains them)";
        return Err(format!("beyond loopback every caller must say who they are: set {sets}"));
    }
    let spans = otlp::spans(config, offer.name, &clock)?;
    let shown = told.data.display().to_string();
    std::fs::create_dir_all(&told.data).map_err(|why| format!("the data folder {shown} can not be made: {why}"))?;
    let probe = told.data.join(".writable");
    std::fs::write(&probe, "")
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|why| format!("the data folder {shown} can not be written: {why}"))?;

    let rate = config.rate()?;
    let town = built(offer, config, Some(&told.data.clone()), told, access, metrics::kept()?, spans.clone())?;
    let told = &town.told;
    for name in &told.without {
        if !town.lodgings.contains_key(name.as_str()) {
            return Err(format!("{} has no context {name} to go without", offer.name));
        }
    }

    let gateway = listen(told.listen, GATEWAY, told.port_offset, "the gateway").await?;
    let operators_port = listen(told.listen, OPERATORS, told.port_offset, "operators").await?;
    let routes = town.lodgings.values().flat_map(|lodging| {
        let route = |path: &str| GatewayRoute { prefix: path.to_owned(), to: Arc::clone(&lodging.upstream) };
        lodging.context.doors().iter().map(move |door| route(door.path()))
    });
    for name in town.lodgings.keys().filter(|name| !told.without.iter().any(|without| without == **name)) {
        town.open(name).await?;
    }
    let rate = rate.map(|many| Rate::per_second(many, &town.access, clock));
    let routes: Vec<_> = routes.collect();
    let prefixes = routes.iter().map(|route| route.prefix.clone()).collect();
    let operators = guarded(crate::operators::router(&town), &town.access, OPERATOR);
    let pages = Gateway::new(routes).router().merge(console(offer, &town, operators.clone())?);
    // outermost, so that whoever is sent away counts too
    let counted = metrics::counted(edged(pages, rate), prefixes, Arc::clone(&town.neighbourhood.clock));
    let gateway = Server::start(gateway, counted, town.limits);
    let operators = Server::start(operators_port, operators, town.limits);
    town.set_ready(true).await;
    say!("{}", banner(offer, &town, began.elapsed()).await);

    stop_signal().await?;
    tracing::info!("stopping");
    town.set_ready(false).await;
    gateway.stop().await;
    operators.stop().await;
    let closed = town.close_all().await;
    if let Some(spans) = spans {
        let _ = tokio::task::spawn_blocking(move || spans.flush()).await;
    }
    closed
}

/// Pages for people, over the same doors as everybody's.
fn console(offer: &Offer, town: &Town, operators: Router) -> Result<Router, String> {
    let console = Console::new(offer.name, offer.phrases, Arc::new(Chance::fresh())).map_err(|why| why.to_string())?;
    let mut lodgings = town.lodgings.values().collect::<Vec<_>>();
    lodgings.sort_by_key(|lodging| lodging.context.port);
    let console = lodgings.into_iter().fold(console.operated(operators), |console, Lodging { context, upstream, .. }| {
        console.shows(context.name, context.rank.as_str(), upstream.router())
    });
    Ok(console.router())
}

async fn banner(offer: &Offer, town: &Town, took: std::time::Duration) -> String {
    let (told, offset) = (&town.told, town.told.port_offset);
    let mut text = format!("{}: {}\n\n", offer.name, offer.about);
    let width = town.names().map(str::len).chain(["operators".len()]).max().unwrap_or_default();
    let mut line =
        |port: u16, name: &str, what: &str| text.push_str(&format!("  http://localhost:{port:<6} {name:<width$}  {what}\n"));
    for (name, port, runs) in town.contexts().await {
        let paths = town.lodgings[name].context.doors().iter().map(|door| door.path().to_owned());
        let paths: Vec<_> = paths.chain(town.stores.told(name).map(|store| format!(" on {store}"))).collect();
        line(
            port,
            name,
            &if runs { paths.join(" ") } else { format!("not started; POST :{}/contexts/{name}/start", OPERATORS + offset) },
        );
    }
    line(GATEWAY + offset, "gateway", "all of the above; pages for people under /app");
    line(OPERATORS + offset, "operators", "contexts, dials");
    text.push_str(&format!("\n  data in {}, ready in {} ms. Try next:\n\n", told.data.display(), took.as_millis()));
    for tried in offer.tries {
        let mut shown = String::new();
        for (index, part) in tried.split(['{', '}']).enumerate() {
            match (index % 2, part.parse::<u16>()) {
                (1, Ok(port)) => shown.push_str(&(port + offset).to_string()),
                _ => shown.push_str(part),
            }
        }
        text.push_str(&format!("    {shown}\n"));
    }
    text.push('\n');
    text
}

async fn stop_signal() -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(|why| why.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|why| why.to_string())?;
    futures_util::future::select(std::pin::pin!(terminate.recv()), std::pin::pin!(interrupt.recv())).await;
    Ok(())
}
