//! Execution environments and the work that they do: one piece at a time each, as in Lambda.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use domain::delivery::{self, Execution, Fate, Invocation, Queue};
use domain::event_type::{EventTypeNames, Source};
use domain::id::{DeliveryId, EventId, SubscriptionId};
use domain::ingest::{self, Answer, Idempotency, Request};
use domain::ledger::State;
use domain::limits::{REDRIVE_PER_MINUTE_DEFAULT, SWEEP_RELEASE_MAX};
use domain::redrive::{self, Pace};
use domain::sweep;
use domain::time::{Deadline, Timestamp};
use futures_util::future::join_all;

use super::plan::{self, Plan};
use super::{Simulation, Work};
use crate::chance::Chance;
use crate::checker::{Pair, Repeat};
use crate::poller::INVOCATION_MS;
use crate::world::{Environment, ErrandId, Message};

/// Dead letters that an operator tries again in one go, while there is trouble.
const REDRIVEN_AT_ONCE: usize = 5;

/// An environment, and what it does.
pub(super) struct Slot<'a> {
    pub(super) role: Role,
    pub(super) environment: Arc<Environment>,
    ahead_ms: u64,
    pub(super) task: Option<Task<'a>>,
}

/// Which function it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Ingest,
    Delivery(Queue),
    Sweeper,
    /// A person with the command line.
    Operator,
}

/// A piece of work under way.
pub(super) struct Task<'a> {
    pub(super) work: Work,
    future: Pin<Box<dyn Future<Output = Done> + 'a>>,
    pub(super) started_at: Timestamp,
    /// What is posted again when it is cut off.
    events: Vec<String>,
    /// One for the request, or for each record.
    pub(super) errands: Vec<ErrandId>,
    pub(super) asleep_until: Option<Timestamp>,
}

/// What came of it.
pub(super) enum Done {
    Ingested { events: Vec<String>, is_accepted: bool },
    Delivered { queue: Queue, records: Vec<(Message, Fate)> },
    Swept,
    Redriven,
}

impl Slot<'_> {
    pub(super) fn all(plan: &Plan, chance: &mut Chance) -> Vec<Self> {
        let roles = [
            Role::Ingest,
            Role::Ingest,
            Role::Delivery(Queue::Events),
            Role::Delivery(Queue::Events),
            Role::Delivery(Queue::Retries),
            Role::Delivery(Queue::Retries),
            Role::Sweeper,
            Role::Sweeper,
            Role::Operator,
        ];
        let slot = |role| {
            let ahead_ms = chance.below_u64(plan.ahead_max_ms);
            let environment = Arc::new(Environment::ahead_by(ahead_ms));
            Slot { role, environment, ahead_ms, task: None }
        };
        roles.into_iter().map(slot).collect()
    }

    /// A fresh process in its place.
    pub(super) fn restart(&mut self) {
        self.environment = Arc::new(Environment::ahead_by(self.ahead_ms));
    }
}

impl Task<'_> {
    pub(super) fn poll(&mut self) -> Option<Done> {
        let mut context = Context::from_waker(Waker::noop());
        match self.future.as_mut().poll(&mut context) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    /// Whether Lambda would have ended it. One that slept is an exception, or no sleep would ever
    /// be longer than an invocation.
    pub(super) fn is_out_of_time(&self, now: Timestamp) -> bool {
        now.since_ms(self.started_at) > INVOCATION_MS + super::SLEEP_MAX_MS
    }
}

impl<'a> Simulation<'a> {
    /// What there is to do for an environment.
    pub(super) fn task(&mut self, slot: usize, is_tick: bool) -> Option<Task<'a>> {
        match self.slots[slot].role {
            Role::Ingest => self.ingest(),
            Role::Delivery(queue) => self.deliver(slot, queue),
            // Mostly one; sometimes two sweep at once.
            Role::Sweeper => {
                let is_first = !self
                    .slots
                    .iter()
                    .any(|slot| slot.task.as_ref().is_some_and(|task| task.work == Work::Sweep));
                let is_due = self.world.next_sweep_at().is_some_and(|at| at <= self.world.now());
                let sweeps = is_tick && is_due && (is_first || self.chance.happens(100));
                sweeps.then(|| self.sweep(slot))
            }
            Role::Operator => {
                let acts = is_tick && self.chance.happens(self.plan.redrives_per_mille);
                if acts { self.redrive(REDRIVEN_AT_ONCE) } else { None }
            }
        }
    }

    fn new_task(
        &self,
        work: Work,
        events: Vec<String>,
        errands: Vec<ErrandId>,
        future: impl Future<Output = Done> + 'a,
    ) -> Task<'a> {
        let started_at = self.world.now();
        Task { work, future: Box::pin(future), started_at, events, errands, asleep_until: None }
    }

    fn invocation(&self, slot: usize) -> Invocation {
        let seen_at = self.world.now().plus_ms(self.slots[slot].ahead_ms);
        Invocation { deadline: Some(Deadline::at(seen_at.plus_ms(INVOCATION_MS))) }
    }

    fn ingest(&mut self) -> Option<Task<'a>> {
        let events = self.plan.arrival_at(self.world.now())?;
        let now_ms = self.world.now().as_ms();
        for event in &events {
            self.run.history.submitted.entry(event.clone()).or_insert(now_ms);
        }
        let body = plan::request_body(&events);
        let (world, posted) = (self.world, events.clone());
        let errand = world.begin_errand();
        let work = async move {
            let names = EventTypeNames::default();
            let request = Request {
                content_type: Some("application/json"),
                content_encoding: None,
                body: Some(body.as_bytes()),
                trace: None,
            };
            let run = ingest::run(request, Source::NextIdentity, &names, world);
            let answer = world.on_errand(errand, run).await;
            let is_accepted = matches!(answer, Answer::Accepted(_));
            Done::Ingested { events: posted, is_accepted }
        };
        Some(self.new_task(Work::Ingest, events, vec![errand], work))
    }

    fn deliver(&mut self, slot: usize, queue: Queue) -> Option<Task<'a>> {
        let most = 1 + self.chance.below(10);
        let messages = self.world.receive_any(queue, most);
        if messages.is_empty() {
            return None;
        }
        let work = match queue {
            Queue::Events => Work::Events,
            Queue::Retries => Work::Retries,
        };
        let invocation = self.invocation(slot);
        let environment = Arc::clone(&self.slots[slot].environment);
        let (settings, ports) = (self.settings, self.world);
        let errands: Vec<ErrandId> = messages.iter().map(|_| ports.begin_errand()).collect();
        let errand_of = errands.clone();
        let run = async move {
            let memory = environment.memory();
            let execution = Execution { invocation, settings, memory, ports };
            let fates = messages.iter().zip(errand_of).map(|(message, errand)| {
                ports.on_errand(errand, delivery::run(queue, &message.body, execution))
            });
            let fates = join_all(fates).await;
            Done::Delivered { queue, records: messages.into_iter().zip(fates).collect() }
        };
        Some(self.new_task(work, Vec::new(), errands, run))
    }

    fn sweep(&self, slot: usize) -> Task<'a> {
        let (world, invocation) = (self.world, self.invocation(slot));
        let run = async move {
            sweep::run(invocation, SWEEP_RELEASE_MAX, world).await;
            Done::Swept
        };
        self.new_task(Work::Sweep, Vec::new(), Vec::new(), run)
    }

    /// Tries some of the dead letters again, where there are any.
    pub(super) fn redrive(&mut self, most: usize) -> Option<Task<'a>> {
        let dead =
            self.world.ledger().into_iter().filter(|item| matches!(item.state, State::Dead { .. }));
        let mut dead = self.chance.shuffled(dead.collect());
        dead.truncate(most);
        if dead.is_empty() {
            return None;
        }
        let now_ms = self.world.now().as_ms();
        for item in &dead {
            let pair = pair_of(&item.event.id, &item.subscription_id);
            self.run.history.redriven.entry(pair).or_default().push(now_ms);
        }
        let ids: Vec<DeliveryId> = dead.into_iter().map(|item| item.delivery_id).collect();
        let world = self.world;
        let mut pace = Pace::new(world.now(), REDRIVE_PER_MINUTE_DEFAULT);
        let run = async move {
            redrive::run(&ids, &mut pace, world).await;
            Done::Redriven
        };
        Some(self.new_task(Work::Redrive, Vec::new(), Vec::new(), run))
    }

    pub(super) fn conclude(&mut self, done: Done) {
        match done {
            Done::Swept | Done::Redriven => {}
            Done::Ingested { events, is_accepted: true } => {
                let now_ms = self.world.now().as_ms();
                for event in &events {
                    self.run.history.accepted.entry(event.clone()).or_insert(now_ms);
                }
                self.forget_the_answer(events);
            }
            // The producer comes back, as it was told.
            Done::Ingested { events, is_accepted: false } => self.post_again(events),
            Done::Delivered { queue, records } => {
                for (message, fate) in records {
                    match fate {
                        Fate::Settled { .. } | Fate::Split { .. } | Fate::SetAside(_) => {
                            self.forget(queue, &message);
                        }
                        Fate::Returned(..) => {}
                    }
                }
            }
        }
    }

    /// A producer that has not heard the answer posts again. Where ingest recognises that, it
    /// explains nothing that happens twice.
    fn forget_the_answer(&mut self, events: Vec<String>) {
        if !self.chance.happens(self.plan.forgetful_per_mille) {
            return;
        }
        match self.plan.idempotency {
            Idempotency::On => {}
            Idempotency::Off => {
                self.run.incidents += 1;
                for event in &events {
                    self.run.history.explain(Repeat::Event(event.clone()));
                }
            }
        }
        self.post_again(events);
    }

    /// Deletes a message; sometimes the deletion gets lost, or it arrives a second time.
    fn forget(&mut self, queue: Queue, message: &Message) {
        if self.chance.happens(self.plan.repeats_per_mille) {
            self.run.incidents += 1;
            self.explain_copy(&message.body);
            if self.chance.happens(500) {
                return;
            }
            self.world.put(queue, message.body.clone());
        }
        self.world.delete(queue, &message.id);
    }

    /// After a piece of work was cut off: what was received comes again by itself, what was posted
    /// is posted again.
    pub(super) fn abandon(&mut self, task: Task<'a>) {
        if !task.events.is_empty() {
            self.post_again(task.events);
        }
    }

    fn post_again(&mut self, events: Vec<String>) {
        self.plan.post_at(self.world.now().plus_ms(2_000), events);
    }
}

fn pair_of(event: &EventId, subscription: &SubscriptionId) -> Pair {
    Pair { event: event.as_str().to_owned(), subscription: subscription.as_str().to_owned() }
}
