#![doc = include_str!("../README.md")]
/// Prints a line. Whoever stops reading (`| head`) is no reason to stop, let alone to panic.
macro_rules! say {
    ($($what:tt)*) => { crate::say(format_args!($($what)*)) };
}

mod aside;
mod bench;
mod callers;
mod case;
mod config;
mod demo;
mod events;
mod metrics;
mod operators;
mod otlp;
mod printed;
mod reach;
mod stores;
mod up;
mod views;

use clap::{Parser, Subcommand};
use config::Config;
use jumun_runtime::Offer;
use std::{net::IpAddr, path::PathBuf, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// Order and booking systems on a platform for event-driven services.
#[derive(Parser)]
#[command(name = "jumun", version, arg_required_else_help = true)]
struct Args {
    /// A TOML file with settings; `jumun config` prints what can be set.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a whole system in one process, until Ctrl-C.
    Up {
        /// Which system.
        system: String,
        /// The folder for its data [default: ./data/<system>].
        #[arg(long)]
        data: Option<PathBuf>,
        /// The address to listen on.
        #[arg(long, default_value = "127.0.0.1")]
        listen: IpAddr,
        /// Added to every port.
        #[arg(long, default_value_t = 0)]
        port_offset: u16,
        /// Contexts not to start, with commas between them.
        #[arg(long, value_delimiter = ',')]
        without: Vec<String>,
    },
    /// Plays a system's story in memory and tells it as a timeline.
    Demo {
        /// Which system.
        system: String,
    },
    /// Prints the event-storming board of a system, found by trying its code: Mermaid, or a picture.
    Board {
        /// Which system.
        system: String,
        /// As SVG.
        #[arg(long)]
        svg: bool,
    },
    /// Prints the OpenAPI document of a context.
    Openapi {
        /// Which system.
        system: String,
        /// Which context.
        context: String,
    },
    /// Tells the story of one case: what happened, what is owed, what is set aside.
    Case(case::Told),
    /// Lists what could not be taken in; shows it, retries it, drops it.
    Aside(aside::Told),
    /// Prints facts as they were published, one per line.
    Events(events::Told),
    /// Lists views, and rebuilds them from the first fact while clients read them.
    Views(views::Told),
    /// Drives a running system and says how fast it was.
    Bench(bench::Told),
    /// Prints every key of the configuration, its value, where that comes from, and its meaning.
    Config,
}

/// The one binary, over these systems.
pub fn run(offers: &[Offer]) -> ExitCode {
    let args = Args::parse();
    match carry_out(args, offers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("jumun: {why}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(args: Args, offers: &[Offer]) -> Result<(), String> {
    let config = Config::read(args.config.as_deref(), std::env::vars(), offers.iter().map(|offer| offer.keys))?;
    logs(&config)?;
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|why| format!("no threads to run on: {why}"));
    match args.command {
        Command::Up { system, data, listen, port_offset, without } => {
            let offer = of(offers, &system)?;
            let data = data.unwrap_or_else(|| PathBuf::from("data").join(offer.name));
            runtime()?.block_on(up::up(offer, &config, up::Told { data, listen, port_offset, without }))
        }
        Command::Demo { system } => runtime()?.block_on(demo::demo(of(offers, &system)?, &config)),
        Command::Board { system, svg } => {
            say!("{}", printed::board(of(offers, &system)?, &config, svg)?.trim_end());
            Ok(())
        }
        Command::Openapi { system, context } => {
            say!("{:#}", printed::openapi(of(offers, &system)?, &config, &context)?);
            Ok(())
        }
        Command::Case(told) => runtime()?.block_on(case::case(of(offers, told.system())?, &config, &told)),
        Command::Aside(told) => runtime()?.block_on(aside::aside(of(offers, told.system())?, &config, &told)),
        Command::Events(told) => runtime()?.block_on(events::events(of(offers, told.system())?, &config, &told)),
        Command::Views(told) => runtime()?.block_on(views::views(of(offers, told.system())?, &config, &told)),
        Command::Bench(told) => runtime()?.block_on(bench::bench(of(offers, &told.system)?, &config, &told)),
        Command::Config => {
            say!("{}", config.manual().trim_end());
            Ok(())
        }
    }
}

fn say(what: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{what}");
}

fn of<'a>(offers: &'a [Offer], name: &str) -> Result<&'a Offer, String> {
    offers.iter().find(|offer| offer.name == name).ok_or_else(|| {
        let names: Vec<_> = offers.iter().map(|offer| offer.name).collect();
        format!("there is no system {name}; there is {}", names.join(", "))
    })
}

fn logs(config: &Config) -> Result<(), String> {
    let wanted = config.text("log");
    let filter = EnvFilter::try_new(&wanted).map_err(|why| format!("log = {wanted:?} is no filter: {why}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.text("log.format").as_str() {
        "text" => log.init(),
        "json" => log.json().init(),
        other => return Err(format!("log.format = {other:?} is neither text nor json")),
    }
    Ok(())
}
