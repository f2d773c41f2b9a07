//! `cargo run -p bench --release -- startup`: from exec to the first question for an invocation, and
//! to the first event answered, of each function's real binary.
//!
//! Beside them the same of a process without a runtime, of the bare runtime, and of an ingest function
//! as the AWS SDK's guide writes it. Every process is new: nothing is warm but the machine's own caches.

mod measure;
pub mod report;

use std::path::PathBuf;

use clap::Parser;
use local::functions::Name;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::progress::say;
use crate::stage::binaries::{Binaries, Build};
use crate::subjects::{FUNCTIONS, Scene, Subject};

pub use measure::{Moment, instructions};

/// Exec to the first event answered, of each function's release binary
#[derive(Debug, Parser)]
#[command(name = "bench startup")]
pub struct Command {
    /// Starts that a median is taken of
    #[arg(long, default_value_t = 15)]
    starts: usize,
    /// Processes that are started at once
    #[arg(long, default_value_t = 40)]
    at_once: usize,
    /// Take the binaries as they are, and build none
    #[arg(long)]
    no_build: bool,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// All figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One for each process.
    pub subjects: Vec<Figures>,
}

/// The figures of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Which.
    pub label: String,
    /// Of its binary, in bytes; ours are stripped, defaults are not.
    pub binary_bytes: u64,
    /// The same, zipped.
    pub zipped_bytes: u64,
    /// To its first question for an invocation.
    pub to_next: Moment,
    /// To its first answer.
    pub to_answer: Moment,
    /// To its first answer with the processor that so many MB of memory give, in milliseconds.
    pub by_memory_ms: Vec<(u32, f64)>,
    /// To its first answer when so many are started at once: the median and the 95th percentile, in
    /// milliseconds.
    pub at_once_ms: (f64, f64),
}

/// Where Cargo puts the baselines.
fn baseline(name: &str) -> Result<PathBuf, Failure> {
    Ok(Binaries::target()?.join("baselines/release").join(name))
}

impl Command {
    /// Measures, and says what is being done.
    pub async fn run(&self) -> Result<String, Failure> {
        let binaries = if self.no_build {
            Binaries::found()?
        } else {
            Binaries::build_baselines()?;
            Binaries::build(&[Build::Deployed, Build::Loopback])?
        };
        let report = self.measure(binaries).await?;
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
        }
        Ok(report::text(&report))
    }

    /// Measures these binaries, and the baselines.
    pub async fn measure(&self, binaries: Binaries) -> Result<Report, Failure> {
        let scene = Scene::start(binaries).await?;
        let mut report = Report { subjects: Vec::new() };
        for (subject, name) in subjects(&scene)? {
            say(&format!("measuring {}", subject.label));
            // Sizes are those of what is deployed.
            let deployed = match FUNCTIONS.iter().find(|of| of.package() == subject.label) {
                Some(of) => scene.binaries().of(*of, Build::Deployed),
                None => subject.binary.clone(),
            };
            report.subjects.push(measure::figures(self, &scene, &subject, name, &deployed).await?);
        }
        Ok(report)
    }
}

/// The baselines, and the functions.
fn subjects(scene: &Scene) -> Result<Vec<(Subject, Name)>, Failure> {
    let mut subjects = Vec::new();
    let roots = scene.stage.system_roots()?;
    let roots = roots.to_str().ok_or("a path that is no text")?;
    for (label, file) in
        [("no runtime", "bare"), ("bare runtime", "runtime"), ("SDK's defaults", "sdk-defaults")]
    {
        let mut subject = scene.subject(Name::Ingest, Build::Deployed)?;
        (subject.label, subject.binary) = (label.to_owned(), baseline(file)?);
        subject.function.environment.insert("SSL_CERT_FILE".to_owned(), roots.to_owned());
        subjects.push((subject, Name::Ingest));
    }
    for name in FUNCTIONS {
        // The deployed ones refuse targets on loopback.
        let build = match name {
            Name::Ingest | Name::Sweeper => Build::Deployed,
            Name::Delivery | Name::Enrich => Build::Loopback,
        };
        subjects.push((scene.subject(name, build)?, name));
    }
    Ok(subjects)
}
