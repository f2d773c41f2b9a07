//! Two pieces of work measured by turns, so that both meet the same machine.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Turns of each, and what is done in a turn.
const TURNS: usize = 400;
const OF_A_TURN: u32 = 50;

/// How long a piece of work takes, and the floor beside it: the median turn of each, by one of its
/// work.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// The floor.
    pub floor: Duration,
    /// Ours.
    pub ours: Duration,
}

impl Paired {
    /// Measures both, after a few turns that do not count.
    pub fn measure<A, B>(floor: impl Fn() -> A, ours: impl Fn() -> B) -> Self {
        let (mut floors, mut all) = (Vec::new(), Vec::new());
        for turn in 0..TURNS + TURNS / 10 {
            let (a, b) = (turn_of(&floor), turn_of(&ours));
            if turn >= TURNS / 10 {
                floors.push(a);
                all.push(b);
            }
        }
        Self { floor: median(floors), ours: median(all) }
    }

    /// How many times the floor ours takes.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.ours.as_secs_f64() / self.floor.as_secs_f64()
    }
}

#[expect(clippy::disallowed_methods, reason = "the time that it takes is what is measured")]
fn turn_of<T>(work: impl Fn() -> T) -> Duration {
    let begun_at = Instant::now();
    for _ in 0..OF_A_TURN {
        black_box(work());
    }
    begun_at.elapsed() / OF_A_TURN
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}
