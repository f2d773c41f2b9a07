//! The story: events flow and processes die; then nothing dies any more, and everything comes to
//! rest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapters::signing::SigningKeys;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::limits::ATTEMPT_TIMEOUT_DEFAULT_MS;
use domain::retry::Schedule;
use domain::time::Timestamp;
use futures_util::future::{join, join_all};
use local::aws::Endpoint;
use local::clock::TimeScale;
use local::event_source::EventSource;
use local::functions::Name;
use local::template::{QueueMapping, Settings, Stack};
use local::{Clients, samples};
use serde_json::{Value, json};
use testkit::checker::{History, Interval};
use tokio::time::interval;

use crate::clock::Clock;
use crate::explain::{Explained, PROPERTY};
use crate::functions::Functions;
use crate::ledger::{self, Contents};
use crate::plan::{Plan, Work};
use crate::targets::Targets;

/// An HTTP API payload to put bodies into.
const REQUEST: &str = include_str!("../../../events/ingest/userUpdated.json");

/// Producers, and pollers of each queue.
const AT_ONCE: usize = 2;

/// How often a poller looks for messages.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Longer than the visibility time-out, and than it takes until a wake-up counts as lost.
const REST_STEP_MS: u64 = 200_000;

/// Posts of one request. A kill costs one; more mean that it is refused.
const POSTS_MAX: usize = 1_000;

/// Steps for the kills that are left when all is posted. Without anything to retry they stay.
const LAST_KILLS_STEPS_MAX: usize = 30;

/// Steps that everything has to come to rest: far more than there are attempts.
const REST_STEPS_MAX: usize = 500;

/// More batches than there are messages of all steps: something spins.
const BATCHES_MAX: usize = 100_000;

/// A queue, whose messages are work for the delivery function.
struct Source {
    work: Work,
    events: EventSource,
    visibility_ms: u64,
}

pub(crate) struct Story {
    plan: Plan,
    functions: Functions,
    sources: Vec<Source>,
    targets: Targets,
    clock: Arc<Clock>,
    clients: Clients,
    aws: Endpoint,
    /// When each event was answered 202, in epoch milliseconds.
    accepted: Mutex<BTreeMap<String, u64>>,
    explained: Explained,
    is_trouble_over: AtomicBool,
}

/// What the checker reads, and how much of a trial it was.
pub(crate) struct Told {
    pub(crate) history: History,
    pub(crate) killed: usize,
    pub(crate) deliveries_cut_off: usize,
    pub(crate) summary: String,
}

impl Story {
    pub(crate) async fn begin(mut plan: Plan) -> Self {
        let address = ([127, 0, 0, 1], 0).into();
        let real = local::clock::Clock::new(TimeScale::REAL);
        let aws = Endpoint::start(address, None, &real).await.expect("an endpoint");
        let settings = Settings::at_their_word(aws.account().clone());
        let mut stack = Stack::parse(local::TEMPLATE, &settings).expect("the template");
        for secret in &mut stack.secrets {
            secret.initial_value = Some(SigningKeys::generate());
        }
        aws.provision(&stack).await.expect("the template's resources");
        let clients = Clients::new(&local::environment(&aws)).expect("clients");
        let clock = Arc::new(Clock::default());
        let targets = Targets::start(&plan.targets, &clock).await;
        for (id, _) in &plan.targets {
            let endpoint = targets.endpoint(id);
            let row = samples::row(samples::PROPERTY, id, "user_data_change", &endpoint);
            let put = clients.dynamodb.put_item().table_name("subscriptions").set_item(Some(row));
            put.send().await.expect("a row is written");
        }
        let delivery = stack.function(Name::Delivery.logical_id()).expect("the function");
        let source = |mapping: &QueueMapping| {
            let queue = stack.queues.iter().find(|queue| queue.name == mapping.queue);
            Source {
                work: if mapping.queue == "retries" { Work::Retries } else { Work::Events },
                events: EventSource::new(mapping, aws.account(), &clients.sqs),
                visibility_ms: u64::from(queue.expect("a queue").visibility_timeout_s) * 1_000,
            }
        };
        Self {
            sources: delivery.queue_mappings.iter().map(source).collect(),
            functions: Functions::new(&stack, &aws, std::mem::take(&mut plan.kills)),
            explained: Explained::new(&plan),
            plan,
            targets,
            clock,
            clients,
            aws,
            accepted: Mutex::default(),
            is_trouble_over: AtomicBool::new(false),
        }
    }

    pub(crate) async fn play(self) -> Told {
        let pollers = self.sources.iter().flat_map(|source| [source; AT_ONCE]);
        let pollers = join_all(pollers.map(|source| self.poll(source)));
        join(pollers, self.trouble()).await;
        let calm_at_ms = self.clock.now().as_ms();
        let steps = self.rest().await;
        self.tell(calm_at_ms, steps).await
    }

    /// Events come in, the clock is turned now and then, and everything planned is killed.
    async fn trouble(&self) {
        join_all((0..AT_ONCE).map(|_| self.produce())).await;
        for _ in 0..LAST_KILLS_STEPS_MAX {
            if self.functions.kills().left() == 0 {
                break;
            }
            self.pass(REST_STEP_MS).await;
        }
        self.is_trouble_over.store(true, Ordering::SeqCst);
    }

    /// Posts requests until none is left, each until it is answered 202.
    async fn produce(&self) {
        while let Some(events) = self.plan.next_request() {
            let mut posts = 1;
            while !self.post(&events).await {
                self.explained.not_accepted(&events);
                posts += 1;
                assert!(posts < POSTS_MAX, "a request is never answered 202");
            }
            let at_ms = self.clock.now().as_ms();
            let events = events.into_iter().map(|event| (event, at_ms));
            self.accepted.lock().expect("no panic while noting").extend(events);
            let accepted = self.accepted();
            if accepted * 2 >= self.plan.events {
                self.targets.heal();
            }
            while let Some(by_ms) = self.plan.turns.next(accepted) {
                self.pass(by_ms).await;
            }
            while self.functions.kills().is_due(Work::Sweep, accepted) {
                self.sweep().await;
            }
        }
    }

    async fn post(&self, events: &[String]) -> bool {
        let event = |id: &String| {
            json!({
                "id": id, "type": "userUpdated", "propertyId": PROPERTY, "sub": "u1",
                "data": {},
            })
        };
        let events: Vec<Value> = events.iter().map(event).collect();
        let mut request: Value = serde_json::from_str(REQUEST).expect("a payload");
        request["body"] = Value::Array(events).to_string().into();
        let _no_turn = self.clock.hold().await;
        let answer = self.invoke(Work::Ingest, request).await;
        answer.is_some_and(|answer| answer["statusCode"] == 202)
    }

    /// Takes batches from a queue to the delivery function while there is trouble.
    async fn poll(&self, source: &Source) {
        let mut look = interval(LOOK_EVERY);
        while !self.is_trouble_over.load(Ordering::SeqCst) {
            if !self.work_a_batch(source).await {
                look.tick().await;
            }
        }
    }

    /// `false` when there is none.
    async fn work_a_batch(&self, source: &Source) -> bool {
        let Source { work, events, visibility_ms } = source;
        let _no_turn = self.clock.hold().await;
        let messages = events.receive(0).await.expect("the queue is there");
        if messages.is_empty() {
            return false;
        }
        self.explained.received(&messages);
        let answer = self.invoke(*work, events.payload(&messages)).await;
        let back = events.settle(messages, answer.as_ref()).await;
        self.explained.not_done(&back);
        self.clock.hide(events.queue_url(), back, *visibility_ms);
        true
    }

    /// Lets time pass, and the sweeper look what is due by then.
    async fn pass(&self, by_ms: u64) {
        let Clients { dynamodb, sqs, .. } = &self.clients;
        self.clock.turn(by_ms, &self.functions, dynamodb, sqs).await;
        self.sweep().await;
    }

    async fn sweep(&self) {
        let _no_turn = self.clock.hold().await;
        // One that fails or is killed is followed by the next.
        let _ = self.invoke(Work::Sweep, json!({ "source": "aws.events" })).await;
    }

    async fn invoke(&self, work: Work, payload: Value) -> Option<Value> {
        self.functions.invoke(work, payload, self.accepted()).await
    }

    /// How many events were answered 202.
    fn accepted(&self) -> usize {
        self.accepted.lock().expect("no panic while noting").len()
    }

    /// Works whatever there is, and lets time pass, until nothing is left to do. Gives the number
    /// of steps that took.
    async fn rest(&self) -> usize {
        for step in 0..REST_STEPS_MAX {
            self.drain().await;
            let contents = Contents::read(&self.clients.dynamodb).await;
            if contents.pending.is_empty() && !self.clock.hides() {
                return step;
            }
            // To the latest of all: whoever is due earlier comes late, which is allowed.
            let now_ms = adapters::clock::now().as_ms();
            let wait_ms = contents.last_due_ms.map_or(0, |due_ms| due_ms.saturating_sub(now_ms));
            self.pass(wait_ms + REST_STEP_MS).await;
        }
        REST_STEPS_MAX
    }

    /// Works all that is visible.
    async fn drain(&self) {
        for source in &self.sources {
            let mut batches = 0;
            while self.work_a_batch(source).await {
                batches += 1;
                assert!(batches < BATCHES_MAX, "{} has no end", source.events.queue_url());
            }
        }
    }

    async fn tell(self, calm_at_ms: u64, steps: usize) -> Told {
        let contents = Contents::read(&self.clients.dynamodb).await;
        let subscribed = self.subscribed().await;
        let queued = self.queued().await;
        let accepted = self.accepted.lock().expect("no panic while noting").clone();
        let history = History {
            // Nobody subscribes while the story goes on, so nobody asks when.
            submitted: self.plan.all_events().into_iter().map(|event| (event, 0)).collect(),
            accepted,
            subscribed,
            posts: self.targets.posts(),
            dead: contents.dead,
            pending: contents.pending,
            queued,
            explained: self.explained.told(),
            calm_at_ms,
            // Time is skipped to when the last is due.
            punctual_from_ms: u64::MAX,
            attempts_max: Schedule::Patient.attempts_max(),
            slack_ms: u64::from(ATTEMPT_TIMEOUT_DEFAULT_MS),
            // One clock, and nothing that cannot be read.
            ..History::default()
        };
        let cut_off = self.functions.cut_off();
        let deliveries_cut_off =
            [Work::Events, Work::Retries].iter().filter_map(|work| cut_off.get(work)).sum();
        let killed = self.functions.killed();
        let summary = format!(
            "{} events, {killed} processes killed, work cut off {cut_off:?}, {} posts, {} of them \
             repetitions, {} dead letters, at rest after {steps} steps",
            self.plan.events,
            history.posts.len(),
            history.repetitions(),
            history.dead.len(),
        );
        self.aws.stop().await.expect("the endpoint stops");
        Told { history, killed, deliveries_cut_off, summary }
    }

    /// Who was subscribed until when. All are from the beginning.
    async fn subscribed(&self) -> BTreeMap<String, Vec<Interval>> {
        let rows = ledger::scan(&self.clients.dynamodb, "subscriptions").await;
        let interval = |row: ledger::Item| {
            let sort_key = ledger::text(&row, "sk").expect("a sort key");
            let id = sort_key.strip_prefix("SUBSCRIPTION#").expect("a subscription");
            let disabled_at =
                row.get("disabledAt").map(|at| ledger::time(Some(at)).expect("a time"));
            let until_ms = disabled_at
                .map_or(u64::MAX, |at_ms| self.clock.at(Timestamp::from_ms(at_ms)).as_ms());
            let endpoint = self.targets.endpoint(id);
            (id.to_owned(), vec![Interval { endpoint, from_ms: 0, until_ms }])
        };
        rows.into_iter().map(interval).collect()
    }

    /// Messages that somebody would still have to do something about. A wake-up that was delayed,
    /// and is or is not visible by now, has nothing to wake when nothing is pending.
    async fn queued(&self) -> usize {
        use QueueAttributeName as Of;
        let visible = Of::ApproximateNumberOfMessages;
        let in_flight = Of::ApproximateNumberOfMessagesNotVisible;
        let delayed = Of::ApproximateNumberOfMessagesDelayed;
        let counted = [
            ("events", vec![visible.clone(), in_flight.clone(), delayed]),
            ("retries", vec![in_flight]),
            ("events-dead-letter", vec![visible.clone()]),
            ("retries-dead-letter", vec![visible]),
        ];
        let mut queued = 0;
        for (queue, names) in counted {
            let url = self.aws.account().queue_url(queue);
            let get = self.clients.sqs.get_queue_attributes().queue_url(url);
            let got = get.attribute_names(Of::All).send().await.expect("a queue is asked");
            let attributes = got.attributes.expect("attributes");
            let count = |name: &Of| attributes[name].parse::<usize>().expect("a number");
            queued += names.iter().map(count).sum::<usize>();
        }
        queued
    }
}
