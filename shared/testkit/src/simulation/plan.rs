//! What a seed decides beforehand: targets, arrivals, incidents, and how much goes wrong.

mod keys;
mod targets;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use domain::breaker::Breaker;
use domain::delivery::Queue;
use domain::id::DeliveryId;
use domain::ingest::Idempotency;
use domain::retry::Schedule;
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::{HOUR_MS, MINUTE_MS, SLEEP_MAX_MS, TROUBLE_MS};
use crate::chance::Chance;
use crate::checker::{History, Interval, Pair};
use crate::samples::{START, property};
use crate::world::{Service, World};
use targets::Target;

/// The property that everything happens in: that of [`crate::samples::property`].
const PROPERTY: &str = "p1";

pub(super) struct Plan {
    pub(super) schedule: Schedule,
    targets: Vec<Target>,
    /// When which events are posted together, latest first.
    arrivals: Vec<(Timestamp, Vec<String>)>,
    /// Latest first.
    incidents: Vec<(Timestamp, Incident)>,
    /// Who was subscribed when, and where to.
    subscribed: BTreeMap<String, Vec<Interval>>,
    pub(super) faults_per_mille: u32,
    pub(super) crashes_per_mille: u32,
    /// Goes on when all else has come to rest.
    pub(super) crashes_at_forgetting_per_mille: u32,
    pub(super) repeats_per_mille: u32,
    pub(super) sleeps_per_mille: u32,
    pub(super) lag_ms: u64,
    pub(super) ahead_max_ms: u64,
    /// How often, each minute, an operator tries dead letters again.
    pub(super) redrives_per_mille: u32,
    /// How often an accepted request is posted again.
    pub(super) forgetful_per_mille: u32,
    /// Whether ingest recognises what is posted again.
    pub(super) idempotency: Idempotency,
}

/// Something that happens once.
#[derive(Clone, Debug)]
pub(super) enum Incident {
    /// A service is down for so many milliseconds.
    Outage(Service, u64),
    /// A record that nobody can read.
    Garbage(Queue),
    /// An operator removes a subscription.
    Unsubscribe(String),
    /// An operator disables a subscription.
    Disable(String),
    /// An operator gives a subscription this endpoint, and says whether it is to be verified, and
    /// what it is encrypted to.
    Subscribe(String, String, Value),
    /// A ledger item is spoiled, where there is one.
    Spoil,
    /// A breaker is spoiled, where there is one.
    SpoilBreaker,
}

impl Incident {
    pub(super) fn happen(self, world: &World, history: &mut History) {
        match self {
            Self::Outage(service, for_ms) => {
                world.take_down(service, world.now().plus_ms(for_ms));
            }
            Self::Garbage(queue) => {
                history.garbage += 1;
                world.put(queue, "{\"EventsV9\":{}}");
            }
            Self::Unsubscribe(id) => world.unsubscribe(&id),
            Self::Disable(id) => {
                let url = url_of(&id, 0);
                world.subscribe_with(&id, &url, &json!({"enabled": false}));
            }
            Self::Subscribe(id, url, wishes) => world.subscribe_with(&id, &url, &wishes),
            Self::Spoil => {
                if let Some((_, delivery)) = world.due().into_iter().next() {
                    world.spoil(&delivery);
                }
            }
            Self::SpoilBreaker => {
                if let Some((key, breaker)) = world.breakers().into_iter().next() {
                    world.put_breaker(key, Breaker::unreadable(breaker.revision));
                }
            }
        }
    }
}

impl Plan {
    pub(super) fn of(chance: &mut Chance, events: usize) -> Self {
        // Some seeds have no trouble at all: there nothing may happen twice, or late.
        let is_calm = chance.below(8) == 0;
        let is_wide = chance.below(16) == 0;
        let most = if is_wide { 40 } else { 5 };
        let targets: Vec<Target> =
            (0..=chance.below(most)).map(|index| Target::of(chance, index, is_wide)).collect();
        let mut often = |most: usize| {
            let per_mille = chance.below(most);
            if is_calm { 0 } else { u32::try_from(per_mille).unwrap_or_default() }
        };
        let (faults, crashes, repeats) = (often(80), often(20), often(80));
        let sleeps = often(8).saturating_sub(3);
        let redrives = often(400).saturating_sub(200);
        let lag_ms = u64::from(often(60)).saturating_sub(30) * 1_000;
        let ahead_max_ms = u64::from(often(10)).saturating_sub(5) * MINUTE_MS;
        let is_patient = chance.below(2) == 0;
        let is_idempotent = chance.below(2) == 0;
        let mut plan = Self {
            schedule: if is_patient { Schedule::Patient } else { Schedule::Documented },
            subscribed: BTreeMap::new(),
            arrivals: arrivals(chance, events),
            incidents: Vec::new(),
            targets,
            faults_per_mille: faults,
            crashes_per_mille: crashes,
            crashes_at_forgetting_per_mille: crashes * 15,
            repeats_per_mille: repeats,
            sleeps_per_mille: sleeps,
            lag_ms,
            ahead_max_ms,
            redrives_per_mille: redrives,
            forgetful_per_mille: 100,
            idempotency: if is_idempotent { Idempotency::On } else { Idempotency::Off },
        };
        plan.subscribe_all();
        if !is_calm {
            plan.invent_incidents(chance);
            plan.invent_changes(chance);
        }
        plan.incidents.sort_by_key(|(at, _)| Reverse(*at));
        plan
    }

    /// All events with all subscriptions, by their deliveries.
    pub(super) fn pairs(&self) -> BTreeMap<DeliveryId, Pair> {
        let events = self.arrivals.iter().flat_map(|(_, events)| events).cloned().collect();
        let subscriptions = self.targets.iter().map(|target| target.id.clone()).collect();
        Pair::by_delivery(&property(), &events, &subscriptions)
    }

    fn subscribe_all(&mut self) {
        for target in &self.targets {
            let always =
                Interval { endpoint: url_of(&target.id, 0), from_ms: 0, until_ms: u64::MAX };
            self.subscribed.insert(target.id.clone(), vec![always]);
        }
    }

    fn invent_incidents(&mut self, chance: &mut Chance) {
        let services = [
            Service::Subscriptions,
            Service::Deliveries,
            Service::Queues,
            Service::Ingested,
            Service::KnownGood,
            Service::Keys,
        ];
        for service in services {
            if chance.below(6) == 0 {
                let longest_ms = [MINUTE_MS, 20 * MINUTE_MS, 3 * HOUR_MS][chance.below(3)];
                let for_ms = chance.below_u64(longest_ms);
                let at = START.plus_ms(chance.below_u64(TROUBLE_MS - HOUR_MS));
                self.incidents.push((at, Incident::Outage(service, for_ms)));
            }
        }
        for queue in [Queue::Events, Queue::Retries] {
            for _ in 0..chance.below(3) {
                let at = START.plus_ms(chance.below_u64(TROUBLE_MS));
                self.incidents.push((at, Incident::Garbage(queue)));
            }
        }
        for incident in [Incident::Spoil, Incident::SpoilBreaker] {
            if chance.below(4) == 0 {
                let at = START.plus_ms(chance.below_u64(TROUBLE_MS));
                self.incidents.push((at, incident));
            }
        }
    }

    /// Subscriptions that are removed, disabled, or moved on the way.
    fn invent_changes(&mut self, chance: &mut Chance) {
        for target in &self.targets {
            let id = &target.id;
            let Some(intervals) = self.subscribed.get_mut(id) else { continue };
            if chance.below(6) != 0 {
                continue;
            }
            let at = START.plus_ms(chance.below_u64(TROUBLE_MS));
            if let Some(before) = intervals.last_mut() {
                before.until_ms = at.as_ms();
            }
            let first = match chance.below(3) {
                0 => Incident::Unsubscribe(id.clone()),
                1 => Incident::Disable(id.clone()),
                _ => {
                    let endpoint = url_of(id, 1);
                    let from_ms = at.as_ms();
                    intervals.push(Interval {
                        endpoint: endpoint.clone(),
                        from_ms,
                        until_ms: u64::MAX,
                    });
                    Incident::Subscribe(id.clone(), endpoint, target.wishes())
                }
            };
            self.incidents.push((at, first));
        }
    }

    pub(super) fn set_up(&self, world: &World) {
        world.remember_good();
        match self.idempotency {
            Idempotency::On => world.recognise_repetitions(),
            Idempotency::Off => {}
        }
        for target in &self.targets {
            let url = url_of(&target.id, 0);
            world.subscribe_with(&target.id, &url, &target.wishes());
            target.set_up(world);
        }
    }

    /// No more trouble.
    pub(super) fn calm_down(&mut self) {
        self.crashes_per_mille = 0;
        self.forgetful_per_mille = 0;
        self.repeats_per_mille = 0;
        self.sleeps_per_mille = 0;
    }

    pub(super) fn next_arrival_at(&self) -> Option<Timestamp> {
        self.arrivals.last().map(|(at, _)| *at)
    }

    pub(super) fn next_incident_at(&self) -> Option<Timestamp> {
        self.incidents.last().map(|(at, _)| *at)
    }

    /// The next request, if it is time for it.
    pub(super) fn arrival_at(&mut self, now: Timestamp) -> Option<Vec<String>> {
        self.arrivals.pop_if(|(at, _)| *at <= now).map(|(_, events)| events)
    }

    pub(super) fn incident_at(&mut self, now: Timestamp) -> Option<Incident> {
        self.incidents.pop_if(|(at, _)| *at <= now).map(|(_, incident)| incident)
    }

    /// Posts events again.
    pub(super) fn post_at(&mut self, at: Timestamp, events: Vec<String>) {
        self.arrivals.push((at, events));
        self.arrivals.sort_by_key(|(at, _)| Reverse(*at));
    }

    /// Tells the checker what was promised to whom.
    pub(super) fn tell(&self, world: &World, history: &mut History) {
        history.attempts_max = self.schedule.attempts_max();
        history.slack_ms = SLEEP_MAX_MS + MINUTE_MS + self.ahead_max_ms;
        history.ahead_max_ms = self.ahead_max_ms;
        history.subscribed.clone_from(&self.subscribed);
        for target in self.targets.iter().filter(|target| target.is_to_be_verified()) {
            history.to_be_verified.extend(target.urls());
        }
        for target in self.targets.iter().filter(|target| target.is_to_be_encrypted()) {
            history.to_be_encrypted.extend(target.urls());
        }
        history.challenged_in_clear = world.challenged_in_clear();
        // A key is named for its subscription.
        history.unusable_keys = world.unusable_keys();
        let echoes = world.first_echoes().into_iter();
        history.echoed_at_ms = echoes.map(|(url, at)| (url, at.as_ms())).collect();
        for (id, intervals) in &mut history.subscribed {
            // Disabled by a delivery: nothing is promised from then on, until it moves.
            let Some(at_ms) = world.disabled_at(id).map(Timestamp::as_ms) else { continue };
            let mut all = intervals.iter_mut();
            if let Some(then) = all.find(|it| (it.from_ms..it.until_ms).contains(&at_ms)) {
                then.until_ms = at_ms;
            }
        }
    }
}

fn arrivals(chance: &mut Chance, events: usize) -> Vec<(Timestamp, Vec<String>)> {
    let mut arrivals = Vec::new();
    let mut next = 0;
    while next < events {
        let together = (1 + chance.below(4)).min(events - next);
        let ids = (next..next + together).map(|index| format!("event-{index}")).collect();
        arrivals.push((START.plus_ms(chance.below_u64(TROUBLE_MS * 3 / 4)), ids));
        next += together;
    }
    arrivals.sort_by_key(|(at, _)| Reverse(*at));
    arrivals
}

/// The body of a request with these events. Some end their user's access, by their IDs alone, so
/// that an event that is posted again is the same.
pub(super) fn request_body(events: &[String]) -> String {
    let event = |id: &String| {
        let kind = if id.ends_with(['0', '3', '6', '9']) { "userDeleted" } else { "userUpdated" };
        json!({"id": id, "type": kind, "propertyId": PROPERTY, "sub": "u1", "data": {}})
    };
    json!(events.iter().map(event).collect::<Vec<_>>()).to_string()
}

/// The endpoint of a subscription, which may move.
fn url_of(subscription: &str, moves: usize) -> String {
    format!("https://{subscription}.example.com/hook-{moves}")
}

/// The subscription that a URL belongs to.
pub(super) fn subscription_of(url: &str) -> &str {
    let host = url.strip_prefix("https://").unwrap_or(url);
    host.split('.').next().unwrap_or(host)
}
