//! What an invocation costs the functions: processor time, memory and log, of their release
//! binaries as processes, at a Runtime API and the local AWS endpoint.
//!
//! Processor time is what is measured, because Lambda bills time and gives a processor in proportion
//! to memory: `bench/inputs.json` takes these figures, and `docs/cost.md` is made from them. Waiting
//! is not in them: for AWS, for targets, for anybody else on this machine.
//!
//! AWS and targets are spoken to in clear text here. What TLS costs is in none of these figures.

mod payloads;
mod process;

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use local::functions::Name;
use local::{Local, Options, samples};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Failure;
use payloads::{PROPERTY, batch, login, posting};
use process::{Each, Process};

/// Invocations that go before what is counted.
const WARM_UP: usize = 100;

/// Targets that fail, each with a scope of its own, and the events that each is sent: fewer than open
/// its breaker.
const FAILING: usize = 150;
const EVENTS_EACH: usize = 4;

/// Measures and prints; the binaries lie where Cargo puts a release of this package.
pub(crate) async fn run(invocations: usize) -> Result<(), Failure> {
    let here = std::env::current_exe()?;
    let folder = here.ancestors().nth(3).ok_or("not in a target folder")?.join("release");
    if !folder.join("delivery-process").exists() {
        return Err("first: cargo build --release -p tests --bins".into());
    }
    let local = Local::start(&Options::ephemeral()).await?;
    let targets = Targets::start().await?;
    println!("{invocations} invocations each, of the binaries in {}", folder.display());
    println!("{:<44} {:>12} {:>12} {:>12}", "", "processor", "elapsed", "log");
    ingest(&folder, &local, invocations).await?;
    delivery(&folder, &local, &targets, invocations).await?;
    enrich(&folder, &local, invocations).await?;
    let sweeper = Process::start(&folder, Name::Sweeper, &local, &[]).await?;
    sweeper.work((0..WARM_UP).map(|_| json!({}))).await?;
    print(
        "sweeper: a tick with nothing due",
        sweeper.work((0..invocations).map(|_| json!({}))).await?,
    );
    println!("sweeper: {:.1} MiB at most", sweeper.peak_mib()?);
    drop(sweeper);
    local.stop().await?;
    Ok(())
}

async fn ingest(folder: &FilePath, local: &Local, invocations: usize) -> Result<(), Failure> {
    let ingest = Process::start(folder, Name::Ingest, local, &["INGESTED_TABLE"]).await?;
    ingest.work((0..WARM_UP).map(|number| posting(number, 1, 1_024))).await?;
    for (events, bytes) in [(1, 1_024), (10, 1_024), (1, 65_536), (10, 65_536)] {
        let payloads = (0..invocations).map(|number| posting(number, events, bytes));
        let each = ingest.work(payloads).await?;
        print(&format!("ingest: {events} of {bytes} bytes a request"), each);
        // Nobody works the events here: the next case would send into a longer and longer queue.
        purge(local).await?;
    }
    println!("ingest: {:.1} MiB at most", ingest.peak_mib()?);
    Ok(())
}

async fn delivery(
    folder: &FilePath,
    local: &Local,
    targets: &Targets,
    invocations: usize,
) -> Result<(), Failure> {
    for fan_out in [1, 10] {
        let property = format!("{PROPERTY}-{fan_out}");
        for index in 0..fan_out {
            let url = targets.url(&format!("ok-{index}"));
            subscribe(local, &property, &format!("s{index}"), &url).await?;
        }
    }
    for index in 0..FAILING {
        subscribe(local, &format!("failing-{index}"), "s", &targets.url("fails")).await?;
        subscribe(local, &format!("fresh-{index}"), "s", &targets.url("ok-0")).await?;
    }
    let delivery = Process::start(folder, Name::Delivery, local, &["KNOWN_GOOD_TABLE"]).await?;
    let one = format!("{PROPERTY}-1");
    delivery.work((0..WARM_UP).map(|number| batch(number, &one, 1, 1_024))).await?;
    for (messages, fan_out, bytes) in
        [(1, 1, 1_024), (10, 1, 1_024), (1, 10, 1_024), (1, 1, 65_536), (1, 10, 65_536)]
    {
        let property = format!("{PROPERTY}-{fan_out}");
        let sent = targets.sent();
        let payloads = (0..invocations).map(|number| batch(number, &property, messages, bytes));
        let each = delivery.work(payloads).await?;
        let kind = format!("delivery: {messages} of {bytes} bytes, {fan_out} targets");
        print(&kind, each);
        let (posts, heads, bodies) = targets.since(sent);
        println!("    {posts} posts of {heads:.0} bytes of headers and {bodies:.0} of body");
    }
    for (kind, name) in [("a scope not read yet", "fresh"), ("the same, and it fails", "failing")] {
        // A scope is read again after half a minute; this takes seconds.
        let number = 0..FAILING * EVENTS_EACH;
        let payload = |number| batch(number, &format!("{name}-{}", number % FAILING), 1, 1_024);
        print(
            &format!("delivery: 1 of 1024 bytes, 1 target, {kind}"),
            delivery.work(number.map(payload)).await?,
        );
    }
    println!("delivery: {:.1} MiB at most", delivery.peak_mib()?);
    drop(delivery);
    let large = Process::start(folder, Name::Delivery, local, &["KNOWN_GOOD_TABLE"]).await?;
    let ten = format!("{PROPERTY}-10");
    large.work((0..WARM_UP).map(|number| batch(number, &ten, 10, 200_000))).await?;
    println!(
        "delivery: {:.1} MiB at most with batches of 10 of 200 KB, 10 targets",
        large.peak_mib()?
    );
    Ok(())
}

async fn enrich(folder: &FilePath, local: &Local, invocations: usize) -> Result<(), Failure> {
    let enrich = Process::start(folder, Name::Enrich, local, &["KNOWN_GOOD_TABLE"]).await?;
    enrich.work((0..WARM_UP).map(|number| login(number, false))).await?;
    for (kind, is_named) in [("without a request ID", false), ("with a request ID", true)] {
        let payloads = (0..invocations).map(|number| login(number, is_named));
        print(&format!("enrich: a login {kind}"), enrich.work(payloads).await?);
    }
    println!("enrich: {:.1} MiB at most", enrich.peak_mib()?);
    Ok(())
}

fn print(kind: &str, each: Each) {
    let Each { processor_ms, elapsed_ms, printed_bytes } = each;
    println!("{kind:<60} {processor_ms:>9.3} ms {elapsed_ms:>9.3} ms {printed_bytes:>6.0} bytes");
}

async fn subscribe(local: &Local, property: &str, id: &str, url: &str) -> Result<(), Failure> {
    let row = samples::row(&format!("PROPERTY#{property}"), id, "user_data_change", url);
    let put = local.clients().dynamodb.put_item().table_name("subscriptions");
    put.set_item(Some(row)).send().await?;
    Ok(())
}

async fn purge(local: &Local) -> Result<(), Failure> {
    let sqs = &local.clients().sqs;
    let queue = sqs.get_queue_url().queue_name("events").send().await?;
    sqs.purge_queue().set_queue_url(queue.queue_url).send().await?;
    Ok(())
}

/// The targets: `fails` answers 503, all others 200, and what they are sent is counted.
struct Targets {
    url: String,
    sent: Arc<Sent>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Sent {
    posts: AtomicUsize,
    header_bytes: AtomicUsize,
    body_bytes: AtomicUsize,
}

impl Targets {
    async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let sent = Arc::new(Sent::default());
        let router = Router::new().route("/{kind}", post(take)).with_state(Arc::clone(&sent));
        let serve = async move {
            // Nobody is left to tell when it ends.
            let _ = axum::serve(listener, router).await;
        };
        Ok(Self { url, sent, server: tokio::spawn(serve) })
    }

    fn url(&self, kind: &str) -> String {
        format!("{}/{kind}", self.url)
    }

    fn sent(&self) -> [usize; 3] {
        let Sent { posts, header_bytes, body_bytes } = &*self.sent;
        [posts, header_bytes, body_bytes].map(|count| count.load(Ordering::Relaxed))
    }

    /// How many posts there were since then, and how large their headers and bodies on average.
    fn since(&self, [posts, heads, bodies]: [usize; 3]) -> (usize, f64, f64) {
        let [posts_now, heads_now, bodies_now] = self.sent();
        let count = posts_now - posts;
        let mean = |now: usize, then: usize| float(now - then) / float(count.max(1));
        (count, mean(heads_now, heads), mean(bodies_now, bodies))
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State(sent): State<Arc<Sent>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    // `name: value` and the end of the line.
    let header_bytes: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    sent.posts.fetch_add(1, Ordering::Relaxed);
    sent.header_bytes.fetch_add(header_bytes, Ordering::Relaxed);
    sent.body_bytes.fetch_add(body.len(), Ordering::Relaxed);
    if kind == "fails" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

#[expect(clippy::cast_precision_loss, reason = "counts of some millions")]
const fn float(count: usize) -> f64 {
    count as f64
}
