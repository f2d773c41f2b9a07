//! The sender, a process of its own: POSTs at a steady rate, whatever becomes of the former ones. A
//! slow system cannot hide its queue by making its sender wait.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::account::Posted;
use super::plan::{Percents, Plan, property};
use crate::Failure;
use crate::number::length;
use crate::payloads::posting;
use crate::stage::process::counted;
use crate::wall::now_us;

/// How long a POST waits for its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Where to.
    pub url: String,
    /// POSTs a second.
    pub posts_per_s: f64,
    /// The number of the first POST.
    pub first_post: usize,
    /// How many POSTs.
    pub posts: usize,
    /// Events of each.
    pub events_a_post: usize,
    /// Properties that they are about, by turns.
    pub properties: usize,
    /// Bytes of each event.
    pub payload_bytes: usize,
    /// Where the answers are written.
    pub file: PathBuf,
}

/// What is said once a second, and at the end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// POSTs that were sent.
    pub sent: usize,
    /// POSTs that were answered.
    pub answered: usize,
    /// POSTs that were not accepted.
    pub refused: usize,
    /// Whether there is nothing left to come.
    pub is_done: bool,
    /// The sender's own time on a processor so far, in seconds.
    pub processor_s: f64,
}

#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    answered: AtomicUsize,
    refused: AtomicUsize,
}

impl Counts {
    fn say(&self, is_done: bool) -> Result<(), Failure> {
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let processor_s = counted(std::process::id())?.processor.as_secs_f64();
        let progress = Progress {
            sent: load(&self.sent),
            answered: load(&self.answered),
            refused: load(&self.refused),
            is_done,
            processor_s,
        };
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&progress)?)?;
        Ok(())
    }
}

/// Carries the order out; it is one line of standard input.
pub async fn run() -> Result<(), Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let order: Arc<Order> = Arc::new(serde_json::from_str(&line)?);
    let client: Client<HttpConnector, Body> = {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Client::builder(TokioExecutor::new()).build(connector)
    };
    let counts = Arc::new(Counts::default());
    let telling = tokio::spawn({
        let counts = Arc::clone(&counts);
        async move {
            let mut each = interval(Duration::from_secs(1));
            loop {
                each.tick().await;
                // Whoever listens no more is not missed.
                let _ = counts.say(false);
            }
        }
    });
    let (answered, mut answers) = mpsc::unbounded_channel();
    let start = Instant::now() + Duration::from_millis(200);
    let start_us = now_us() + 200_000;
    for turn in 0..order.posts {
        let post = order.first_post + turn;
        let due = Duration::from_secs_f64(length(turn) / order.posts_per_s);
        sleep_until(start + due).await;
        let due_us = start_us + u64::try_from(due.as_micros())?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        let (order, client) = (Arc::clone(&order), client.clone());
        let (answered, counts) = (answered.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            let status = send(&order, &client, post).await;
            counts.answered.fetch_add(1, Ordering::Relaxed);
            counts.refused.fetch_add(usize::from(status != 202), Ordering::Relaxed);
            // The receiver lives until all have been heard.
            let _ = answered.send(Posted { post, due_us, answered_us: now_us(), status });
        });
    }
    drop(answered);
    let mut text = String::new();
    while let Some(Posted { post, due_us, answered_us, status }) = answers.recv().await {
        writeln!(text, "{post} {due_us} {answered_us} {status}")?;
    }
    std::fs::write(&order.file, text)?;
    telling.abort();
    counts.say(true)
}

/// The answer's status; 0 when there is none.
async fn send(order: &Order, client: &Client<HttpConnector, Body>, post: usize) -> u16 {
    let plan = Plan {
        targets: order.properties,
        fan_out: 1,
        events_a_post: order.events_a_post,
        percents: Percents::default(),
    };
    let name = property(plan.property_of_post(post));
    let body = posting(post * order.events_a_post, order.events_a_post, &name, order.payload_bytes);
    let request = Request::post(format!("{}/v1/events", order.url))
        .header("content-type", "application/json")
        .body(Body::from(body));
    let Ok(request) = request else { return 0 };
    let whole = async {
        let answer = client.request(request).await.ok()?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await.ok()?;
        Some(status)
    };
    timeout(PATIENCE, whole).await.ok().flatten().unwrap_or_default()
}

/// Reads what a sender has written.
pub fn read(text: &str) -> Result<Vec<Posted>, Failure> {
    let line = |line: &str| {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next().ok_or("a number is missing")?.map_err(Failure::from);
        Ok(Posted {
            post: usize::try_from(next()?)?,
            due_us: next()?,
            answered_us: next()?,
            status: u16::try_from(next()?)?,
        })
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let posted = read("3 10 20 202\n").expect("a line");
        assert_eq!(posted, [Posted { post: 3, due_us: 10, answered_us: 20, status: 202 }]);
        assert!(read("3 10\n").is_err());
    }
}
