//! All figures of one run, as they are committed (`bench/figures.json`), and where they were taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command as Run;

use serde::{Deserialize, Serialize};

use crate::bill::Billed;
use crate::load::report::Report as Load;
use crate::{Failure, own, startup};

/// The figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    /// Where they were taken.
    pub(super) machine: Machine,
    /// Starts.
    pub(super) startup: startup::Report,
    /// Invocations beside their floors.
    pub(super) own: own::Figures,
    /// Loads, by name.
    pub(super) loads: BTreeMap<String, Load>,
    /// What was metered.
    pub(super) billed: Vec<Billed>,
}

/// A machine, as far as figures depend on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    /// The day.
    pub(super) day: String,
    /// Its processor.
    pub(super) processor: String,
    /// How many of them.
    pub(super) processors: usize,
    /// The kernel's version.
    pub(super) kernel: String,
    /// The compiler's.
    pub(super) rustc: String,
}

impl Machine {
    /// This one, today.
    pub(super) fn here() -> Result<Self, Failure> {
        let says = |program: &str, arguments: &[&str]| -> Result<String, Failure> {
            let output = Run::new(program).args(arguments).output()?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map(|line| line.trim_start_matches([' ', '\t', ':']));
        Ok(Self {
            day: says("date", &["+%Y-%m-%d"])?,
            processor: model.unwrap_or("unknown").to_owned(),
            processors: std::thread::available_parallelism()?.get(),
            kernel: says("uname", &["-r"])?.split('-').next().unwrap_or_default().to_owned(),
            rustc: says("rustc", &["--version"])?,
        })
    }
}

/// Where the figures are committed.
#[must_use]
pub(super) fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("figures.json")
}

impl Figures {
    /// Those that are committed.
    pub(super) fn committed() -> Result<Self, Failure> {
        Ok(serde_json::from_str(&std::fs::read_to_string(file())?)?)
    }

    /// A load.
    pub(super) fn load(&self, name: &str) -> Result<&Load, Failure> {
        self.loads.get(name).ok_or_else(|| format!("there is no load {name}").into())
    }
}
