//! One hanging target among a hundred: what the others notice of it.
//!
//! The whole local stack with the real delivery function and real HTTP. Events come at a steady
//! rate; how long each takes from its producer to each healthy target is measured in rounds that
//! take turns: without the target that hangs, with it as the last of the subscriptions, and with
//! it as the first. It hangs until the time-out of 5 s, and in each round it is a new subscription,
//! so that its breaker is closed at first.
//!
//! The rate matters as long as its breaker is closed: five seconds' events hang at once, each in an
//! invocation, and eight of these run at once here (50 as deployed).

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::{Local, Options, samples};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::Failure;
use crate::arrivals::{HANGS, Targets};
use crate::percentiles::percentile;

const PROPERTY: &str = "figures";

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Targets, the hanging one included.
    pub(crate) targets: usize,
    pub(crate) events_per_s: usize,
    /// How long a round takes.
    pub(crate) seconds: usize,
    pub(crate) rounds: usize,
}

impl Plan {
    /// The plan, if there is something to measure.
    pub(crate) fn checked(self) -> Option<Self> {
        let is_some = self.targets > 1 && self.events_per_s * self.seconds * self.rounds > 0;
        is_some.then_some(self)
    }
}

/// Where the target that hangs stands among the subscriptions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hanging {
    Absent,
    Last,
    First,
}

/// How long deliveries to healthy targets took.
#[derive(Default)]
struct Latencies {
    all: Vec<Duration>,
    /// Those of events that the hanging target was not asked about.
    unasked: Vec<Duration>,
    /// How often it was asked.
    asked: usize,
    /// How many events there were.
    events: usize,
}

/// Measures and prints.
pub(crate) async fn run(plan: Plan) -> Result<(), Failure> {
    let stack = Stack::start(plan).await?;
    // Connections, keys and code that is used for the first time.
    stack.round(Hanging::Absent, "warm-up", 5).await?;
    let mut figures: BTreeMap<Hanging, Latencies> = BTreeMap::new();
    for round in 0..plan.rounds {
        for hanging in [Hanging::Absent, Hanging::Last, Hanging::First] {
            let events = plan.events_per_s * plan.seconds;
            let measured = stack.round(hanging, &format!("round-{round}"), events).await?;
            figures.entry(hanging).or_default().add(measured);
        }
    }
    stack.local.stop().await?;
    let Plan { targets, events_per_s, seconds, rounds } = plan;
    println!(
        "{targets} targets, {events_per_s} events a second, {rounds} rounds of {seconds} s each:"
    );
    let without = figures.remove(&Hanging::Absent).unwrap_or_default().all;
    println!("  without a hanging target:          {}", line(&without, &without));
    for (hanging, place) in [(Hanging::Last, "last"), (Hanging::First, "first")] {
        let Latencies { all, unasked, asked, events } =
            figures.remove(&hanging).unwrap_or_default();
        println!("  with one, {place:>5} by ID:            {}", line(&all, &without));
        println!("    of which after it was found out: {}", line(&unasked, &without));
        println!(
            "    it was asked about {asked} of {events} events, then its breaker held the rest"
        );
    }
    Ok(())
}

/// Two percentiles, and how much larger they are.
fn line(of: &[Duration], without: &[Duration]) -> String {
    if of.is_empty() {
        return "there was none".to_owned();
    }
    let [p50, p99] = [50, 99].map(|percent| {
        let [with, without] = [of, without].map(|these| percentile(these, percent * 10));
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        format!("p{percent} {:>6} ms ({ratio:.2} times)", with.as_millis())
    });
    format!("{p50}, {p99}")
}

impl Latencies {
    fn add(&mut self, other: Self) {
        self.all.extend(other.all);
        self.unasked.extend(other.unasked);
        self.asked += other.asked;
        self.events += other.events;
    }
}

struct Stack {
    local: Local,
    targets: Targets,
    http: reqwest::Client,
    plan: Plan,
}

impl Stack {
    async fn start(plan: Plan) -> Result<Self, Failure> {
        let local = Local::start(&Options::ephemeral()).await?;
        let targets = Targets::start().await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let stack = Self { local, targets, http, plan };
        for index in 1..plan.targets {
            stack.subscribe(&format!("s{index:03}"), &format!("t{index:03}")).await?;
        }
        Ok(stack)
    }

    async fn subscribe(&self, id: &str, target: &str) -> Result<(), Failure> {
        let scope = format!("PROPERTY#{PROPERTY}");
        let row = samples::row(&scope, id, "user_data_change", &self.targets.url(target));
        let put = self.local.clients().dynamodb.put_item().table_name("subscriptions");
        put.set_item(Some(row)).send().await?;
        Ok(())
    }

    async fn unsubscribe(&self, id: &str) -> Result<(), Failure> {
        let delete = self.local.clients().dynamodb.delete_item().table_name("subscriptions");
        let delete = delete.key("pk", AttributeValue::S(format!("PROPERTY#{PROPERTY}")));
        let delete = delete.key("sk", AttributeValue::S(format!("SUBSCRIPTION#{id}")));
        delete.send().await?;
        Ok(())
    }

    async fn round(
        &self,
        hanging: Hanging,
        round: &str,
        events: usize,
    ) -> Result<Latencies, Failure> {
        let subscription = match hanging {
            Hanging::Absent => None,
            Hanging::Last => Some(format!("z-{round}")),
            Hanging::First => Some(format!("a-{round}")),
        };
        if let Some(id) = &subscription {
            self.subscribe(id, HANGS).await?;
        }
        let name = subscription.as_deref().unwrap_or(round);
        let posted = self.post(name, events).await?;
        let seen = self.targets.take(events * (self.plan.targets - 1)).await?;
        if let Some(id) = &subscription {
            self.unsubscribe(id).await?;
        }
        let mut latencies = Latencies { asked: seen.hung.len(), events, ..Latencies::default() };
        for (event, arrived) in &seen.arrived {
            let posted_at = posted.get(event).ok_or("an event that nobody posted")?;
            let took = arrived.iter().map(|at| at.duration_since(*posted_at));
            latencies.all.extend(took.clone());
            if !seen.hung.contains(event) {
                latencies.unasked.extend(took);
            }
        }
        Ok(latencies)
    }

    /// Posts events at the plan's rate, and says when which was posted.
    async fn post(&self, name: &str, events: usize) -> Result<BTreeMap<String, Instant>, Failure> {
        let mut posts = JoinSet::new();
        let mut posted = BTreeMap::new();
        let mut due = interval(Duration::from_secs(1) / u32::try_from(self.plan.events_per_s)?);
        for index in 0..events {
            let id = format!("{name}-{index}");
            let event = json!({
                "id": id, "type": "userCreated", "occurredAt": "2026-11-23T10:00:00Z",
                "propertyId": PROPERTY, "sub": "u1", "data": {},
            });
            let post = self.http.post(format!("{}/v1/events", self.local.api_url()));
            let post = post.header("content-type", "application/json").body(event.to_string());
            due.tick().await;
            posted.insert(id, Instant::now());
            posts.spawn(async move { post.send().await?.error_for_status().map(drop) });
        }
        while let Some(answered) = posts.join_next().await {
            answered??;
        }
        Ok(posted)
    }
}
