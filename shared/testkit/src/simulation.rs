//! The simulation: the real ingest, delivery and sweeper in a world that goes wrong by seed.
//!
//! One seed decides everything: how many targets there are and how they behave, when events are
//! posted, which subscriptions change, which calls fail and how, which services are down, whose
//! clock is wrong, which messages come again, how the work of several execution environments
//! interleaves, and at which await a piece of work is cut off, as by a crash. After four hours of
//! that the faults stop, everything is given time to come to rest, and the
//! [`checker`](crate::checker) reads the history. The same seed gives the same history, always.
//!
//! # Dramatis personae
//! - `Plan`: what the seed decides beforehand.
//! - `Slot`: an execution environment, and the one [`Work`] that it does at a time.
//! - `Task`: such a piece of work, a future of the domain; polled, put to sleep, or dropped.
//! - [`Run`]: what is left, with a count of the awaits at which work was cut off.
//!
//! Whatever goes wrong is noted with what it goes wrong with, and so with what may come twice for
//! it (`explain`).

mod explain;
mod plan;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::delivery::{Queue, Settings};
use domain::id::DeliveryId;
use domain::ledger::State;
use domain::time::Timestamp;

use crate::chance::Chance;
use crate::checker::{Dead, History, Pair, Post};
use crate::samples::settings;
use crate::world::{Await, Call, Place, Reaction, World};
use explain::How;
use plan::Plan;
use slots::{Role, Slot, Task};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// How long things go wrong.
const TROUBLE_MS: u64 = 4 * HOUR_MS;

/// How long everything then has to come to rest: five days until a target is given up, the patient
/// schedule, and some to spare.
const REST_MS: u64 = 14 * DAY_MS;

/// How long after the faults have stopped what they left undone is made up for: whoever slept is
/// awake, what was received has come back, and lost wake-ups are taken for lost.
const UNREST_MS: u64 = HOUR_MS;

/// How long a piece of work sleeps at most that was not cut off, and goes on as if nothing were.
const SLEEP_MAX_MS: u64 = 12 * MINUTE_MS;

/// A kind of work that a crash can cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Taking in a request.
    Ingest,
    /// Records of the events queue.
    Events,
    /// Records of the retries queue.
    Retries,
    /// A tick of the sweeper.
    Sweep,
    /// An operator's redrive of dead letters.
    Redrive,
}

/// What a run left behind.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// For the checker.
    pub history: History,
    /// How often something went wrong.
    pub incidents: usize,
    /// Where work has waited.
    pub awaits: BTreeSet<(Work, Await)>,
    /// How often work was cut off where it waited.
    pub crashes: BTreeMap<(Work, Await), usize>,
}

/// Plays one seed with this many events.
#[must_use]
pub fn play(seed: u64, events: usize) -> Run {
    let mut chance = Chance::new(seed);
    let plan = Plan::of(&mut chance, events);
    let world = World::new(chance.next());
    plan.set_up(&world);
    let settings = Settings { schedule: plan.schedule, ..settings() };
    let slots = Slot::all(&plan, &mut chance);
    let mut simulation = Simulation {
        chance,
        world: &world,
        settings: &settings,
        slots,
        next_tick_at: world.now(),
        pairs: plan.pairs(),
        run: Run::default(),
        plan,
    };
    simulation.trouble();
    simulation.rest();
    simulation.finish()
}

/// Plays seeds with this many events each, on all cores, and hands over each run when it is done.
pub fn play_all(seeds: Range<u64>, events: usize, take: impl Fn(u64, Run) + Sync) {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            take(seed, play(seed, events));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(play_some)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

struct Simulation<'a> {
    chance: Chance,
    plan: Plan,
    world: &'a World,
    settings: &'a Settings,
    slots: Vec<Slot<'a>>,
    next_tick_at: Timestamp,
    /// Of all events with all subscriptions.
    pairs: BTreeMap<DeliveryId, Pair>,
    run: Run,
}

impl<'a> Simulation<'a> {
    /// Events come in and everything goes wrong.
    fn trouble(&mut self) {
        let until = self.world.now().plus_ms(TROUBLE_MS);
        self.world.misbehave(self.plan.faults_per_mille);
        self.world.lag_index(self.plan.lag_ms);
        while self.world.now() < until {
            self.begin();
            if !self.step() {
                let next = self.next_moment().map_or(until, |at| at.min(until));
                self.world.set_now(next.max(self.world.now().plus_ms(1)));
            }
        }
        self.world.heal();
        self.plan.calm_down();
        self.run.history.calm_at_ms = self.world.now().as_ms();
    }

    /// No more faults, until nothing is left to do; then, in some seeds, all dead letters are tried
    /// once more.
    fn rest(&mut self) {
        self.come_to_rest();
        if self.plan.redrives_per_mille == 0 {
            return;
        }
        self.plan.redrives_per_mille = 0;
        if let Some(task) = self.redrive(usize::MAX)
            && let Some(slot) = self.slots.iter_mut().find(|slot| slot.role == Role::Operator)
        {
            slot.task = Some(task);
            self.come_to_rest();
        }
    }

    fn come_to_rest(&mut self) {
        let until = self.world.now().plus_ms(REST_MS);
        loop {
            self.begin();
            if self.step() {
                continue;
            }
            match self.next_moment() {
                Some(at) if at <= until => self.world.set_now(at.max(self.world.now().plus_ms(1))),
                _ => return,
            }
        }
    }

    /// The next moment at which something happens though nobody works.
    fn next_moment(&self) -> Option<Timestamp> {
        // What waits for somebody who sleeps waits until he wakes.
        let is_free =
            |role: Role| self.slots.iter().any(|slot| slot.role == role && slot.task.is_none());
        let visible = [Queue::Events, Queue::Retries]
            .into_iter()
            .filter(|queue| is_free(Role::Delivery(*queue)))
            .filter_map(|queue| self.world.next_visible_on(queue));
        let arrival = self.plan.next_arrival_at().filter(|_| is_free(Role::Ingest));
        let tick = self.world.next_sweep_at().map(|at| at.max(self.next_tick_at));
        let awake = self.slots.iter().filter_map(|slot| slot.task.as_ref()?.asleep_until);
        let others = [arrival, tick, self.plan.next_incident_at()];
        visible.chain(others.into_iter().flatten()).chain(awake).min()
    }

    /// Begins what there is to do, in the environments that have nothing to do.
    fn begin(&mut self) {
        let now = self.world.now();
        while let Some(incident) = self.plan.incident_at(now) {
            self.run.incidents += 1;
            incident.happen(self.world, &mut self.run.history);
        }
        let is_tick = now >= self.next_tick_at;
        for index in 0..self.slots.len() {
            if self.slots[index].task.is_none() {
                self.slots[index].task = self.task(index, is_tick);
            }
        }
        if is_tick {
            self.next_tick_at = Timestamp::from_ms((now.as_ms() / MINUTE_MS + 1) * MINUTE_MS);
        }
    }

    /// Goes on with one piece of work; `false` when all are done or asleep.
    fn step(&mut self) -> bool {
        let now = self.world.now();
        let is_awake = |slot: &Slot<'a>| {
            let asleep_until = slot.task.as_ref().map(|task| task.asleep_until);
            asleep_until.is_some_and(|until| until.is_none_or(|until| until <= now))
        };
        let awake: Vec<usize> =
            (0..self.slots.len()).filter(|index| is_awake(&self.slots[*index])).collect();
        if awake.is_empty() {
            return false;
        }
        let index = awake[self.chance.below(awake.len())];
        let Some(task) = self.slots[index].task.take() else { return false };
        self.go_on(index, task);
        self.let_time_pass();
        true
    }

    fn go_on(&mut self, index: usize, mut task: Task<'a>) {
        task.asleep_until = None;
        self.world.enter(Some(self.slots[index].environment.clone()));
        let done = task.poll();
        self.world.enter(None);
        if let Some(done) = done {
            self.explain(&task, How::Done);
            return self.conclude(done);
        }
        let Some(at) = self.world.waits_at() else { return };
        let place = (task.work, at);
        self.run.awaits.insert(place);
        let now = self.world.now();
        if task.is_out_of_time(now) || self.chance.happens(self.crashes_per_mille(place)) {
            self.run.incidents += 1;
            *self.run.crashes.entry(place).or_default() += 1;
            // The process is gone, and with it what it remembered.
            self.slots[index].restart();
            self.explain(&task, How::CutOff);
            return self.abandon(task);
        }
        if self.chance.happens(self.plan.sleeps_per_mille) {
            self.run.incidents += 1;
            let sleep_ms = self.chance.below_u64(SLEEP_MAX_MS);
            task.asleep_until = Some(now.plus_ms(sleep_ms));
        }
        self.slots[index].task = Some(task);
    }

    /// How often work is cut off here: more often where it seldom comes.
    fn crashes_per_mille(&self, (work, at): (Work, Await)) -> u32 {
        let (Await::Before(call) | Await::After(call)) = at;
        let times = match call {
            // A day after the trouble, when nothing else is cut off any more.
            Call::ForgetBreaker => return self.plan.crashes_at_forgetting_per_mille,
            Call::Disable | Call::SendPortions | Call::SetAside => 15,
            _ if work == Work::Redrive => 15,
            _ => 1,
        };
        self.plan.crashes_per_mille * times
    }

    /// Most of the time next to none.
    fn let_time_pass(&mut self) {
        let most_ms = match self.chance.below(1_000) {
            0 => 5_000,
            1..=20 => 200,
            _ => return,
        };
        let now = self.world.now().plus_ms(self.chance.below_u64(most_ms));
        self.world.set_now(now);
    }

    fn finish(mut self) -> Run {
        let pair = |event: &str, subscription: &str| Pair {
            event: event.to_owned(),
            subscription: subscription.to_owned(),
        };
        let history = &mut self.run.history;
        self.plan.tell(self.world, history);
        self.run.incidents += self.world.faults_injected();
        history.punctual_from_ms = match self.run.incidents {
            0 => 0,
            _ => history.calm_at_ms + UNREST_MS,
        };
        for (delivery_id, held) in self.world.held() {
            if let Some(pair) = self.pairs.get(&delivery_id) {
                let held = held.into_iter().map(|(from, until)| (from.as_ms(), until.as_ms()));
                history.held.insert(pair.clone(), held.collect());
            }
        }
        history.posts = self
            .world
            .posts()
            .iter()
            .map(|post| Post {
                pair: pair(&post.jti(), plan::subscription_of(&post.url)),
                endpoint: post.url.clone(),
                at_ms: post.at.as_ms(),
                attempt: post.headers.attempt,
                is_accepted: post.reaction == Reaction::status(200),
                is_encrypted: post.opened.is_some(),
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
        for queue in [Queue::Events, Queue::Retries] {
            history.queued += self.world.count(queue);
            for message in self.world.messages(Place::DeadLetters(queue)) {
                match message.reason {
                    Some(_) => history.set_aside += 1,
                    None => history.queued += 1,
                }
            }
        }
        self.run
    }
}
