//! Many attempts at hostile targets through the real way to targets, and what they leave behind.

mod memory;
mod reply;
mod target;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use adapters::clock;
use adapters::targets::Targets;
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{Connection, Question};
use domain::id::DeliveryId;
use domain::jose::{Algorithm, Compact, signing_input};
use domain::limits::{REPLY_BYTES_MAX, REPLY_HEAD_BYTES_MAX};
use domain::notification::{Notification, TYP, WebhookHeaders};
use domain::time::Deadline;
use domain::verification::Verification;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::Failure;
use memory::Resident;
use reply::Reply;

pub(crate) use target::serve;

/// One attempt, from its first byte to its last: short, so that many are made.
const ATTEMPT_MS: u64 = 250;

/// How much later than its deadline an attempt may end where others want the processor too.
const LATE: Duration = Duration::from_millis(250);

/// How far memory may move, in per cent of what it was after the warm-up.
const DRIFT_MAX_PERCENT: u64 = 5;

/// What a connection's buffers hold beside what was read of it, in bytes: the system's, at both
/// ends.
const BUFFERS_BYTES: u64 = 512 * 1024;

/// What came of the attempts.
#[derive(Default)]
struct Total {
    outcomes: BTreeMap<(&'static str, String), usize>,
    slowest: Duration,
}

/// Makes so many attempts, and prints what they came to. Whether everything stayed within bounds.
pub(crate) async fn run(replies: usize, at_once: usize) -> Result<bool, Failure> {
    let (mut child, address) = start().await?;
    let targets = Targets::new(EgressPolicy::with_loopback_targets())?;
    // As many again: what the allocator keeps for connections is all there only after thousands.
    let warm_up = replies.max(at_once);
    attack(&targets, address, warm_up, at_once).await?;
    let before = Resident::now()?;
    println!("{replies} hostile replies, {at_once} at once, {ATTEMPT_MS} ms each");
    println!("  {before} resident after {warm_up} to warm up");
    let mut most = before;
    let mut total = Total::default();
    for part in 1..=10 {
        let count = replies * part / 10 - replies * (part - 1) / 10;
        let did = attack(&targets, address, count, at_once).await?;
        total.add(did);
        most = most.max(Resident::now()?);
    }
    let after = Resident::now()?;
    let read = target::written(address).await?;
    child.kill().await?;
    let is_flat = after.drift_percent(before) <= DRIFT_MAX_PERCENT;
    let is_in_time = total.slowest <= Duration::from_millis(ATTEMPT_MS) + LATE;
    let bytes_max = (REPLY_BYTES_MAX + REPLY_HEAD_BYTES_MAX) as u64 + BUFFERS_BYTES;
    println!(
        "  {after} at the end, {most} at most in between: {} % from the first, {} is asked",
        after.drift_percent(before),
        DRIFT_MAX_PERCENT,
    );
    println!("  the slowest attempt took {} ms", total.slowest.as_millis());
    let mut is_bounded = true;
    for reply in Reply::ALL {
        let taken = read.get(reply.name()).copied().unwrap_or_default();
        is_bounded &= taken.most <= bytes_max;
        let outcomes = total.outcomes.iter().filter(|((of, _), _)| *of == reply.name());
        let outcomes: Vec<_> = outcomes.map(|((_, what), n)| format!("{n} {what}")).collect();
        println!(
            "  {:<18} {:>4} KiB taken on average, {:>4} at most: {}",
            reply.name(),
            taken.mean / 1_024,
            taken.most / 1_024,
            outcomes.join(", "),
        );
    }
    Ok(is_flat && is_in_time && is_bounded)
}

/// Starts the targets as a process of their own.
async fn start() -> Result<(Child, SocketAddr), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("hostile-targets")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = child.stdout.take().ok_or("a child without an output")?;
    let said = BufReader::new(out).lines().next_line().await?.ok_or("it ended at once")?;
    Ok((child, said.parse()?))
}

async fn attack(
    targets: &Targets,
    address: SocketAddr,
    count: usize,
    at_once: usize,
) -> Result<Total, Failure> {
    let mut under_way = JoinSet::new();
    let mut total = Total::default();
    for (number, reply) in (0..count).zip(Reply::ALL.into_iter().cycle()) {
        if under_way.len() >= at_once {
            total.note(under_way.join_next().await)?;
        }
        let targets = targets.clone();
        under_way.spawn(async move { attempt(&targets, address, reply, number).await });
    }
    while let Some(done) = under_way.join_next().await {
        total.note(Some(done))?;
    }
    Ok(total)
}

type Done = Result<(&'static str, String, Duration), Failure>;

/// One attempt: by turns a notification, whose reply's head is what counts, and a question about a
/// login, whose reply is read whole.
async fn attempt(targets: &Targets, address: SocketAddr, reply: Reply, number: usize) -> Done {
    let url = format!("http://{address}/{}", reply.name());
    let url = GuardedUrl::judge(&url, EgressPolicy::with_loopback_targets())?;
    let url = Verification::NotNeeded.admit(url).map_err(|_| "an endpoint is to be verified")?;
    let id = DeliveryId::try_from(format!("dlv_{number}"))?;
    let headers = WebhookHeaders { id, timestamp: clock::now(), attempt: 1, trace: None };
    let input = signing_input(Algorithm::Es256, "k", TYP, "{}");
    let notification = Notification::Token(Compact::assemble(input, &[1, 2, 3]));
    let deadline = Deadline::at(clock::now().plus_ms(ATTEMPT_MS));
    let begun_at = now();
    let is_question = (number / Reply::ALL.len()).is_multiple_of(2);
    let outcome = if is_question {
        let connection = Connection::Kept;
        let question = Question { url, notification, headers, deadline, connection };
        match targets.ask(question).await {
            Ok(reply) if reply.body.is_none() => format!("{} too large", reply.status),
            Ok(reply) => format!("{} whole", reply.status),
            Err(silence) => format!("{:?}", domain::subscription::Unavailable::from(&silence)),
        }
    } else {
        targets.post(Post { url, notification, headers, deadline }).await.to_string()
    };
    Ok((reply.name(), outcome, begun_at.elapsed()))
}

impl Total {
    fn note(&mut self, done: Option<Result<Done, tokio::task::JoinError>>) -> Result<(), Failure> {
        let Some(done) = done else { return Ok(()) };
        let (reply, outcome, took) = done??;
        *self.outcomes.entry((reply, outcome)).or_default() += 1;
        self.slowest = self.slowest.max(took);
        Ok(())
    }

    fn add(&mut self, other: Self) {
        for (what, count) in other.outcomes {
            *self.outcomes.entry(what).or_default() += count;
        }
        self.slowest = self.slowest.max(other.slowest);
    }
}

#[expect(clippy::disallowed_methods, reason = "whether attempts end in time is measured")]
fn now() -> Instant {
    Instant::now()
}
