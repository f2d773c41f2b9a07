//! The simulation: the real ingest, delivery and sweeper in a world that goes wrong by seed.
//!
//! One seed decides everything: how many targets there are and how they behave, when events are
//! posted, which calls fail and how, which messages come again, and at which await a piece of work
//! is dropped, as by a crash. After two hours of that the faults stop, everything is given time to
//! come to rest, and the [`checker`](crate::checker) reads the history. The same seed gives the
//! same history, always.

mod plan;

use std::collections::BTreeMap;

use domain::delivery::{self, Fate, Invocation, Queue, Settings};
use domain::event_type::{EventTypeNames, Source};
use domain::ingest::{self, Answer, Request};
use domain::ledger::State;
use domain::limits::SWEEP_RELEASE_MAX;
use domain::sweep;
use domain::time::{Deadline, Timestamp};

use crate::chance::Chance;
use crate::checker::{Dead, History, Pair, Post};
use crate::crash::polled;
use crate::poller::INVOCATION_MS;
use crate::samples::{self, settings};
use crate::world::{Message, Reaction, World};
use plan::Plan;

const MINUTE_MS: u64 = 60_000;

/// How long things go wrong.
const TROUBLE_MS: u64 = 2 * 60 * MINUTE_MS;

/// How long everything then has to come to rest: the patient schedule, twice.
const REST_MS: u64 = 8 * 24 * 60 * MINUTE_MS;

/// A kind of work that a crash can cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Taking in a request.
    Ingest,
    /// A record of the events queue.
    Events,
    /// A record of the retries queue.
    Retry,
    /// A tick of the sweeper.
    Sweep,
}

/// What a run left behind.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// For the checker.
    pub history: History,
    /// How often each kind of work was cut off after how many polls.
    pub crashes: BTreeMap<(Work, usize), usize>,
}

/// Plays one seed with this many events.
#[must_use]
pub fn play(seed: u64, events: usize) -> Run {
    let mut chance = Chance::new(seed);
    let plan = Plan::of(&mut chance, events);
    let world = World::new(chance.next());
    plan.set_up(&world);
    let settings = Settings { schedule: plan.schedule, ..settings() };
    let mut simulation = Simulation { chance, plan, world, settings, run: Run::default() };
    simulation.trouble();
    simulation.rest();
    simulation.finish()
}

struct Simulation {
    chance: Chance,
    plan: Plan,
    world: World,
    settings: Settings,
    run: Run,
}

impl Simulation {
    /// Events come in and everything goes wrong.
    fn trouble(&mut self) {
        let until = self.world.now().plus_ms(TROUBLE_MS);
        self.world.misbehave(self.plan.faults_per_mille);
        let mut arrivals = std::mem::take(&mut self.plan.arrivals);
        arrivals.reverse();
        while self.world.now() < until {
            while let Some((at, event)) = arrivals.pop_if(|(at, _)| *at <= self.world.now()) {
                if !self.post(&event) {
                    // The producer comes back, as it was told.
                    arrivals.push((at.plus_ms(2_000).max(self.world.now().plus_ms(2_000)), event));
                    arrivals.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
                }
            }
            self.work();
            let arrival = arrivals.last().map_or(until, |(at, _)| *at);
            let next = self.next_moment().map_or(arrival, |at| at.min(arrival)).min(until);
            self.world.set_now(next.max(self.world.now().plus_ms(1)));
        }
        self.world.heal();
        self.plan.crashes_per_mille = 0;
        self.plan.repeats_per_mille = 0;
        while let Some((_, event)) = arrivals.pop() {
            self.post(&event);
        }
    }

    /// No more faults, until nothing is left to do.
    fn rest(&mut self) {
        let until = self.world.now().plus_ms(REST_MS);
        loop {
            self.work();
            match self.next_moment() {
                Some(at) if at <= until => self.world.set_now(at.max(self.world.now().plus_ms(1))),
                _ => return,
            }
        }
    }

    /// The next moment at which something can be done: a message becomes visible, or the sweeper
    /// ticks and finds something due.
    fn next_moment(&self) -> Option<Timestamp> {
        let tick = self.world.next_sweep_at().map(|at| {
            let at_ms = at.max(self.world.now().plus_ms(1)).as_ms();
            Timestamp::from_ms(at_ms.div_ceil(MINUTE_MS) * MINUTE_MS)
        });
        self.world.next_visible_at().into_iter().chain(tick).min()
    }

    fn work(&mut self) {
        if self.world.now().as_ms().is_multiple_of(MINUTE_MS) {
            self.sweep();
        }
        self.repeat_a_wakeup();
        for queue in [Queue::Events, Queue::Retries] {
            loop {
                let batch = self.world.receive(queue, 10);
                if batch.is_empty() {
                    break;
                }
                for message in self.chance.shuffled(batch) {
                    self.deliver(queue, &message);
                }
            }
        }
    }

    /// Posts an event; whether it was answered 202.
    fn post(&mut self, event: &str) -> bool {
        self.run.history.submitted.insert(event.to_owned());
        let body = format!(
            r#"{{"id":"{event}","type":"userUpdated","propertyId":"{}","sub":"u1","data":{{}}}}"#,
            plan::PROPERTY
        );
        let crash = self.crash(Work::Ingest);
        let names = EventTypeNames::default();
        let request = Request {
            content_type: Some("application/json"),
            content_encoding: None,
            body: Some(body.as_bytes()),
        };
        let work = ingest::run(request, Source::NextIdentity, &names, &self.world);
        let answer = polled(crash.unwrap_or(usize::MAX), work);
        self.note(Work::Ingest, crash, answer.is_none());
        let is_accepted = matches!(answer, Some(Answer::Accepted(_)));
        if is_accepted {
            self.run.history.accepted.insert(event.to_owned());
        }
        is_accepted
    }

    fn deliver(&mut self, queue: Queue, message: &Message) {
        let work = match queue {
            Queue::Events => Work::Events,
            Queue::Retries => Work::Retry,
        };
        let crash = self.crash(work);
        let deadline = Some(Deadline::at(self.world.now().plus_ms(INVOCATION_MS)));
        let invocation = Invocation { deadline };
        let execution = self.world.execution(invocation, &self.settings);
        let run = delivery::run(queue, &message.body, execution);
        let fate = polled(crash.unwrap_or(usize::MAX), run);
        self.note(work, crash, fate.is_none());
        if let Some(Fate::Settled(_) | Fate::SetAside(_)) = fate {
            // A deletion that gets lost: the message comes again.
            if self.chance.happens(self.plan.repeats_per_mille) {
                self.run.history.incidents += 1;
            } else {
                self.world.delete(queue, &message.id);
            }
        }
    }

    /// A wake-up arrives twice, the first time at once: a queue that repeats itself, or a clock
    /// that is ahead of ours.
    fn repeat_a_wakeup(&mut self) {
        let waiting = self.world.messages(Queue::Retries);
        if !waiting.is_empty() && self.chance.happens(self.plan.repeats_per_mille) {
            let message = &waiting[self.chance.below(waiting.len())];
            self.world.put(Queue::Retries, message.body.clone());
            self.run.history.incidents += 1;
        }
    }

    fn sweep(&mut self) {
        let crash = self.crash(Work::Sweep);
        let invocation = Invocation { deadline: None };
        let swept = polled(
            crash.unwrap_or(usize::MAX),
            sweep::run(invocation, SWEEP_RELEASE_MAX, &self.world),
        );
        self.note(Work::Sweep, crash, swept.is_none());
    }

    /// After how many polls this piece of work is cut off; `None` when it may end.
    fn crash(&mut self, work: Work) -> Option<usize> {
        let longest = match work {
            Work::Ingest => 3,
            Work::Events | Work::Retry => 14,
            Work::Sweep => 8,
        };
        let happens = self.chance.happens(self.plan.crashes_per_mille);
        happens.then(|| 1 + self.chance.below(longest))
    }

    fn note(&mut self, work: Work, crash: Option<usize>, was_cut_off: bool) {
        if let Some(polls) = crash.filter(|_| was_cut_off) {
            self.run.history.incidents += 1;
            *self.run.crashes.entry((work, polls)).or_default() += 1;
        }
    }

    fn finish(mut self) -> Run {
        let pair = |event: &str, subscription: &str| Pair {
            event: event.to_owned(),
            subscription: subscription.to_owned(),
        };
        let history = &mut self.run.history;
        let ids = self.plan.targets.iter().map(|target| target.id.clone());
        (history.disabled, history.subscriptions) =
            ids.partition(|id| self.world.is_disabled(&samples::property(), id));
        history.incidents += self.world.faults_injected();
        history.posts = self
            .world
            .posts()
            .iter()
            .map(|post| Post {
                pair: pair(post.jti(), plan::subscription_of(&post.url)),
                at_ms: post.at.as_ms(),
                attempt: post.headers.attempt,
                is_accepted: post.reaction == Reaction::status(200),
            })
            .collect();
        for item in self.world.ledger() {
            let pair = pair(item.event.id.as_str(), item.subscription_id.as_str());
            match item.state {
                State::Pending { .. } | State::Held { .. } => history.pending.push(pair),
                State::Dead { reason } => {
                    history.dead.push(Dead { pair, reason: reason.to_string() });
                }
            }
        }
        history.queued =
            self.world.messages(Queue::Events).len() + self.world.messages(Queue::Retries).len();
        self.run
    }
}
