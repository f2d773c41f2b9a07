//! One load from its first event to its accounts.

use std::time::Duration;

use tokio::time::{Instant, interval};

use super::account::balance;
use super::child::Part;
use super::latency::measure;
use super::report::{Memory, Processor, Report};
use super::sender::Progress;
use super::system::{Setup, System};
use super::{receiver, sender};
use crate::Failure;
use crate::number::{float, length};
use crate::progress::say;
use crate::stage::binaries::Binaries;
use crate::stage::process::{Counted, counted};
use crate::subjects::FUNCTIONS;
use crate::targets::Trouble;
use crate::wall::{now, now_us};

/// How fast, how long, how much.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Events a second.
    pub events_per_s: f64,
    /// How long.
    pub seconds: u32,
    /// Bytes of each event.
    pub payload_bytes: usize,
    /// How long to wait at the end.
    pub drain: Duration,
    /// Whether retries that are still to come are waited for, too.
    pub retries: Retries,
}

/// What of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// They stand in the ledger.
    Left,
    /// They are made, as far as the time at the end allows.
    Awaited,
}

/// What has been counted up to a moment.
struct Tally {
    functions: [Counted; 3],
    emulation: Duration,
}

impl Tally {
    fn of(system: &System) -> Result<Self, Failure> {
        let emulation = counted(std::process::id())?.processor;
        Ok(Self { functions: system.counted()?, emulation })
    }
}

/// Sets the system up, loads it, and balances the accounts.
pub async fn run(setup: &Setup, rate: Rate, binaries: &Binaries) -> Result<Report, Failure> {
    say("starting the functions");
    let mut system = System::start(setup, binaries).await?;
    load(setup, rate, &mut system).await
}

/// Loads a running system.
pub async fn load(setup: &Setup, rate: Rate, system: &mut System) -> Result<Report, Failure> {
    let plan = setup.plan;
    let posts_per_s = rate.events_per_s / length(plan.events_a_post);
    let posts = whole((posts_per_s * f64::from(rate.seconds)).ceil());
    warm(setup, rate, system).await?;
    let before = Tally::of(system)?;
    system.stage.meter().take();
    let logged_before = log_bytes(system);
    let sixth_us = u64::from(rate.seconds) * 1_000_000 / 6;
    let began_us = now_us();
    let trouble = match plan.percents {
        it if it.hanging + it.failing + it.slow == 0 => Trouble::default(),
        _ => Trouble { from_us: began_us + sixth_us, until_us: began_us + 5 * sixth_us },
    };
    let told: receiver::Said = system.targets.ask(&receiver::Order::Trouble(trouble)).await?;
    let (file, began) = (system.stage.file("posted"), now());
    let mut part = Part::start("load-sender")?;
    part.tell(&sender::Order {
        url: system.url().to_owned(),
        posts_per_s,
        first_post: 0,
        posts,
        events_a_post: plan.events_a_post,
        properties: plan.targets,
        payload_bytes: rate.payload_bytes,
        file: file.clone(),
    })?;
    let sent = watch(&mut part, system, posts).await?;
    drain(system, rate.drain, rate.retries).await?;
    let elapsed = began.elapsed();
    let after = Tally::of(system)?;
    let arrivals = system.stage.file("arrived");
    let noted: receiver::Said =
        system.targets.ask(&receiver::Order::Write(arrivals.clone())).await?;
    let posted = sender::read(&std::fs::read_to_string(file)?)?;
    let arrivals = receiver::read(&std::fs::read_to_string(arrivals)?)?;
    let ledger = system.ledger(plan).await?;
    let accounts = balance(plan, &posted, &arrivals, &ledger);
    let own_s = |of: usize| {
        (after.functions[of].processor.saturating_sub(before.functions[of].processor)).as_secs_f64()
    };
    let kib = |of: usize| after.functions[of].peak_kib;
    Ok(Report {
        events_per_s: rate.events_per_s,
        seconds: rate.seconds,
        events_a_post: plan.events_a_post,
        fan_out: plan.fan_out,
        targets: plan.targets,
        percents: [plan.percents.hanging, plan.percents.failing, plan.percents.slow],
        tls: setup.tls,
        aws: format!("{:?}", setup.queues).to_lowercase(),
        elapsed_s: elapsed.as_secs_f64(),
        trouble_s: (trouble.until_us > 0).then(|| {
            let start_us = posted.iter().map(|it| it.due_us).min().unwrap_or(began_us);
            [trouble.from_us, trouble.until_us].map(|us| float(us.saturating_sub(start_us)) / 1e6)
        }),
        latencies: measure(plan, trouble, &posted, &arrivals),
        accounts,
        signatures_verified: noted.verified,
        unsound: noted.unsound,
        processor: Processor {
            ingest_s: own_s(0),
            delivery_s: own_s(1),
            sweeper_s: own_s(2),
            sender_s: sent.processor_s,
            targets_s: noted.processor_s - told.processor_s,
            emulation_s: after.emulation.saturating_sub(before.emulation).as_secs_f64(),
        },
        memory: Memory { ingest_kib: kib(0), delivery_kib: kib(1), sweeper_kib: kib(2) },
        usage: system.stage.meter().take().into(),
        log_bytes: log_bytes(system).saturating_sub(logged_before),
        notification_bytes: noted.bytes,
    })
}

/// What the functions have logged so far.
fn log_bytes(system: &System) -> u64 {
    let logs = FUNCTIONS.map(|name| system.log(name));
    // A function that has said nothing has no log.
    logs.iter().filter_map(|log| std::fs::metadata(log).ok()).map(|log| log.len()).sum()
}

/// Events that are none of the load's. Were one of them to arrive late, it would be unexpected.
const WARMING: usize = 1_000_000_000;

/// Connections are open and subscriptions read before anything is measured, of those environments at
/// least that are asked first.
async fn warm(setup: &Setup, rate: Rate, system: &mut System) -> Result<(), Failure> {
    let mut part = Part::start("load-sender")?;
    let posts = (setup.plan.targets * 2).max(setup.ingest * 8);
    part.tell(&sender::Order {
        url: system.url().to_owned(),
        posts_per_s: 400.0,
        first_post: WARMING,
        posts,
        events_a_post: setup.plan.events_a_post,
        properties: setup.plan.targets,
        payload_bytes: rate.payload_bytes,
        file: system.stage.file("warmed"),
    })?;
    loop {
        let progress: Progress = part.hear().await?;
        if progress.is_done {
            break;
        }
    }
    if !drain(system, Duration::from_secs(20), Retries::Left).await? {
        return Err("the system is still busy with what should have warmed it up".into());
    }
    let _: receiver::Said =
        system.targets.ask(&receiver::Order::Write(system.stage.file("warmed"))).await?;
    Ok(())
}

/// Tells how far the sender is, until it is done.
async fn watch(part: &mut Part, system: &mut System, posts: usize) -> Result<Progress, Failure> {
    loop {
        let progress: Progress = part.hear().await?;
        let said: receiver::Said = system.targets.ask(&receiver::Order::Count).await?;
        say(&format!(
            "{} of {posts} POSTs sent, {} answered, {} refused, {} notifications delivered",
            progress.sent, progress.answered, progress.refused, said.arrived
        ));
        if progress.is_done {
            return Ok(progress);
        }
    }
}

/// Waits until nothing is under way; whether that came to pass.
async fn drain(system: &System, most: Duration, retries: Retries) -> Result<bool, Failure> {
    let end = Instant::now() + most;
    let mut look = interval(Duration::from_millis(50));
    let mut quiet = 0;
    while quiet < 4 && Instant::now() < end {
        look.tick().await;
        let is_waiting = retries == Retries::Awaited && system.has_delayed();
        quiet = if is_waiting || system.is_busy().await? { 0 } else { quiet + 1 };
    }
    Ok(quiet >= 4)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some millions, and never negative"
)]
fn whole(count: f64) -> usize {
    count as usize
}
