//! Our own time in a login: what a decision takes beyond what a raw client takes.
//!
//! Both ask the same target, by turns and at the same rate, and from the time of both is taken what
//! the target says it held the question: a timer's delays are not what is measured here. What is
//! left is, of the raw client, two ways through TLS and HTTP and the target's signature, and of a
//! decision all of that and ours.

use std::sync::Arc;
use std::time::Duration;

use domain::jose::Algorithm;
use tokio::task::JoinSet;

use super::logins::Logins;
use super::raw_client::RawClient;
use super::{ALGORITHMS, Place, Plan, WELL_MS, paced};
use crate::Failure;
use crate::percentiles::{ms, percentile};

/// How long both are warmed up, in seconds: each opens its connections.
const WARM_UP_S: u32 = 2;

/// What was measured.
#[derive(Default)]
struct Times {
    raw: Vec<(Algorithm, Duration)>,
    ours: Vec<(Algorithm, Duration)>,
    /// Logins that the target did not decide, and what it says about the first of them.
    not_allowed: usize,
    why: Option<String>,
}

enum Measured {
    Raw(Algorithm, Duration),
    Ours(Algorithm, Duration),
    NotAllowed(String),
}

/// Measures and prints.
pub(super) async fn run(plan: &Plan, place: &Place) -> Result<(), Failure> {
    let logins = Arc::new(Logins::start(place).await?);
    for (number, algorithm) in ALGORITHMS.into_iter().enumerate() {
        logins.decide(algorithm, number).await?;
    }
    let mut raw = RawClient::new(place)?;
    raw.learn().await?;
    let raw = Arc::new(raw);
    let mut number = ALGORITHMS.len();
    measure(plan.logins_per_s, WARM_UP_S, &mut number, &logins, &raw).await?;
    let times = measure(plan.logins_per_s, plan.seconds, &mut number, &logins, &raw).await?;
    let connections = raw.connections().await?;
    print(plan, &times, connections);
    match Arc::into_inner(logins) {
        Some(logins) => logins.stop().await,
        None => Ok(()),
    }
}

async fn measure(
    per_s: u32,
    seconds: u32,
    number: &mut usize,
    logins: &Arc<Logins>,
    raw: &Arc<RawClient>,
) -> Result<Times, Failure> {
    let mut due = paced(per_s * 2);
    let mut running = JoinSet::new();
    for turn in 0..per_s * seconds {
        let algorithm = if turn % 2 == 0 { Algorithm::EdDsa } else { Algorithm::Rs256 };
        due.tick().await;
        let (logins, this) = (Arc::clone(logins), *number);
        running.spawn(async move {
            let decided = logins.decide(algorithm, this).await?;
            Ok::<_, Failure>(match decided.held.filter(|_| decided.is_allowed()) {
                Some(held) => Measured::Ours(algorithm, decided.took.saturating_sub(held)),
                None => Measured::NotAllowed(decided.outcome),
            })
        });
        *number += 1;
        due.tick().await;
        let raw = Arc::clone(raw);
        running.spawn(async move { Ok(Measured::Raw(algorithm, raw.post(algorithm).await?)) });
    }
    let mut times = Times::default();
    while let Some(done) = running.join_next().await {
        times.add(done??);
    }
    Ok(times)
}

impl Times {
    fn add(&mut self, measured: Measured) {
        match measured {
            Measured::Raw(algorithm, time) => self.raw.push((algorithm, time)),
            Measured::Ours(algorithm, time) => self.ours.push((algorithm, time)),
            Measured::NotAllowed(outcome) => {
                self.not_allowed += 1;
                self.why.get_or_insert(outcome);
            }
        }
    }
}

fn print(plan: &Plan, times: &Times, connections: usize) {
    let Plan { logins_per_s, seconds, .. } = plan;
    println!(
        "{logins_per_s} logins a second for {seconds} s, and as many posts of a raw client; the \
         target takes {WELL_MS} ms, which is taken off:"
    );
    println!("                                p50        p99      p99.9");
    for algorithm in ALGORITHMS {
        let of = |times: &[(Algorithm, Duration)]| -> Vec<Duration> {
            times.iter().filter(|(of, _)| *of == algorithm).map(|(_, time)| *time).collect()
        };
        print_both(algorithm.as_str(), &of(&times.raw), &of(&times.ours));
    }
    let of = |times: &[(Algorithm, Duration)]| -> Vec<Duration> {
        times.iter().map(|(_, time)| *time).collect()
    };
    print_both("both", &of(&times.raw), &of(&times.ours));
    println!(
        "  {} logins allowed, {} not{}; {connections} connections in all",
        times.ours.len(),
        times.not_allowed,
        times.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default(),
    );
}

fn print_both(name: &str, raw: &[Duration], ours: &[Duration]) {
    let [raw, ours] =
        [raw, ours].map(|times| [500, 990, 999].map(|rank| ms(percentile(times, rank))));
    let own = [0, 1, 2].map(|rank| ours[rank] - raw[rank]);
    for (name, what, times) in
        [(name, "raw client", raw), ("", "decision", ours), ("", "our own time", own)]
    {
        let [p50, p99, p99_9] = times;
        println!("  {name:<6} {what:<13} {p50:>7.2} ms {p99:>7.2} ms {p99_9:>7.2} ms");
    }
}
