//! A process whose processor time and memory are counted by the kernel.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::Failure;

/// How a process is started.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// What is run: the binary, or a tool that runs it, and its arguments.
    pub command: Vec<OsString>,
    /// All of its environment.
    pub environment: BTreeMap<String, String>,
    /// Where its standard output and error go; nowhere when `None`.
    pub log: Option<PathBuf>,
}

/// The process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process(Child);

/// What the kernel has counted of a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// On a processor, in all of its threads that are still there.
    pub processor: Duration,
    /// Resident now, in KiB.
    pub resident_kib: u64,
    /// The most that was resident, in KiB.
    pub peak_kib: u64,
}

impl Program {
    /// A binary without arguments.
    #[must_use]
    pub fn new(binary: &Path, environment: BTreeMap<String, String>) -> Self {
        Self { command: vec![binary.into()], environment, log: None }
    }

    /// The same, run by a tool.
    #[must_use]
    pub fn under(mut self, tool: impl IntoIterator<Item = OsString>) -> Self {
        self.command = tool.into_iter().chain(self.command).collect();
        self
    }

    /// Starts it.
    pub fn start(&self) -> Result<Process, Failure> {
        let (binary, arguments) = self.command.split_first().ok_or("nothing to run")?;
        let log = || match &self.log {
            None => Ok(Stdio::null()),
            Some(path) => {
                std::fs::File::options().append(true).create(true).open(path).map(Stdio::from)
            }
        };
        let started = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .spawn();
        let started = started.map_err(|error| format!("{}: {error}", binary.display()))?;
        Ok(Process(started))
    }
}

impl Process {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// What is counted up to now.
    pub fn counted(&self) -> Result<Counted, Failure> {
        counted(self.id())
    }

    /// Asks it to end, and waits until it has.
    pub fn end(mut self) -> Result<ExitStatus, Failure> {
        // SIGTERM, which nothing in the standard library sends: a tool that the process runs under
        // writes its findings then.
        let kill = Command::new("kill").arg(self.id().to_string()).status()?;
        if !kill.success() {
            return Err("a process could not be ended".into());
        }
        Ok(self.0.wait()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is counted of the process of this number, which may be our own.
pub fn counted(id: u32) -> Result<Counted, Failure> {
    // <https://docs.kernel.org/scheduler/sched-stats.html>: nanoseconds on a processor come first.
    let mut processor_ns = 0;
    for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may end while it is looked at.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let first = text.split_whitespace().next().ok_or("no time")?;
        processor_ns += first.parse::<u64>()?;
    }
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        number.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
    };
    Ok(Counted {
        processor: Duration::from_nanos(processor_ns),
        resident_kib: kib("VmRSS:"),
        peak_kib: kib("VmHWM:"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(command: &str) -> Process {
        let program = Program {
            command: vec!["sh".into(), "-c".into(), command.into()],
            environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            log: None,
        };
        program.start().expect("a process")
    }

    #[test]
    fn a_busy_process_s_time_and_memory_are_counted() {
        let busy = shell("while :; do :; done");
        let before = busy.counted().expect("figures").processor;
        let mut counted = busy.counted().expect("figures");
        while counted.processor < before + Duration::from_millis(5) {
            counted = busy.counted().expect("figures");
        }
        assert!(counted.peak_kib >= counted.resident_kib && counted.resident_kib > 0);
    }

    #[test]
    fn a_process_is_asked_to_end() {
        let status = shell("exec tail -f /dev/null").end().expect("an end");
        assert!(!status.success(), "by a signal");
    }
}
