//! What a seed decides beforehand: which work is hit and when, how often the clock is turned, and
//! how the targets behave.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use testkit::chance::Chance;

use crate::targets::Conduct;

/// What a process is busy with when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// A request.
    Ingest,
    /// Records of the events queue.
    Events,
    /// Records of the retries queue.
    Retries,
    /// A tick.
    Sweep,
}

/// Turns of the clock while things go wrong, whatever the number of events.
const TURNS: usize = 12;

/// Events of one request.
const REQUEST_EVENTS_MAX: usize = 10;

pub(crate) struct Plan {
    pub(crate) events: usize,
    pub(crate) targets: Vec<(&'static str, Conduct)>,
    /// The events of each request that is still to be posted.
    requests: Mutex<Vec<Vec<String>>>,
    pub(crate) turns: Turns,
    pub(crate) kills: Kills,
}

impl Plan {
    pub(crate) fn of(seed: u64, events: usize, kills: usize) -> Self {
        let mut chance = Chance::new(seed);
        let mut requests: Vec<Vec<String>> = Vec::new();
        for event in (0..events).map(Self::event) {
            match requests.last_mut().filter(|_| chance.below(2) == 0) {
                Some(request) if request.len() < REQUEST_EVENTS_MAX => request.push(event),
                _ => requests.push(vec![event]),
            }
        }
        let targets = vec![
            ("healthy", Conduct::Healthy),
            ("ill", Conduct::Ill),
            ("flapping", Conduct::Flapping { run: 2 + chance.below(6) }),
            ("gone", Conduct::GoneAfter(events / 10 + chance.below(events / 2))),
        ];
        let kills = Kills::of(&mut chance, events, kills);
        let turns = Turns::of(&mut chance, events);
        Self { events, targets, requests: Mutex::new(requests), turns, kills }
    }

    /// The ID of an event by its number.
    pub(crate) fn event(number: usize) -> String {
        format!("event-{number}")
    }

    /// The IDs of all events.
    pub(crate) fn all_events(&self) -> BTreeSet<String> {
        (0..self.events).map(Self::event).collect()
    }

    /// The events of the next request; `None` when all are taken.
    pub(crate) fn next_request(&self) -> Option<Vec<String>> {
        self.requests.lock().expect("no panic while planning").pop()
    }
}

/// A process dies in the first work of this kind that begins once so many events were accepted.
#[derive(Clone, Copy, Debug)]
struct Kill {
    once_accepted: usize,
    work: Work,
    moment: Moment,
}

/// When in a piece of work a process dies, in thousandths of the time that such work usually
/// takes. Some is done by then: a process that waits for its next work can be hit, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u32);

impl Moment {
    /// How long the process lives.
    pub(crate) fn after(self, usually: Duration) -> Duration {
        usually * self.0 / 1_000
    }
}

impl Kill {
    fn is_due(&self, work: Work, accepted: usize) -> bool {
        self.work == work && self.once_accepted <= accepted
    }
}

/// The kills that are still to come.
#[derive(Default)]
pub(crate) struct Kills(Mutex<Vec<Kill>>);

impl Kills {
    fn of(chance: &mut Chance, events: usize, count: usize) -> Self {
        // Every kind of work is hit, even where the kills are few; most often what holds leases.
        const VICTIMS: [Work; 7] = [
            Work::Retries,
            Work::Events,
            Work::Ingest,
            Work::Sweep,
            Work::Retries,
            Work::Events,
            Work::Retries,
        ];
        let kill = |index| {
            let moment = Moment(u32::try_from(chance.below(1_000)).unwrap_or_default());
            // The last tenth of the events is left to carry out what is still to come.
            let once_accepted = chance.below(events * 9 / 10);
            Kill { once_accepted, work: VICTIMS[index % VICTIMS.len()], moment }
        };
        Self(Mutex::new((0..count).map(kill).collect()))
    }

    /// When the process dies that begins work of this kind now; `None` when it may live on.
    pub(crate) fn next(&self, work: Work, accepted: usize) -> Option<Moment> {
        let mut kills = self.0.lock().expect("no panic while planning");
        let index = kills.iter().position(|kill| kill.is_due(work, accepted))?;
        Some(kills.swap_remove(index).moment)
    }

    /// Whether the next work of this kind ends in a kill.
    pub(crate) fn is_due(&self, work: Work, accepted: usize) -> bool {
        let kills = self.0.lock().expect("no panic while planning");
        kills.iter().any(|kill| kill.is_due(work, accepted))
    }

    /// How many are still to come.
    pub(crate) fn left(&self) -> usize {
        self.0.lock().expect("no panic while planning").len()
    }
}

/// When the clock is turned, and by how much.
pub(crate) struct Turns(Mutex<Vec<(usize, u64)>>);

impl Turns {
    fn of(chance: &mut Chance, events: usize) -> Self {
        // From what hardly matters to what ends a wait of a quarter of an hour.
        let turn = |_| (chance.below(events), 20_000 + chance.below(1_200_000) as u64);
        Self(Mutex::new((0..TURNS).map(turn).collect()))
    }

    /// By how many milliseconds the clock is turned now, once so many events were accepted.
    pub(crate) fn next(&self, accepted: usize) -> Option<u64> {
        let mut turns = self.0.lock().expect("no panic while planning");
        let index = turns.iter().position(|(once_accepted, _)| *once_accepted <= accepted)?;
        Some(turns.swap_remove(index).1)
    }
}

#[test]
fn every_kill_is_carried_out_once_and_in_its_time() {
    let plan = Plan::of(1, 100, 7);
    assert_eq!(std::iter::from_fn(|| plan.next_request()).flatten().count(), 100);
    let of = |work| std::iter::from_fn(|| plan.kills.next(work, 90)).count();
    let all = [Work::Ingest, Work::Events, Work::Retries, Work::Sweep];
    assert!(all.iter().all(|work| plan.kills.is_due(*work, 90)));
    assert_eq!(all.map(of), [1, 2, 3, 1]);
    assert_eq!(plan.kills.left(), 0);
    let turns = std::iter::from_fn(|| plan.turns.next(100)).count();
    assert_eq!(turns, TURNS);
    assert_eq!(Moment(250).after(Duration::from_millis(8)), Duration::from_millis(2));
}
