//! `cargo run -p bench -- instructions`: how many instructions each function's real binary needs to
//! start, to answer its first event, and for each further one; compared with what is committed.
//!
//! Instructions are the same on a busy machine and on a quiet one, so a test can hold them where it
//! could hold no time. They are those of x86-64 with AVX2, which is what valgrind pretends to be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser;
use local::functions::Name;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::number::float;
use crate::stage::binaries::{Binaries, Build};
use crate::stage::callgrind;
use crate::startup::instructions;
use crate::subjects::{FUNCTIONS, Scene, batch, invocation};

/// How far a count may be from the committed one, in percent.
const MARGIN_PERCENT: f64 = 5.0;

/// Instructions of each function's real binary, compared with the committed ones
#[derive(Debug, Parser)]
#[command(name = "bench instructions")]
pub struct Command {
    /// Commit what is counted now, and compare nothing
    #[arg(long)]
    write: bool,
    /// Take the binaries as they are, and build none
    #[arg(long)]
    no_build: bool,
    /// Keep callgrind's reports in this folder, for `callgrind_annotate`; with
    /// `CARGO_PROFILE_RELEASE_STRIP=false` they have the functions' names
    #[arg(long, value_name = "FOLDER")]
    reports: Option<PathBuf>,
}

/// What is counted of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// From exec to the first question for an invocation.
    pub to_next: u64,
    /// From exec to the first answer.
    pub to_answer: u64,
    /// Of each further invocation.
    pub each: u64,
}

/// The nth payload of a function.
type Payload = fn(Name, usize) -> String;

type All = BTreeMap<String, Counts>;

/// The paths that are counted: a function, what it is called with, and how often.
fn paths() -> Vec<(String, Name, usize, Payload)> {
    let mut paths: Vec<_> = FUNCTIONS
        .into_iter()
        .map(|name| {
            let path: Payload = invocation;
            (name.package().to_owned(), name, 20, path)
        })
        .collect();
    paths.push(("delivery, batch of 10".to_owned(), Name::Delivery, 10, |_, number| {
        batch(number, 10)
    }));
    paths
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

impl Command {
    /// Counts; what is to be printed, and whether all counts are within the margin.
    pub async fn run(&self) -> Result<(String, bool), Failure> {
        if !callgrind::is_there() {
            return Err("valgrind is not installed: it counts the instructions".into());
        }
        let binaries =
            if self.no_build { Binaries::found()? } else { Binaries::build(&[Build::Loopback])? };
        let scene = Scene::start(binaries).await?;
        let mut counted = All::new();
        for (label, name, further, payload) in paths() {
            let subject = scene.subject(name, Build::Loopback)?;
            let payloads: Vec<String> = (0..=further).map(|number| payload(name, number)).collect();
            let report = |part: &str| {
                let name =
                    format!("{}-{part}.callgrind", label.replace(", ", "-").replace(' ', "-"));
                self.reports.as_ref().map_or_else(|| scene.stage.file(&name), |it| it.join(&name))
            };
            let count =
                async |invocations, part| instructions(&subject, invocations, report(part)).await;
            let to_next = count(&[], "next").await?;
            let to_answer = count(&payloads[..1], "first").await?;
            let to_last = count(&payloads, "all").await?;
            let each = to_last.saturating_sub(to_answer) / further as u64;
            let counts = Counts { to_next, to_answer, each };
            counted.insert(label, counts);
        }
        if self.write {
            std::fs::write(file(), serde_json::to_string_pretty(&counted)? + "\n")?;
            return Ok((String::new(), true));
        }
        let committed: All = serde_json::from_str(&std::fs::read_to_string(file())?)?;
        Ok(compared(&committed, &counted))
    }
}

/// A table of both, and whether they are close enough.
fn compared(committed: &All, counted: &All) -> (String, bool) {
    let mut text = String::from("instructions, committed → counted, in thousands\n");
    let mut is_close = committed.keys().eq(counted.keys());
    if !is_close {
        text.push_str("the paths are not those that are committed\n");
    }
    for (label, now) in counted {
        let Some(then) = committed.get(label) else { continue };
        let parts = [
            ("exec → next", then.to_next, now.to_next),
            ("exec → first answer", then.to_answer, now.to_answer),
            ("each further", then.each, now.each),
        ];
        for (what, then, now) in parts {
            let percent = (float(now) / float(then.max(1)) - 1.0) * 100.0;
            let verdict = if percent > MARGIN_PERCENT {
                is_close = false;
                "  TOO MANY"
            } else if percent < -MARGIN_PERCENT {
                "  fewer: commit them"
            } else {
                ""
            };
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "{label:<24} {what:<20} {:>9} → {:>9} {percent:>+6.1} %{verdict}",
                then / 1_000,
                now / 1_000
            );
        }
    }
    if !is_close {
        text.push_str(
            "More than committed: find what they are spent on (valgrind --tool=callgrind), or, if they are worth \
             it, commit them: cargo run -p bench -- instructions --write\n",
        );
    }
    (text, is_close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(each: u64) -> All {
        let counts = Counts { to_next: 1_000, to_answer: 2_000, each };
        BTreeMap::from([("ingest".to_owned(), counts)])
    }

    #[test]
    fn more_than_the_margin_is_too_many_and_less_is_said() {
        let is_close = |now: u64| compared(&all(1_000), &all(now)).1;
        assert_eq!([900, 1_000, 1_049, 1_051].map(is_close), [true, true, true, false]);
        assert!(compared(&all(1_000), &all(900)).0.contains("commit them"));
        assert!(!compared(&all(1), &All::new()).1, "a path that is not counted is not held");
    }

    #[test]
    fn what_is_committed_can_be_read_and_is_of_all_paths() {
        let committed = std::fs::read_to_string(file()).expect("bench/instructions.json");
        let committed: All = serde_json::from_str(&committed).expect("counts");
        let mut labels: Vec<_> = paths().into_iter().map(|(label, ..)| label).collect();
        labels.sort();
        assert_eq!(committed.into_keys().collect::<Vec<_>>(), labels);
    }
}
