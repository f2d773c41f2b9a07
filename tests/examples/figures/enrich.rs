//! Logins: our own time beside a raw client's, and a target that is slow for a while.
//!
//! Two processes. One is the target: real TLS on loopback, with a certificate of an authority that
//! exists for this run. The other decides the logins: the enrich function's own handler with its own
//! ports, on the local stack's AWS endpoint, with subscriptions that are remembered for as long as
//! the deployed function remembers them. It is this program once more, and believes that authority
//! because it is built to take one as an argument: no setting could make it.

mod brown_out;
mod logins;
mod own_time;
mod raw_client;
mod target;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use domain::jose::Algorithm;
use testkit::tls::Authority;
use tokio::time::{Interval, interval};

use crate::Failure;
use target::Target;

/// What the targets' answers are signed with, by turns.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Rs256];

/// How long the target takes for an answer when it is well, in milliseconds.
const WELL_MS: u64 = 50;

/// Which figure.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    OwnTime,
    BrownOut,
}

/// What is measured.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) figure: Figure,
    pub(crate) logins_per_s: u32,
    /// How long logins are measured, or how long the target is slow.
    pub(crate) seconds: u32,
    /// Where the target is; `None` in the process that is yet to start it.
    pub(crate) target: Option<Place>,
}

/// Where the target is, and who says that it is the target.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    /// The file with the authority's certificate, in DER.
    pub(crate) authority: PathBuf,
}

impl Plan {
    /// The plan, if there is something to measure.
    pub(crate) fn checked(self) -> Option<Self> {
        (self.logins_per_s > 0 && self.seconds > 0).then_some(self)
    }
}

/// Measures and prints.
pub(crate) async fn run(plan: Plan) -> Result<ExitCode, Failure> {
    match (&plan.target, plan.figure) {
        (None, _) => return be_the_target().await,
        (Some(place), Figure::OwnTime) => own_time::run(&plan, place).await?,
        (Some(place), Figure::BrownOut) => brown_out::run(&plan, place).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Is the target for as long as this program, started once more, decides logins.
async fn be_the_target() -> Result<ExitCode, Failure> {
    let authority = Authority::generate();
    let target = Target::start(&authority.identity(&["127.0.0.1"])).await?;
    let trusted = Trusted::write(&authority)?;
    let mut deciding = Command::new(std::env::current_exe()?)
        .args(std::env::args().skip(1))
        .arg(target.url())
        .arg(&trusted.0)
        .spawn()?;
    let status = tokio::task::spawn_blocking(move || deciding.wait()).await??;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file with an authority's certificate. Dropped, it is gone.
struct Trusted(PathBuf);

impl Trusted {
    fn write(authority: &Authority) -> Result<Self, Failure> {
        let name = format!("figures-authority-{}.der", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        std::fs::write(&file.0, authority.der())?;
        Ok(file)
    }
}

impl Drop for Trusted {
    fn drop(&mut self) {
        // What is left over harms nobody: its key is gone with this process.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// So many a second, and none left out when one is late.
fn paced(per_s: u32) -> Interval {
    interval(Duration::from_secs(1) / per_s)
}
