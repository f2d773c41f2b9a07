//! The targets as a process of their own: told by lines of standard input what to do, each answered by
//! a line of standard output.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use testkit::tls::Authority;
use tokio::task::spawn_blocking;

use crate::Failure;
use crate::stage::process::counted;
use crate::targets::{Arrival, Behaviour, Targets, Trouble};

/// What is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// The first: start them.
    #[serde(rename_all = "camelCase")]
    Start {
        /// Where the authority's certificate is written, in DER; in clear text without.
        authority: Option<PathBuf>,
        /// The keys that signatures are verified by.
        published: String,
        /// How long a slow target takes, in milliseconds.
        slow_ms: u64,
        /// How long any target takes, in milliseconds.
        target_ms: u64,
        /// Each how many-th notification is verified.
        verify_each: u64,
    },
    /// When things go wrong.
    Trouble(Trouble),
    /// Say how many have arrived.
    Count,
    /// Write what has arrived to a file.
    Write(
        /// Which.
        PathBuf,
    ),
}

/// What is answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// Where the targets are.
    pub url: String,
    /// How many notifications were confirmed.
    pub arrived: usize,
    /// How many requests there were.
    pub requests: u64,
    /// How many signatures were verified.
    pub verified: u64,
    /// What they were sent, in bytes.
    pub bytes: u64,
    /// How many requests were not what they should have been.
    pub unsound: u64,
    /// Time on a processor so far, in seconds.
    pub processor_s: f64,
}

/// Does as it is told until there is nothing more.
pub async fn run() -> Result<(), Failure> {
    let Some(Order::Start { authority, published, slow_ms, target_ms, verify_each }) =
        next().await?
    else {
        return Err("expected to be started first".into());
    };
    let identity = match authority {
        None => None,
        Some(file) => {
            let authority = Authority::generate();
            std::fs::write(file, authority.der())?;
            Some(authority.identity(&["127.0.0.1"]))
        }
    };
    let behaviour = Behaviour {
        slow: Duration::from_millis(slow_ms),
        always: Duration::from_millis(target_ms),
        verify_each,
    };
    let targets = Targets::start(identity.as_ref(), behaviour, Some(&published)).await?;
    say(Said { url: targets.url().to_owned(), ..Said::default() })?;
    while let Some(order) = next().await? {
        let mut said = Said::default();
        match order {
            Order::Start { .. } => return Err("it has started".into()),
            Order::Trouble(trouble) => targets.set_trouble(trouble),
            Order::Count => said.arrived = targets.arrived(),
            Order::Write(file) => {
                let noted = targets.take();
                std::fs::write(file, written(&noted.arrivals))?;
                said.arrived = noted.arrivals.len();
                (said.requests, said.verified) = (noted.requests, noted.verified);
                (said.unsound, said.bytes) = (noted.unsound, noted.bytes);
            }
        }
        say(said)?;
    }
    Ok(())
}

async fn next() -> Result<Option<Order>, Failure> {
    let line = spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = line.await??;
    if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&line)?)) }
}

fn say(mut said: Said) -> Result<(), Failure> {
    said.processor_s = counted(std::process::id())?.processor.as_secs_f64();
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&said)?)?;
    Ok(())
}

fn written(arrivals: &[Arrival]) -> String {
    let mut text = String::new();
    for Arrival { target, event, at_us } in arrivals {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{target} {event} {at_us}");
    }
    text
}

/// Reads what the targets have written.
pub fn read(text: &str) -> Result<Vec<Arrival>, Failure> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut next = || words.next().ok_or("a word is missing");
        let (target, event, at_us) = (next()?.parse()?, next()?.to_owned(), next()?.parse()?);
        Ok(Arrival { target, event, at_us })
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let arrivals = [Arrival { target: 7, event: "b1".to_owned(), at_us: 12 }];
        assert_eq!(read(&written(&arrivals)).expect("lines"), arrivals);
        assert!(read("7 b1\n").is_err());
    }
}
