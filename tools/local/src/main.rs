//! `cargo local`: starts the stack, plays the demo, stays up.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adapters::settings::Environment;
use adapters::signing::SigningKeys;
use clap::{Parser, Subcommand, ValueEnum};
use local::clock::TimeScale;
use local::console::{Console, words};
use local::demo::outage::Plan;
use local::functions::Name;
use local::{Front, Local, Options, demo};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Runs the whole of Identity Workflows on this machine: API, queues, tables, functions and a
/// sample target that verifies every signature. No Docker, no AWS account.
#[derive(Parser)]
#[command(
    name = "cargo local",
    after_help = "Examples:
  cargo local                                   run the demo on the default ports, then stay up
  cargo local -- --no-demo --data ./.local      keep tables between runs
  cargo local -- --api 127.0.0.1:0 --aws 127.0.0.1:0 --target 127.0.0.1:0
                                                free ports; the first line on stdout names them
  cargo local -- --time-scale 3600              an hour of retries in a second, and an outage
  cargo local -- demo enrich-faults             logins whose targets are slow, spoilt or gone
  cargo local -- invoke enrich events/enrich/direct-login.json
  cargo local -- generate-keys > signing-keys.json

Any AWS client can use the endpoint:
  aws --endpoint-url http://127.0.0.1:4566 dynamodb scan --table-name subscriptions"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where the API listens; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    api: SocketAddr,
    /// Where the AWS endpoint (DynamoDB, SQS, Secrets Manager) listens
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    aws: SocketAddr,
    /// Where the sample target listens
    #[arg(long, default_value = "127.0.0.1:3999", value_name = "ADDRESS")]
    target: SocketAddr,
    /// Keep tables in this directory; without it everything is in memory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Do not send the sample events and logins, and play no outage
    #[arg(long)]
    no_demo: bool,
    /// Let time pass N times as fast, 1 to 100000, while nothing is under way; with 2 or more the
    /// demo ends with an outage of six hours
    ///
    /// While a function runs or a message lies on a queue that is worked, the clock runs at real
    /// speed, so work takes the time it takes, and deadlines and leases hold. Retries, delays,
    /// breakers and the sweeper's minutes are what passes faster. A record that goes back to its
    /// queue comes again after 180 s of real time, and time is not skipped until then. The clock
    /// gets ahead of the machine's: a target of your own that compares `iat` or
    /// `webhook-timestamp` with its own clock will find them in the future. Not together with
    /// --data, where such times would outlive the clock
    #[arg(
        long,
        default_value_t = TimeScale::REAL,
        hide_default_value = true,
        value_name = "N",
        conflicts_with = "data"
    )]
    time_scale: TimeScale,
    /// Print only the ready line
    #[arg(long)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run one function with one payload file, on a stack of its own, and print the answer
    Invoke {
        /// Which function
        function: Name,
        /// A whole Lambda payload, such as events/ingest/login.json
        file: PathBuf,
    },
    /// Play one demo, on a stack of its own, and exit: 0 when everything came out as it should
    Demo {
        /// Which demo
        which: Which,
    },
    /// Print a new set of signing keys (a private JWK set) for the deployed stack's secret
    GenerateKeys {
        /// Print a key to be added to such a set, for targets to encrypt their answers to
        #[arg(long)]
        for_encryption: bool,
    },
}

/// A demo that is played by itself.
#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// Logins whose targets are slow, spoilt or gone: each policy at work, in time
    EnrichFaults,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    // The alias ends in `--`, so that `cargo local --quiet` works; so does `cargo local -- --quiet`.
    let is_second_separator =
        |(index, argument): &(usize, OsString)| *index == 1 && argument == "--";
    let given = std::env::args_os().enumerate().filter(|given| !is_second_separator(given));
    let arguments = Arguments::parse_from(given.map(|(_, argument)| argument));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cargo local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    start_log()?;
    match &arguments.command {
        Some(Command::Invoke { function, file }) => invoke(*function, file).await,
        Some(Command::Demo { which: Which::EnrichFaults }) => {
            enrich_faults(Console::new(arguments.quiet)).await
        }
        Some(Command::GenerateKeys { for_encryption }) => {
            let keys = if *for_encryption {
                SigningKeys::generate_for_encryption()
            } else {
                SigningKeys::generate()
            };
            writeln!(std::io::stdout(), "{keys}")?;
            Ok(ExitCode::SUCCESS)
        }
        None => serve(&arguments).await,
    }
}

async fn serve(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let started_at = Instant::now();
    let options = Options {
        api: arguments.api,
        aws: arguments.aws,
        target: arguments.target,
        data: arguments.data.clone(),
        time_scale: arguments.time_scale,
        front: Front::HttpApi,
    };
    let local = Local::start(&options).await?;
    let ready = json!({
        "ready": true,
        "api": local.api_url(),
        "aws": local.aws().url(),
        "target": local.target_url(),
    });
    writeln!(std::io::stdout(), "{ready}")?;
    let console = Console::new(arguments.quiet);
    introduce(&local, console);
    let mut code = ExitCode::SUCCESS;
    tokio::select! {
        played = play(&local, arguments, started_at, console) => {
            code = played;
            signals.next().await;
        }
        () = signals.next() => {}
    }
    console.line("\nStopping. Ctrl-C again does not wait for what is under way.");
    tokio::select! {
        stopped = local.stop() => stopped?,
        () = signals.next() => {}
    }
    Ok(code)
}

/// The demo, and then whatever arrives.
async fn play(
    local: &Local,
    arguments: &Arguments,
    started_at: Instant,
    console: Console,
) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    if !arguments.no_demo {
        let outcome = demo::run(local, console).await;
        code = conclude(&outcome, started_at.elapsed(), console);
        if arguments.time_scale.is_real() {
            console.detail("An outage of six hours in a minute: cargo local -- --time-scale 3600");
        } else if !play_outage(local, console).await.troubles.is_empty() {
            code = ExitCode::FAILURE;
        }
    }
    console.line("\nWaiting for your events. Ctrl-C stops everything.");
    tokio::spawn(demo::follow(local.target().news(), console));
    code
}

async fn play_outage(local: &Local, console: Console) -> demo::outage::Outcome {
    let started_at = Instant::now();
    OUTAGE_IS_TOLD.store(true, Ordering::Relaxed);
    let outcome = demo::outage::run(local, Plan::SIX_HOURS, console).await;
    OUTAGE_IS_TOLD.store(false, Ordering::Relaxed);
    let took = words(started_at.elapsed());
    if outcome.troubles.is_empty() {
        console.line(&format!("\nThe outage of six hours took {took}."));
    }
    for trouble in &outcome.troubles {
        console.bad("outage", trouble);
    }
    outcome
}

fn introduce(local: &Local, console: Console) {
    console.heading("Identity Workflows on this machine");
    console.fact(
        "API",
        local.api_url(),
        "POST /v1/events · POST /v1/enrich/login · GET /.well-known/jwks.json",
    );
    console.fact("AWS", local.aws().url(), "DynamoDB, SQS, Secrets Manager for any AWS client");
    console.fact(
        "Target",
        local.target_url(),
        "verifies every signature, answers logins; GET /received",
    );
}

fn conclude(outcome: &demo::Outcome, took: Duration, console: Console) -> ExitCode {
    let took = words(took);
    if outcome.troubles.is_empty() {
        console.line(&format!(
            "\n{} event types delivered and verified, {} logins decided, {took} after start.",
            outcome.delivered.len(),
            outcome.decided.len()
        ));
        ExitCode::SUCCESS
    } else {
        console.line(&format!("\n{} things went wrong, see above.", outcome.troubles.len()));
        ExitCode::FAILURE
    }
}

async fn invoke(function: Name, file: &PathBuf) -> Result<ExitCode, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let payload: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{} is not JSON: {error}", file.display()))?;
    let local = Local::start(&Options::ephemeral()).await?;
    let answer = local.functions().invoke(function, payload).await;
    local.stop().await?;
    writeln!(std::io::stdout(), "{:#}", answer?)?;
    Ok(ExitCode::SUCCESS)
}

async fn enrich_faults(console: Console) -> Result<ExitCode, Failure> {
    let local = Local::start(&Options::ephemeral()).await?;
    let outcome = demo::enrich_faults::run(&local, console).await;
    local.stop().await?;
    if outcome.troubles.is_empty() {
        console.line(&format!("\n{} acts, each decided as it should be.", outcome.decided.len()));
        Ok(ExitCode::SUCCESS)
    } else {
        console.line(&format!("\n{} things went wrong, see above.", outcome.troubles.len()));
        Ok(ExitCode::FAILURE)
    }
}

/// Ctrl-C, and the polite signal of a process manager.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        // Without a handler there is only the default one, which ends the process.
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Whether the demo is telling of an outage, with every breaker that opens in it.
static OUTAGE_IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The functions' log lines, for a person, on standard error; warnings unless `LOG_LEVEL` says
/// more. Without it, nothing is said twice: what delivery warns of in an outage, the demo tells.
fn start_log() -> Result<(), Failure> {
    use adapters::settings::Strings as _;
    let asked_for = Environment.get("LOG_LEVEL").is_some();
    let level = if asked_for { adapters::log::level(&Environment)? } else { LevelFilter::WARN };
    let is_news = dynamic_filter_fn(move |metadata, _| {
        let is_told = OUTAGE_IS_TOLD.load(Ordering::Relaxed) && metadata.target() == "delivery";
        asked_for || !is_told || *metadata.level() == Level::ERROR
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .with_filter(is_news);
    tracing_subscriber::registry()
        .with(lines)
        .with(adapters::log::ours(level).with_target("local", level))
        .try_init()?;
    Ok(())
}
