//! One process after the other, started over and over.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command as Run, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use local::functions::Name;
use serde::{Deserialize, Serialize};

use super::{Command, Figures};
use crate::Failure;
use crate::number::mib;
use crate::progress::say;
use crate::stage::callgrind::{self, Callgrind};
use crate::stage::environments::Environment;
use crate::stage::quota::{FULL_MB, Quota};
use crate::subjects::{Scene, Subject, invocation};
use crate::wall::now;

/// Memories whose share of a processor is tried, in MB.
const MEMORIES_MB: [u32; 3] = [128, 512, FULL_MB];

/// What a process has come to at a moment, the median of some starts.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Since exec.
    pub wall_ms: f64,
    /// On a processor.
    pub processor_ms: f64,
    /// Resident.
    pub resident_mib: f64,
    /// Instructions, where they could be counted.
    pub instructions: Option<u64>,
}

pub(super) async fn figures(
    command: &Command,
    scene: &Scene,
    subject: &Subject,
    name: Name,
    deployed: &Path,
) -> Result<Figures, Failure> {
    let (mut to_next, mut to_answer) = (Vec::new(), Vec::new());
    for _ in 0..command.starts.max(1) {
        let (next, answer) = start(subject, name, &[]).await?;
        to_next.push(next);
        to_answer.push(answer);
    }
    let (mut to_next, mut to_answer) = (median(&to_next)?, median(&to_answer)?);
    if callgrind::is_there() {
        let file = || scene.stage.file("callgrind.out");
        to_next.instructions = Some(instructions(subject, &[], file()).await?);
        let first = [invocation(name, 0)];
        to_answer.instructions = Some(instructions(subject, &first, file()).await?);
    }
    let mut by_memory_ms = Vec::new();
    for memory_mb in MEMORIES_MB {
        let Ok(quota) = Quota::of(memory_mb) else { continue };
        let mut moments = Vec::new();
        for _ in 0..command.starts.max(1) {
            match start(subject, name, &quota.tool()).await {
                Ok((_, answer)) => moments.push(answer),
                Err(error) => failed(subject, &format!("with {memory_mb} MB"), &error),
            }
        }
        by_memory_ms.push((memory_mb, median(&moments)?.wall_ms));
    }
    let all = join_all((0..command.at_once.max(1)).map(|_| start(subject, name, &[]))).await;
    let mut walls = Vec::new();
    for started in all {
        match started {
            Ok((_, answer)) => walls.push(answer.wall_ms),
            Err(error) => failed(subject, "with many at once", &error),
        }
    }
    walls.sort_by(f64::total_cmp);
    let at_once_ms = (quantile(&walls, 50)?, quantile(&walls, 95)?);
    let (binary_bytes, zipped_bytes) = sizes(deployed)?;
    let label = subject.label.clone();
    Ok(Figures { label, binary_bytes, zipped_bytes, to_next, to_answer, by_memory_ms, at_once_ms })
}

/// A start that came to nothing is told, and in no figure.
fn failed(subject: &Subject, how: &str, error: &Failure) {
    say(&format!("{} failed {how}: {error}", subject.label));
}

/// One start: what it came to at its first question, and at its first answer.
async fn start(
    subject: &Subject,
    name: Name,
    tool: &[OsString],
) -> Result<(Moment, Moment), Failure> {
    let began = now();
    let environment = Environment::spawn(&subject.function, &subject.binary, tool, None).await?;
    let moment = |wall: Duration| {
        let counted = environment.process().counted()?;
        Ok::<_, Failure>(Moment {
            wall_ms: ms(wall),
            processor_ms: ms(counted.processor),
            resident_mib: mib(counted.resident_kib),
            instructions: None,
        })
    };
    environment.asked(1).await?;
    let next = moment(began.elapsed())?;
    environment.work(invocation(name, 0)).await?;
    let answer = moment(began.elapsed())?;
    Ok((next, answer))
}

/// Instructions up to the answer to the last of these invocations; where there is none, up to the first
/// question for one. What callgrind has written of them is left in this file.
pub async fn instructions(
    subject: &Subject,
    invocations: &[String],
    report: PathBuf,
) -> Result<u64, Failure> {
    let callgrind = Callgrind::new(report);
    let tool = callgrind.tool();
    let environment = Environment::spawn(&subject.function, &subject.binary, &tool, None).await?;
    environment.asked(1).await?;
    for payload in invocations {
        environment.work(payload.clone()).await?;
    }
    environment.asked(invocations.len() + 1).await?;
    environment.end()?;
    callgrind.instructions()
}

/// Of a binary: as it is, and as a zip would have it, which compresses as gzip does.
fn sizes(binary: &Path) -> Result<(u64, u64), Failure> {
    let zipped = Run::new("gzip").args(["-6", "-c"]).arg(binary).stderr(Stdio::null()).output()?;
    Ok((std::fs::metadata(binary)?.len(), zipped.stdout.len() as u64))
}

fn median(moments: &[Moment]) -> Result<Moment, Failure> {
    let of = |part: fn(&Moment) -> f64| {
        let mut parts: Vec<f64> = moments.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        quantile(&parts, 50)
    };
    Ok(Moment {
        wall_ms: of(|moment| moment.wall_ms)?,
        processor_ms: of(|moment| moment.processor_ms)?,
        resident_mib: of(|moment| moment.resident_mib)?,
        instructions: None,
    })
}

/// Of sorted values, the one below which so many percent are.
fn quantile(sorted: &[f64], percent: usize) -> Result<f64, Failure> {
    let last = sorted.len().saturating_sub(1);
    let found = sorted.get(last * percent / 100).copied();
    found.ok_or_else(|| "every start has failed; see above".into())
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
