//! The outage demo: a target that is down for six hours while events go on coming, on a clock that
//! skips the waiting.
//!
//! It looks on at every lull, with time held, so that nothing is under way in what it sees: what
//! the target got, and what the table `deliveries` says of the breaker and of the deliveries.
//! `table` reads it, `plan` is what is played and what it would have come to without a breaker.

mod plan;
mod table;

use std::collections::BTreeMap;
use std::pin::pin;

use adapters::clock::now;
use domain::breaker::Phase;
use domain::id::{DeliveryId, EventId, SubscriptionId};
use domain::scope::Scope;
use domain::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::Demo;
use crate::Local;
use crate::console::Console;
use crate::samples;
use crate::target::{Fault, Received, Refused};
use plan::Act;
pub use plan::Plan;
use table::{Sight, Table};

/// A path of the sample target that nothing else uses, and a scope and a subscription likewise.
const PATH: &str = "/hooks/outage";
const PROPERTY: &str = "outage-demo";
const SUBSCRIPTION: &str = "outage";

/// What the outage came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Events posted.
    pub events: u32,
    /// Of them, those that arrived and verified exactly once.
    pub arrived_once: u32,
    /// Attempts that failed before the breaker opened.
    pub failed_before: u32,
    /// Probes that failed.
    pub failed_probes: u32,
    /// Attempts in all.
    pub attempts: u32,
    /// Attempts that there would have been without a breaker.
    pub attempts_unheld: u32,
    /// The most deliveries that were held at once.
    pub held_max: usize,
    /// What went wrong, in sentences.
    pub troubles: Vec<String>,
}

/// A delivery, as the target sees it.
struct Delivery {
    number: u32,
    event_id: String,
    attempts: u32,
    arrivals: u32,
}

struct Outage<'a> {
    demo: Demo<'a>,
    plan: Plan,
    table: Table,
    news: broadcast::Receiver<Received>,
    began_at: Timestamp,
    deliveries: BTreeMap<String, Delivery>,
    seen: Sight,
    outcome: Outcome,
}

/// Plays an outage against a running stack whose clock skips time.
pub async fn run(local: &Local, plan: Plan, console: Console) -> Outcome {
    console.heading(&format!(
        "An outage: {} events for a target that is down until {}",
        plan.events,
        words(plan.down_ms)
    ));
    let scale = local.clock().scale();
    console.detail(&format!(
        "Times are the stack's. They pass {scale} times as fast while nothing is under way."
    ));
    let mut outage = match Outage::new(local, plan, console) {
        Ok(outage) => outage,
        Err(trouble) => return Outcome { troubles: vec![trouble], ..Outcome::default() },
    };
    if let Err(trouble) = outage.play().await {
        outage.outcome.troubles.push(trouble);
    }
    outage.demo.local.target().mend(PATH);
    if let Err(trouble) = outage.table.unsubscribe().await {
        outage.outcome.troubles.push(trouble);
    }
    outage.conclude();
    outage.outcome
}

impl<'a> Outage<'a> {
    fn new(local: &'a Local, plan: Plan, console: Console) -> Result<Self, String> {
        if local.clock().scale().is_real() {
            return Err("at real speed nobody waits for the end of an outage".to_owned());
        }
        let scope = Scope::try_from(format!("PROPERTY#{PROPERTY}")).map_err(|e| e.to_string())?;
        let subscription_id = SubscriptionId::parse(SUBSCRIPTION).map_err(|e| e.to_string())?;
        let demo = Demo::new(local, console)?;
        let mut deliveries = BTreeMap::new();
        for number in 1..=plan.events {
            let event_id = format!("outage-{number}-{}", demo.run);
            let id = EventId::parse(&event_id).map_err(|e| e.to_string())?;
            let delivery_id = DeliveryId::of(&scope, &id, &subscription_id);
            let delivery = Delivery { number, event_id, attempts: 0, arrivals: 0 };
            deliveries.insert(delivery_id.as_str().to_owned(), delivery);
        }
        Ok(Self {
            demo,
            plan,
            table: Table::new(local, &scope, &subscription_id),
            news: local.target().news(),
            began_at: now(),
            deliveries,
            seen: Sight::default(),
            outcome: Outcome::default(),
        })
    }

    async fn play(&mut self) -> Result<(), String> {
        let clock = self.demo.local.clock();
        let mut lulls = clock.lulls();
        // The story begins when nobody works. Whatever is done in it, time is held meanwhile, and
        // until the clock knows what comes next.
        let mut work = lulls.recv().await;
        let endpoint = format!("{}{PATH}", self.demo.local.target_url());
        self.table
            .subscribe(samples::row(
                &format!("PROPERTY#{PROPERTY}"),
                SUBSCRIPTION,
                "user_data_change",
                &endpoint,
            ))
            .await?;
        self.demo.local.target().spoil(PATH, Fault::OutOfService);
        self.began_at = now();
        self.tell("the target is down: it answers 503");
        let agenda = self.plan.agenda(self.began_at);
        for (at, act) in agenda {
            let mut due = pin!(clock.wait_until(at));
            drop(work.take());
            work = loop {
                tokio::select! {
                    biased;
                    Some(lull) = lulls.recv() => {
                        let is_over = self.look().await?;
                        drop(lull);
                        if is_over {
                            return Ok(());
                        }
                    }
                    work = &mut due => break Some(work),
                }
            };
            self.act(act).await?;
        }
        Err("what was held had not drained three hours after the target was back".to_owned())
    }

    async fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Post(number) => self.post(number).await?,
            Act::PutBack => {
                self.demo.local.target().mend(PATH);
                self.seen = self.table.look().await?;
                self.check();
                let Outcome { failed_before, failed_probes, .. } = self.outcome;
                self.tell(&format!(
                    "the target is back; {} held, charged with {failed_before} attempts from \
                     before the breaker opened and {failed_probes} probes",
                    self.seen.held
                ));
            }
            Act::GiveUp => {}
        }
        Ok(())
    }

    async fn post(&mut self, number: u32) -> Result<(), String> {
        let id = format!("outage-{number}-{}", self.demo.run);
        let sample = samples::EVENTS.iter().find(|sample| sample.name == "userUpdated");
        let sample = sample.map_or("{}", |sample| sample.body);
        let mut event: Value = serde_json::from_str(sample).map_err(|e| e.to_string())?;
        event["id"] = json!(id);
        event["propertyId"] = json!(PROPERTY);
        let answer = self.demo.post("/v1/events", &event).await?;
        if answer["accepted"][0]["id"] != json!(id) {
            return Err(format!("event {number} was not accepted: {answer}"));
        }
        self.outcome.events += 1;
        if number == 1 {
            let minutes = self.plan.every_ms / 60_000;
            self.tell(&format!("event 1 is posted, and another every {minutes} minutes"));
        } else if number == self.plan.events {
            self.tell(&format!("event {number}, the last, is posted"));
        }
        Ok(())
    }

    /// Looks at what has happened since the last lull; whether the story is over.
    async fn look(&mut self) -> Result<bool, String> {
        let mut failed = Vec::new();
        let mut arrived = 0;
        loop {
            match self.news.try_recv() {
                Ok(received) if received.path == PATH => match self.note(&received)? {
                    Some(attempt) => failed.push(attempt),
                    None => arrived += 1,
                },
                Ok(_) => {}
                Err(TryRecvError::Empty) => break,
                Err(error) => return Err(format!("the target cannot be watched: {error}")),
            }
        }
        if failed.is_empty() && arrived == 0 {
            return Ok(false);
        }
        let sight = self.table.look().await?;
        let before = std::mem::replace(&mut self.seen, sight);
        self.narrate(&before, &failed, arrived);
        self.check();
        let all = self.deliveries.values().all(|delivery| delivery.arrivals > 0);
        Ok(all && self.seen.attempts.is_empty())
    }

    /// Counts an attempt; the words for it if it failed.
    fn note(&mut self, received: &Received) -> Result<Option<String>, String> {
        let delivery = self.deliveries.get_mut(&received.delivery_id);
        let delivery = delivery.ok_or("the target got a delivery of no event of the outage")?;
        self.outcome.attempts += 1;
        delivery.attempts += 1;
        let Delivery { number, attempts, .. } = delivery;
        match &received.refused {
            Some(why) if *why == Refused::OutOfService.to_string() => {
                return Ok(Some(format!("attempt {attempts} of event {number} failed")));
            }
            Some(why) => return Err(format!("the target refused event {number}: {why}")),
            None => {}
        }
        if received.payload.as_ref().is_none_or(|payload| payload["jti"] != *delivery.event_id) {
            return Err(format!("event {} arrived as another one", delivery.number));
        }
        delivery.arrivals += 1;
        Ok(None)
    }

    /// Tells what the attempts since the last lull have made of the breaker.
    fn narrate(&mut self, before: &Sight, failed: &[String], arrived: u32) {
        let held = self.seen.held;
        self.outcome.held_max = self.outcome.held_max.max(held);
        let what = failed.join(", ");
        match (before.phase, self.seen.phase) {
            (Phase::Closed { .. }, Phase::Open { until, .. }) => {
                self.count_before(failed);
                let until = self.time_of(until);
                self.tell(&format!("{what}: the breaker opens, no attempt before {until}"));
            }
            (Phase::Closed { .. }, Phase::Closed { .. } | Phase::HalfOpen { .. }) => {
                self.count_before(failed);
                if !failed.is_empty() {
                    self.tell(&what);
                }
                if arrived > 0 {
                    let left = self.seen.attempts.len();
                    self.tell(&format!("{arrived} events arrived; {left} are left"));
                }
            }
            (
                Phase::Open { openings: earlier, .. } | Phase::HalfOpen { openings: earlier, .. },
                Phase::Open { until, openings },
            ) => {
                let probes = openings.saturating_sub(earlier);
                self.outcome.failed_probes += probes;
                let burnt = failed.len().saturating_sub(probes as usize);
                if burnt > 0 {
                    self.trouble(format!("{burnt} attempts were made while the breaker was open"));
                }
                let until = self.time_of(until);
                self.tell(&format!(
                    "probe {}: {what}; the next after {until} · {held} held",
                    self.outcome.failed_probes
                ));
            }
            (Phase::Open { .. } | Phase::HalfOpen { .. }, Phase::Closed { .. }) => {
                self.tell(&format!(
                    "probe {} arrived: the breaker closes, {held} held deliveries drain",
                    self.outcome.failed_probes + 1
                ));
            }
            (Phase::Open { .. } | Phase::HalfOpen { .. }, Phase::HalfOpen { .. }) => {
                self.trouble("a probe has ended, and the breaker has not been told".to_owned());
            }
        }
    }

    fn count_before(&mut self, failed: &[String]) {
        self.outcome.failed_before += u32::try_from(failed.len()).unwrap_or(u32::MAX);
    }

    /// The ledger counts as many attempts of each delivery as the target got: those that are held
    /// are charged with nothing.
    fn check(&mut self) {
        let wrong = self.seen.attempts.iter().find(|(delivery_id, attempts)| {
            self.deliveries.get(*delivery_id).is_none_or(|seen| seen.attempts != **attempts)
        });
        if let Some((delivery_id, attempts)) = wrong {
            let trouble = format!("{delivery_id} is charged with {attempts} attempts, wrongly");
            self.trouble(trouble);
        }
    }

    fn conclude(&mut self) {
        let once = self.deliveries.values().filter(|delivery| delivery.arrivals == 1).count();
        self.outcome.arrived_once = u32::try_from(once).unwrap_or(u32::MAX);
        let Outcome { events, arrived_once, attempts, failed_probes, .. } = self.outcome;
        let schedule = self.demo.local.functions().retry_schedule();
        let unheld = self.plan.unheld(schedule);
        self.outcome.attempts_unheld = unheld.attempts;
        if !matches!(self.seen.phase, Phase::Closed { .. }) {
            self.trouble("the breaker is not closed".to_owned());
        }
        let all = self.plan.events;
        if arrived_once != all {
            self.trouble(format!("{arrived_once} of {all} events arrived exactly once"));
        }
        if failed_probes == 0 || self.outcome.held_max == 0 {
            self.trouble("the breaker has held nothing".to_owned());
        }
        if !self.outcome.troubles.is_empty() {
            return;
        }
        let console = self.demo.console;
        console.good(
            &format!("{events} events arrived"),
            "each verified, each once; the ledger is empty, the breaker closed",
        );
        console.good(
            &format!("{attempts} attempts"),
            &format!(
                "without a breaker {}, and the last event at {}",
                unheld.attempts,
                words(unheld.ended_ms)
            ),
        );
    }

    fn trouble(&mut self, trouble: String) {
        self.outcome.troubles.push(trouble);
    }

    fn tell(&self, what: &str) {
        self.demo.console.moment(&self.time_of(now()), what);
    }

    fn time_of(&self, at: Timestamp) -> String {
        words(at.since_ms(self.began_at))
    }
}

/// Time since the beginning of the outage: `+6:01:30`.
fn words(ms: u64) -> String {
    let s = ms / 1_000;
    format!("+{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}
