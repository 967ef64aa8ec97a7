//! `jumun up`: a whole system in one process.
use crate::config::Config;
use axum::Router;
use jumun_gateway::{Gateway, GatewayRoute, Upstream};
use jumun_http::{Access, House, Phrases};
use jumun_runtime::{Built, Chance, Clock, Context, Dialed, Neighbourhood, Offer, Running, Surroundings, SystemClock};
use jumun_store_sqlite::SqliteStore;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
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
const OPERATORS: u16 = 8089;
/// The largest body of a request, in bytes.
const BODY: usize = 64 * 1024;

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
    neighbourhood: Neighbourhood,
    house: HouseParts,
    ready: AtomicBool,
    lodgings: BTreeMap<&'static str, Lodging>,
    pub(crate) dials: Vec<(&'static str, Arc<dyn Dialed>)>,
}
struct HouseParts {
    system: &'static str,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    phrases: Arc<Phrases>,
}
/// A context's place: there whether it runs or not.
struct Lodging {
    context: Arc<Context>,
    upstream: Arc<Upstream>,
    guest: Mutex<Option<Guest>>,
}
/// A context that runs.
struct Guest {
    running: Running,
    server: Server,
    ready: watch::Sender<bool>,
}
/// Something that listens.
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}
impl Server {
    pub(crate) fn start(listener: TcpListener, router: Router) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        Server { stop, task: tokio::spawn(jumun_http::serve(listener, router, until)) }
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
        let file = self.told.data.join(format!("{}.db", context.name));
        let store = SqliteStore::open(&file, context.layout(), context.name).map_err(|why| why.to_string())?;
        let running = Running::start(Arc::clone(context), Arc::new(store), &self.neighbourhood)
            .await
            .map_err(|why| format!("{name} can not start: {why}"))?;
        let (set_ready, ready) = watch::channel(self.ready.load(Ordering::Acquire));
        let house = House {
            system: self.house.system,
            metrics: Arc::clone(&self.house.metrics),
            phrases: Arc::clone(&self.house.phrases),
            ready,
            body_limit: BODY,
            access: Access::Open,
        };
        let router = jumun_http::router(&running, &house);
        lodging.upstream.set(Some(router.clone()));
        *guest = Some(Guest { running, server: Server::start(listener, router), ready: set_ready });
        Ok(())
    }

    /// Stops a context: it finishes what it is at. Nothing if it does not run.
    pub(crate) async fn close(&self, name: &str) -> Result<(), String> {
        let lodging = self.lodgings.get(name).ok_or_else(|| format!("{} has no context {name}", self.house.system))?;
        if let Some(Guest { running, server, ready }) = lodging.guest.lock().await.take() {
            ready.send_replace(false); // streams end, probes say so
            lodging.upstream.set(None);
            server.stop().await;
            running.stop().await.map_err(|why| format!("{name} did not stop cleanly: {why}"))?;
        }
        Ok(())
    }

    /// Whether new requests are welcome, at every door.
    async fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
        for lodging in self.lodgings.values() {
            if let Some(guest) = &*lodging.guest.lock().await {
                guest.ready.send_replace(ready);
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

/// Runs a system until it is told to stop.
pub(crate) async fn up(offer: &Offer, config: &Config, told: Told) -> Result<(), String> {
    let began = SystemClock::start();
    if !told.listen.is_loopback() {
        return Err(
            "beyond loopback every caller must say who it is, and that is not built yet: listen on 127.0.0.1 or ::1".to_owned()
        );
    }
    let shown = told.data.display().to_string();
    std::fs::create_dir_all(&told.data).map_err(|why| format!("the data folder {shown} can not be made: {why}"))?;
    let probe = told.data.join(".writable");
    std::fs::write(&probe, "")
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|why| format!("the data folder {shown} can not be written: {why}"))?;

    let (clock, chance): (Arc<dyn Clock>, _) = (Arc::new(SystemClock::start()), Arc::new(Chance::fresh()));
    let metrics = metrics()?;
    let around = Surroundings { data: Some(&told.data), clock: Arc::clone(&clock), chance: Arc::clone(&chance) };
    let Built { system, dials } = (offer.build)(&config.of(offer.name), &around)?;
    if let Some(wrong) = system.check().first() {
        return Err(format!("{} does not hold together: {wrong}", system.name));
    }
    let neighbourhood = Neighbourhood::of(&system, clock, chance, config.platform()?);
    let phrases = Arc::new(Phrases::new(offer.phrases).map_err(|why| why.to_string())?);
    let mut routes = Vec::new();
    let lodging = |context: Context| {
        let upstream = Upstream::named(context.name);
        let context = Arc::new(context);
        for door in context.doors() {
            routes.push(GatewayRoute { prefix: door.path().to_owned(), to: Arc::clone(&upstream) });
        }
        (context.name, Lodging { context, upstream, guest: Mutex::new(None) })
    };
    let lodgings = system.contexts.into_iter().map(lodging).collect();
    let town = Arc::new(Town {
        told,
        neighbourhood,
        house: HouseParts { system: system.name, metrics, phrases },
        ready: AtomicBool::new(false),
        lodgings,
        dials,
    });
    let told = &town.told;
    for name in &told.without {
        if !town.lodgings.contains_key(name.as_str()) {
            return Err(format!("{} has no context {name} to go without", system.name));
        }
    }

    let gateway = listen(told.listen, GATEWAY, told.port_offset, "the gateway").await?;
    let operators = listen(told.listen, OPERATORS, told.port_offset, "operators").await?;
    for name in town.lodgings.keys().filter(|name| !told.without.iter().any(|without| without == **name)) {
        town.open(name).await?;
    }
    let gateway = Server::start(gateway, Gateway::new(routes).router());
    let operators = Server::start(operators, crate::operators::router(&town));
    town.set_ready(true).await;
    say!("{}", banner(offer, &town, began.elapsed()).await);

    stop_signal().await?;
    tracing::info!("stopping");
    town.set_ready(false).await;
    gateway.stop().await;
    operators.stop().await;
    let mut failed = None;
    for name in town.lodgings.keys() {
        if let Err(why) = town.close(name).await {
            failed = Some(why);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn banner(offer: &Offer, town: &Town, took: std::time::Duration) -> String {
    let (told, offset) = (&town.told, town.told.port_offset);
    let mut text = format!("{}: {}\n\n", offer.name, offer.about);
    let mut line =
        |port: u16, name: &str, what: &str| text.push_str(&format!("  http://localhost:{port:<6} {name:<10} {what}\n"));
    for (name, port, runs) in town.contexts().await {
        let paths: Vec<_> = town.lodgings[name].context.doors().iter().map(|door| door.path()).collect();
        line(
            port,
            name,
            &if runs { paths.join(" ") } else { format!("not started; POST :{}/contexts/{name}/start", OPERATORS + offset) },
        );
    }
    line(GATEWAY + offset, "gateway", "all of the above");
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

fn metrics() -> Result<Arc<dyn Fn() -> String + Send + Sync>, String> {
    let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|why| format!("metrics can not be kept: {why}"))?;
    Ok(Arc::new(move || {
        handle.run_upkeep();
        handle.render()
    }))
}

async fn stop_signal() -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(|why| why.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|why| why.to_string())?;
    futures_util::future::select(std::pin::pin!(terminate.recv()), std::pin::pin!(interrupt.recv())).await;
    Ok(())
}
