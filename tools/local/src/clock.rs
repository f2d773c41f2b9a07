//! The laptop's clock: schedules and delayed messages wait by it, and with a time scale it runs
//! faster than the machine's.
//!
//! Time is skipped only while nobody works. While a function is invoked, or a message lies on a
//! queue that a function works, the clock runs at real speed, so that time-outs, deadlines and
//! leases mean what they say; only waiting is shortened. Nor does it skip past the next thing that
//! is due: that happens at its time, and not when the clock comes by.
//!
//! The time itself is the process's, [`adapters::clock::now`]: stacks that run in one process share
//! it. What does not go by it keeps the machine's time: a message that came back stays hidden for
//! its queue's visibility time-out (180 s), and counts as work until then.

mod skip;
mod time_scale;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adapters::clock::now;
use domain::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use skip::skip_ms;
pub use time_scale::{NoTimeScale, TimeScale};

/// How often the clock looks whether time can be skipped.
const STEP: Duration = Duration::from_millis(2);

/// The clock of a stack.
pub struct Clock {
    scale: TimeScale,
    state: Mutex<State>,
}

struct State {
    /// Pieces of work under way.
    under_way: usize,
    /// Pieces of work begun so far.
    begun: u64,
    /// Since when nobody works, or since when no time has been skipped.
    idle_since: Instant,
    /// What waits, by when it is due and in which order it came.
    timers: BTreeMap<(Timestamp, u64), oneshot::Sender<Work>>,
    timers_set: u64,
    onlooker: Option<mpsc::UnboundedSender<Work>>,
}

/// Work under way: until it is dropped, the clock runs at real speed.
#[must_use]
pub struct Work(Arc<Clock>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.state().end();
    }
}

impl Clock {
    /// A clock that nobody has set going yet: with a time scale, it makes nothing due.
    #[must_use]
    pub fn new(scale: TimeScale) -> Arc<Self> {
        let state = State {
            under_way: 0,
            begun: 0,
            idle_since: Instant::now(),
            timers: BTreeMap::new(),
            timers_set: 0,
            onlooker: None,
        };
        Arc::new(Self { scale, state: Mutex::new(state) })
    }

    /// How fast it runs while nobody works.
    #[must_use]
    pub fn scale(&self) -> TimeScale {
        self.scale
    }

    /// Begins a piece of work. What it reads of the time from now on, it can rely on.
    pub fn begin(self: &Arc<Self>) -> Work {
        self.state().begin();
        Work(Arc::clone(self))
    }

    /// Waits until this moment, which counts as due from the call on, and not only once it is
    /// awaited. What follows is work, and is under way already.
    pub fn wait_until(
        self: &Arc<Self>,
        at: Timestamp,
    ) -> impl Future<Output = Work> + Send + use<> {
        let clock = Arc::clone(self);
        let timer = (!self.scale.is_real()).then(|| self.state().set_timer(at));
        async move {
            let Some(timer) = timer else {
                tokio::time::sleep(Duration::from_millis(at.since_ms(now()))).await;
                return clock.begin();
            };
            match timer.await {
                Ok(work) => work,
                // A clock that has stopped makes nothing due any more.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Every moment from now on at which nobody works any more, with time held until the moment is
    /// dropped. At real speed there is none.
    #[must_use]
    pub fn lulls(&self) -> mpsc::UnboundedReceiver<Work> {
        let (onlooker, lulls) = mpsc::unbounded_channel();
        self.state().onlooker = Some(onlooker);
        lulls
    }

    /// Keeps the clock going: skips time, and makes due what is due. `is_quiet` says whether the
    /// queues are empty that functions work.
    pub(crate) async fn run<Q>(self: Arc<Self>, is_quiet: impl Fn() -> Q)
    where
        Q: Future<Output = bool>,
    {
        let mut lull = 0;
        loop {
            tokio::time::sleep(STEP).await;
            let idle = self.state().idle();
            if let Some(begun) = idle {
                if !is_quiet().await {
                    // Whoever has put a message on a queue has not finished.
                    self.state().idle_since = Instant::now();
                } else if begun != lull && self.tell_onlooker() {
                    lull = begun;
                } else {
                    self.skip(begun);
                }
            }
            self.make_due();
        }
    }

    /// Skips time, if nothing has begun since `begun` was read. Whoever begins afterwards reads the
    /// time afterwards.
    fn skip(&self, begun: u64) {
        let mut state = self.state();
        if state.idle() == Some(begun) {
            let until_due_ms = state.timers.keys().next().map(|(at, _)| at.since_ms(now()));
            let elapsed = state.idle_since.elapsed();
            adapters::clock::skip_ms(skip_ms(elapsed, until_due_ms, self.scale));
            state.idle_since = Instant::now();
        }
    }

    /// Hands a lull to whoever looks on; `false` when nobody does.
    fn tell_onlooker(self: &Arc<Self>) -> bool {
        let Some(onlooker) = self.state().onlooker.clone() else { return false };
        // To look on is to hold the time, and not to begin something.
        self.state().under_way += 1;
        let is_told = onlooker.send(Work(Arc::clone(self))).is_ok();
        if !is_told {
            self.state().onlooker = None;
        }
        is_told
    }

    fn make_due(self: &Arc<Self>) {
        let due = self.state().take_due();
        for timer in due {
            // Whoever waits no longer drops it.
            let _ = timer.send(Work(Arc::clone(self)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How much work had begun when nobody worked; `None` while somebody does.
    fn idle(&self) -> Option<u64> {
        (self.under_way == 0).then_some(self.begun)
    }

    fn begin(&mut self) {
        self.under_way += 1;
        self.begun += 1;
    }

    fn end(&mut self) {
        self.under_way -= 1;
        self.idle_since = Instant::now();
    }

    fn set_timer(&mut self, at: Timestamp) -> oneshot::Receiver<Work> {
        let (due, timer) = oneshot::channel();
        self.timers.retain(|_, waiting| !waiting.is_closed());
        self.timers_set += 1;
        self.timers.insert((at, self.timers_set), due);
        timer
    }

    /// What is due, with the work begun that it makes due.
    fn take_due(&mut self) -> Vec<oneshot::Sender<Work>> {
        let mut due = Vec::new();
        while let Some(timer) = self.timers.first_entry()
            && timer.key().0 <= now()
        {
            due.push(timer.remove());
            self.begin();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_under_way_until_it_is_dropped() {
        let clock = Clock::new(TimeScale::REAL);
        assert_eq!(clock.state().idle(), Some(0));
        let (one, other) = (clock.begin(), clock.begin());
        assert_eq!(clock.state().idle(), None);
        drop(one);
        assert_eq!(clock.state().idle(), None);
        drop(other);
        assert_eq!(clock.state().idle(), Some(2));
    }

    #[test]
    fn nothing_is_skipped_while_somebody_works_or_has_begun_since() {
        let clock = Clock::new("100000".parse().expect("a scale"));
        let idle = clock.state().idle().expect("nobody works");
        // Should it skip, then by a day for every second that this takes.
        let long_ago = Instant::now() - Duration::from_mins(1);
        let before = now();
        let work = clock.begin();
        clock.state().idle_since = long_ago;
        clock.skip(idle);
        drop(work);
        clock.state().idle_since = long_ago;
        clock.skip(idle);
        assert!(now().since_ms(before) < 60_000);
    }

    #[test]
    fn what_is_due_is_under_way_before_anybody_notices() {
        let clock = Clock::new("60".parse().expect("a scale"));
        let mut due = clock.state().set_timer(now());
        let _later = clock.state().set_timer(now().plus_ms(3_600_000));
        clock.make_due();
        assert_eq!(clock.state().idle(), None);
        drop(due.try_recv().expect("it is due"));
        assert_eq!(clock.state().idle(), Some(1));
        assert_eq!(clock.state().timers.len(), 1);
    }

    #[test]
    fn who_waits_no_longer_holds_nobody_up() {
        let clock = Clock::new("60".parse().expect("a scale"));
        drop(clock.state().set_timer(now()));
        clock.make_due();
        assert_eq!(clock.state().idle(), Some(1));
    }
}
