//! An execution environment: a process of a function, one invocation after the other, and what the
//! kernel has counted of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use local::Local;
use local::functions::Name;
use local::runtime_api::{Answer, RuntimeApi};
use serde_json::Value;
use tokio::time::timeout;

use crate::Failure;

/// Far more than any invocation here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// The kernel counts processor time in hundredths of a second
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>, `USER_HZ`).
const TICK_MS: f64 = 10.0;

/// The process, and where what it prints goes.
pub(super) struct Process {
    child: Child,
    api: RuntimeApi,
    log: PathBuf,
    timeout_ms: u64,
}

/// What is counted up to a moment.
#[derive(Clone, Copy)]
struct Counted {
    at: Instant,
    processor_ms: f64,
    printed_bytes: u64,
}

/// What so many invocations came to, each.
#[derive(Clone, Copy)]
pub(super) struct Each {
    pub(super) processor_ms: f64,
    pub(super) elapsed_ms: f64,
    pub(super) printed_bytes: f64,
}

impl Process {
    /// Starts a function's binary of this folder. Variables named here are taken out of its
    /// environment.
    pub(super) async fn start(
        folder: &Path,
        name: Name,
        local: &Local,
        without: &[&str],
    ) -> Result<Self, Failure> {
        let function = local.stack().function(name.logical_id()).ok_or("no such function")?;
        let mut environment: BTreeMap<String, String> = function.environment.clone();
        environment.extend(local::environment(local.aws()));
        environment.retain(|variable, _| !without.contains(&variable.as_str()));
        let lambda = [
            ("AWS_LAMBDA_FUNCTION_NAME", name.logical_id()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ];
        let binary = folder.join(format!("{}-process", name.package()));
        let log = std::env::temp_dir().join(format!("figures-{}.log", binary_id(name)));
        let api = RuntimeApi::start(local.aws().account().function_arn(name.logical_id())).await;
        let child = Command::new(&binary)
            .env_clear()
            .envs(environment)
            .envs(lambda)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let timeout_ms = u64::from(function.timeout_s) * 1_000;
        Ok(Self { child, api, log, timeout_ms })
    }

    /// Has these payloads worked, one after the other.
    pub(super) async fn work(
        &self,
        payloads: impl IntoIterator<Item = Value>,
    ) -> Result<Each, Failure> {
        let before = self.counted()?;
        let mut invocations = 0.0;
        for payload in payloads {
            let answered =
                timeout(PATIENCE, self.api.invoke(payload.to_string(), self.timeout_ms)).await??;
            if let Answer::Error(error) = answered.answer {
                return Err(format!("an invocation failed: {error}").into());
            }
            invocations += 1.0;
        }
        let after = self.counted()?;
        Ok(Each {
            processor_ms: (after.processor_ms - before.processor_ms) / invocations,
            elapsed_ms: after.at.duration_since(before.at).as_secs_f64() * 1e3 / invocations,
            printed_bytes: bytes(after.printed_bytes - before.printed_bytes) / invocations,
        })
    }

    /// The most memory that was resident, in MiB.
    pub(super) fn peak_mib(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no peak")?;
        Ok(kib.trim().parse::<f64>()? / 1_024.0)
    }

    fn counted(&self) -> Result<Counted, Failure> {
        let stat = std::fs::read_to_string(self.proc("stat"))?;
        // Behind the name, which may hold anything: the 14th and 15th of all.
        let fields = stat.rsplit(')').next().ok_or("no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let ticks = ticks.sum::<Result<f64, _>>()?;
        let printed_bytes = std::fs::metadata(&self.log)?.len();
        Ok(Counted { at: now(), processor_ms: ticks * TICK_MS, printed_bytes })
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

/// Two runs at once do not write into each other's logs.
fn binary_id(name: Name) -> String {
    format!("{}-{}", name.package(), std::process::id())
}

#[expect(clippy::cast_precision_loss, reason = "logs of some megabytes")]
const fn bytes(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::disallowed_methods, reason = "how long invocations take is measured")]
fn now() -> Instant {
    Instant::now()
}
