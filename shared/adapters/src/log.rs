//! Logs: one JSON object a line on standard output, from our own crates only.
//!
//! Other crates' lines are not let through at any level: some print bodies and headers at `trace`.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{SettingsError, Strings};

/// The crates whose lines are logged.
pub const OURS: [&str; 6] = ["adapters", "domain", "ingest", "delivery", "enrich", "sweeper"];

/// Starts logging as `LOG_LEVEL` says (`error`, `warn`, `info`, `debug`, `trace`; `info` when not
/// set). A second call changes nothing.
pub fn start(strings: &impl Strings) -> Result<(), SettingsError> {
    let level = level(strings)?;
    let ours = Targets::new().with_targets(OURS.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false);
    // Only fails when logging was started before.
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
    Ok(())
}

/// `LOG_LEVEL`, read.
pub fn level(strings: &impl Strings) -> Result<LevelFilter, SettingsError> {
    let value = strings.get("LOG_LEVEL").unwrap_or_default().to_ascii_lowercase();
    match value.as_str() {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "" | "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(SettingsError::Invalid {
            name: "LOG_LEVEL",
            problem: "expected error, warn, info, debug or trace".to_owned(),
        }),
    }
}
