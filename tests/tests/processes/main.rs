//! Real processes: the function binaries, killed with SIGKILL while events flow, and the checker's
//! word that nothing is lost.
//!
//! **Real**: the binaries, built from the functions' own `main.rs`, a process for every execution
//! environment, killed by the operating system wherever they happen to be; the Runtime API's and
//! AWS's protocols over sockets; the template's tables, queues and settings; targets over HTTP.
//!
//! **Played**: AWS. A process whose invocation runs is not asked again ([`functions`]); a killed
//! one has not answered, and a fresh one takes its place. What a killed batch held comes back when
//! the queue's visibility time-out is over.
//!
//! **Played**: hours. Nobody waits 30 s, or 12 h, for an attempt. Now and then, while no
//! invocation runs, the world's clock is turned forward: every time in the ledger moves into the
//! past by the same stretch, and messages whose time-out is over by then are shown again
//! ([`clock`]). So a lease ends when it would have, after the process that held it and before its
//! message comes back, and the checker gets times that count what was skipped: an attempt that
//! comes too early is still found. Idle processes do not outlive a turn, as they do not outlive
//! idle minutes in Lambda: what they remember of breakers and subscriptions is never older than it
//! seems to them.
//!
//! The delays of single messages are the endpoint's own and pass in real time alone: after a turn a
//! wake-up is late, as one that got lost, and it is the sweeper that wakes the delivery. In the end
//! such stale wake-ups may still be delayed; with nothing pending there is nothing left for them to
//! claim.
//!
//! Whatever reaches a target twice must be explained by a process that had just that in hand when
//! it was killed, or that said that it could not do it ([`explain`]).
//!
//! A seed decides when which function is hit and how the targets behave ([`plan`]); how far a
//! process gets by then is the machine's affair. More of it, as at night:
//!
//! ```text
//! PROCESSES_EVENTS=10000 PROCESSES_KILLS=200 PROCESSES_SEED=1 cargo test --workspace --test processes
//! ```

mod canary;
mod clock;
mod environment;
mod explain;
mod functions;
mod ledger;
mod plan;
mod story;
mod targets;

use adapters::settings::{Environment, Strings as _};
use testkit::checker::check;

use plan::Plan;
use story::Story;

/// A number that a longer run sets.
fn number(name: &str, otherwise: usize) -> usize {
    Environment.get(name).map_or(otherwise, |value| value.parse().expect(name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f27_nothing_is_lost_when_processes_are_killed_at_random() {
    let events = number("PROCESSES_EVENTS", 300);
    let kills = number("PROCESSES_KILLS", 20);
    let seed = number("PROCESSES_SEED", 27);
    let told = Story::begin(Plan::of(seed as u64, events, kills)).await.play().await;
    println!("seed {seed}: {}", told.summary);
    let lies = check(&told.history);
    for post in &told.history.posts {
        if lies.iter().any(|lie| lie.pair() == Some(&post.pair)) {
            println!("{post:?}");
        }
    }
    let lies: Vec<String> = lies.iter().map(ToString::to_string).collect();
    assert!(
        lies.is_empty(),
        "{lies:#?}\nwhat the processes logged: {}\nagain: PROCESSES_EVENTS={events} \
         PROCESSES_KILLS={kills} PROCESSES_SEED={seed} cargo test --workspace --test processes",
        functions::LOG
    );
    // A run in which little went wrong proves little.
    assert_eq!(told.history.accepted.len(), events, "producers come back");
    assert!(told.killed * 4 >= kills * 3, "most kills are carried out");
    assert!(told.deliveries_cut_off > 0, "deliveries are cut off");
    assert!(told.history.posts.iter().any(|post| post.attempt > 1), "deliveries are tried again");
    let gone = &told.history.subscribed["gone"][0];
    assert!(gone.until_ms < u64::MAX, "who is gone is disabled");
}
