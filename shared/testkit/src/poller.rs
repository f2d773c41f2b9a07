//! Takes records from the world's queues to [`domain::delivery`] and forgets those that are
//! settled, as Lambda's pollers do; one record at a time, so that a story has one order.

use domain::delivery::{self, Fate, Invocation, Queue, Settings};
use domain::time::{Deadline, Timestamp};

use crate::world::{Message, World};

/// How long an invocation may take, as the template says.
pub const INVOCATION_MS: u64 = 30_000;

/// More records than any story needs: something spins.
const WORKED_MAX: usize = 10_000;

/// A record that was worked.
pub struct Worked {
    /// From which queue.
    pub queue: Queue,
    /// The record.
    pub message: Message,
    /// What became of it.
    pub fate: Fate,
}

/// Works one visible record of a queue, where there is one.
pub async fn work_one(world: &World, queue: Queue, settings: &Settings) -> Option<Worked> {
    let deadline = Deadline::at(world.now().plus_ms(INVOCATION_MS));
    let invocation = Invocation { deadline: Some(deadline) };
    let message = world.receive(queue, 1).pop()?;
    let execution = world.execution(invocation, settings);
    let fate = delivery::run(queue, &message.body, execution).await;
    match fate {
        Fate::Settled { .. } | Fate::Split { .. } | Fate::SetAside(_) => {
            world.delete(queue, &message.id);
        }
        Fate::Returned(..) => {}
    }
    Some(Worked { queue, message, fate })
}

/// Works everything that is visible now, events first, without moving the clock.
pub async fn work_visible(world: &World, settings: &Settings) -> Vec<Worked> {
    let mut all = Vec::new();
    loop {
        let worked = match work_one(world, Queue::Events, settings).await {
            Some(worked) => Some(worked),
            None => work_one(world, Queue::Retries, settings).await,
        };
        let Some(worked) = worked else { return all };
        all.push(worked);
        assert!(all.len() < WORKED_MAX, "{WORKED_MAX} records and no end");
    }
}

/// Works everything that becomes visible until `horizon`, and moves the clock to each of these
/// moments. Ends when the queues are empty, or nothing in them is visible by then.
pub async fn drain(world: &World, settings: &Settings, horizon: Timestamp) -> Vec<Worked> {
    let mut all = Vec::new();
    while let Some(at) = world.next_visible_at().filter(|at| *at <= horizon) {
        world.set_now(at.max(world.now()));
        all.extend(work_visible(world, settings).await);
        assert!(all.len() < WORKED_MAX, "{WORKED_MAX} records and no end");
    }
    all
}
