//! One event for very many subscriptions: every one is posted to once, and memory stays flat.
//!
//! The real domain code in the world, without AWS and HTTP. Several execution environments take
//! turns at the messages, each with its own memory of the subscriptions, which is 30 s old at most.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{self, Execution, Fate, Invocation, Queue};
use testkit::samples::{events_body, settings};
use testkit::world::{Call, Environment, World};

use crate::Failure;
use crate::memory::Memory;

/// Execution environments that take turns.
const ENVIRONMENTS: usize = 5;

/// From one message to the next: a hop through SQS, and targets that answer quickly.
const HOP: Duration = Duration::from_millis(200);

/// Serves each of these numbers of subscriptions, in a world of its own.
pub(crate) async fn run(sizes: &[usize]) -> Result<(), Failure> {
    for size in sizes {
        serve(*size).await?;
    }
    Ok(())
}

async fn serve(subscriptions: usize) -> Result<(), Failure> {
    let world = World::new(1);
    for index in 0..subscriptions {
        let url = format!("https://target-{index}.example.com/hook");
        world.subscribe(&format!("s{index:06}"), &url);
    }
    world.put(Queue::Events, events_body(&["e1"]));
    let environments: Vec<_> = (0..ENVIRONMENTS).map(|_| Arc::<Environment>::default()).collect();
    let before = Memory::now();
    let mut served = Served::default();
    let mut read = None;
    for environment in environments.iter().cycle() {
        if !served.one_message(&world, environment).await? {
            break;
        }
        // From here on, the subscriptions are read.
        if read.is_none() {
            read = Some(Memory::now());
            Memory::forget_peak();
        }
    }
    let read = read.ok_or("no message")?;
    println!("{subscriptions} subscriptions of one scope:");
    println!(
        "  {} messages, {} posts, at most {} at once, at most {} messages on the queue, \
         of at most {} bytes",
        served.messages,
        served.posts,
        world.posts_at_once_max(),
        served.queued_max,
        served.bytes_max,
    );
    println!(
        "  the list was read {} times by {ENVIRONMENTS} environments in {} s",
        world.calls(Call::Subscriptions),
        (HOP * u32::try_from(served.messages)?).as_secs(),
    );
    println!(
        "  memory: {} for the list, {} more for reading it again and serving all of it",
        read.above(before),
        Memory::peak().above(read),
    );
    Ok(())
}

#[derive(Default)]
struct Served {
    messages: usize,
    posts: usize,
    queued_max: usize,
    bytes_max: usize,
}

impl Served {
    /// Works the next message; `false` when there is none.
    async fn one_message(
        &mut self,
        world: &World,
        environment: &Arc<Environment>,
    ) -> Result<bool, Failure> {
        let Some(message) = world.receive(Queue::Events, 1).pop() else { return Ok(false) };
        world.enter(Some(Arc::clone(environment)));
        let (settings, memory) = (settings(), environment.memory());
        let invocation = Invocation { deadline: None };
        let execution = Execution { invocation, settings: &settings, memory, ports: world };
        let fate = delivery::run(Queue::Events, &message.body, execution).await;
        let (Fate::Settled { .. } | Fate::Split { .. }) = fate else {
            return Err("a message was not settled".into());
        };
        world.delete(Queue::Events, &message.id);
        world.advance_ms(u64::try_from(HOP.as_millis())?);
        self.messages += 1;
        self.posts += world.take_posts().len();
        self.queued_max = self.queued_max.max(world.count(Queue::Events));
        self.bytes_max = self.bytes_max.max(message.body.len());
        Ok(true)
    }
}
