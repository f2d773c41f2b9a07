//! Logs: one JSON object a line on standard output, from our own crates only.
//!
//! Other crates' lines are not let through at any level: the AWS SDK prints bodies and headers at
//! `trace`, secrets among them. Nothing that an operator can set changes that: `LOG_LEVEL` is a
//! level and no list of directives, and no other variable is read. A release does not even hold a line
//! below `info`, whoever would write it.

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{SettingsError, Strings};
use crate::{metrics, panics};

/// The crates whose lines are logged. A filter goes by how a name begins: no other crate's may
/// begin like one of these.
pub const OURS: [&str; 6] = ["adapters", "domain", "ingest", "delivery", "enrich", "sweeper"];

/// Starts logging as `LOG_LEVEL` says (`error`, `warn`, `info`, `debug`, `trace`; `info` when not
/// set; a release holds nothing below `info` and shows nothing more of it), panics included: by their place, without their words; and [`metrics`], where they are on.
/// A second call changes nothing of the former.
pub fn start(strings: &impl Strings) -> Result<(), SettingsError> {
    let lines = lines(level(strings)?, std::io::stdout);
    // Only fails when logging was started before.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    std::panic::set_hook(Box::new(panics::report));
    metrics::start(strings);
    Ok(())
}

/// What a deployed function logs from `level` on.
pub fn lines<S, W>(level: LevelFilter, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false);
    lines.with_writer(writer).with_filter(ours(level))
}

/// Lets our own crates' lines pass from `level` on, and nobody else's.
#[must_use]
pub fn ours(level: LevelFilter) -> Targets {
    Targets::new().with_targets(OURS.map(|name| (name, level)))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic while writing").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written of the same line from each of these crates, at the loudest setting.
    fn written(act: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = lines(LevelFilter::TRACE, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), act);
        let bytes = written.0.lock().expect("no panic while writing").clone();
        String::from_utf8(bytes).expect("text")
    }

    macro_rules! say {
        ($($target:literal),*) => {$(
            tracing::error!(target: $target, "loud");
            tracing::trace!(target: $target, body = "secret", "quiet");
        )*};
    }

    #[test]
    fn nobody_else_s_lines_are_let_through_at_any_level() {
        let theirs = written(|| {
            say!(
                "aws_smithy_runtime::client::orchestrator",
                "aws_smithy_http_client",
                "aws_sdk_secretsmanager::operation",
                "aws_config",
                "hyper::proto::h1::io",
                "hyper_util::client",
                "reqwest::connect",
                "rustls::client::hs",
                "h2",
                "lambda_runtime",
                "lambda_http",
                "tower",
                "log",
                ""
            );
        });
        assert_eq!(theirs, "");
        let ours = written(|| {
            say!("adapters::queue", "domain", "ingest", "delivery", "sweeper");
        });
        assert_eq!(ours.lines().count(), 10, "{ours}");
    }

    #[test]
    fn a_level_is_all_that_can_be_set() {
        let set =
            |value: &str| level(&BTreeMap::from([("LOG_LEVEL".to_owned(), value.to_owned())])).ok();
        assert_eq!(set("TRACE"), Some(LevelFilter::TRACE));
        assert_eq!(level(&BTreeMap::new()).ok(), Some(LevelFilter::INFO));
        for more in ["hyper=trace", "info,aws_smithy_runtime=trace", "trace,", "*", "off", "5"] {
            assert_eq!(set(more), None, "{more}");
        }
    }
}
