//! Keys are rotated while notifications are sent, by environments that see a rotation at different
//! times, to a target that keeps the key set exactly as long as it may, and looks no key up.

use std::collections::VecDeque;

use adapters::clock;
use domain::jose::{Algorithm, KeySet};
use domain::key_rotation::{KeyRecord, SigningAlgorithm, Status, Urgency, generate, rotate};
use domain::limits::{JWKS_MAX_AGE_S, KEY_OVERLAP_MS, KEY_PUBLISHED_BEFORE_MS};
use domain::time::Timestamp;
use local::aws::{Fault, Service};
use local::functions::Functions;
use serde_json::Value;
use testkit::receiver::Receiver;

use crate::{ALGORITHMS, World, deliver, key_set, keys_of, path, verifies};

const STEP_MS: u64 = 30_000;
/// A target may verify what it has taken this much later.
const LATE_MS: u64 = 20 * 60_000;

/// A target's view of the keys.
struct Target {
    /// From which environment it has its keys this time.
    asks: usize,
    keys: Option<(KeySet, Timestamp)>,
    /// What has arrived, to be verified once more when it is old.
    late: VecDeque<(Timestamp, Algorithm, String)>,
    verified: usize,
    refused: usize,
}

impl Target {
    fn new(asks: usize) -> Self {
        Self { asks, keys: None, late: VecDeque::new(), verified: 0, refused: 0 }
    }

    async fn take(&mut self, algorithm: Algorithm, token: &str, environments: &[Functions]) {
        self.verify(algorithm, token, environments).await;
        self.late.push_back((clock::now().plus_ms(LATE_MS), algorithm, token.to_owned()));
    }

    async fn verify(&mut self, algorithm: Algorithm, token: &str, environments: &[Functions]) {
        let now = clock::now();
        if self.keys.as_ref().is_none_or(|(_, until)| *until <= now) {
            self.asks = (self.asks + 1) % environments.len();
            let answer = key_set(&environments[self.asks], None).await;
            self.keys = Some((keys_of(&answer), now.plus_ms(max_age_s(&answer) * 1_000)));
        }
        let (keys, _) = self.keys.as_ref().expect("they were fetched");
        if verifies(token, algorithm, keys) { self.verified += 1 } else { self.refused += 1 }
    }

    async fn verify_late(&mut self, environments: &[Functions]) {
        while self.late.front().is_some_and(|(at, ..)| *at <= clock::now()) {
            let (_, algorithm, token) = self.late.pop_front().expect("there is one");
            self.verify(algorithm, &token, environments).await;
        }
    }
}

/// What a cache goes by.
fn max_age_s(answer: &Value) -> u64 {
    let said = answer["headers"]["cache-control"].as_str().expect("a header");
    let age = said.strip_prefix("public, max-age=").and_then(|age| age.parse().ok());
    age.expect("a number of seconds")
}

struct Load {
    world: World,
    environments: Vec<Functions>,
    targets: Vec<Target>,
    steps: usize,
}

impl Load {
    async fn start() -> Self {
        let world = World::start().await;
        let secret = world.secret();
        let mut set = secret.read().await.expect("it is read");
        for algorithm in SigningAlgorithm::ALL {
            let changes = generate(&set.records(), algorithm).expect("the first");
            let _written = set.apply(&changes, clock::now());
        }
        secret.write(&set).await.expect("it is written");
        let environments = (0..3).map(|_| world.functions()).collect();
        let targets = (0..3).map(Target::new).collect();
        Self { world, environments, targets, steps: 0 }
    }

    /// Half a minute: every environment sends something and is asked for the key set, later ones
    /// from later on, and every now and then the secret cannot be read for a minute. Targets begin
    /// one after the other too, so that nobody's five minutes are another's.
    async fn step(&mut self) {
        clock::skip_ms(STEP_MS);
        let step = self.steps;
        self.steps += 1;
        match step % 68 {
            17 => self.world.endpoint.faults().set(Fault::Down(Service::SecretsManager)),
            19 => self.world.endpoint.faults().clear_all(),
            _ => {}
        }
        let begun = |all: usize, every: usize| all.min(1 + step / every);
        for index in 0..begun(self.environments.len(), 4) {
            let functions = &self.environments[index];
            key_set(functions, None).await;
            let receiver = Receiver::start().await;
            self.world.subscribe_at(&receiver).await;
            let answer = deliver(functions, &format!("e{step}-{index}")).await;
            answer.expect("it is delivered");
            let arrived = receiver.requests();
            assert_eq!(arrived.len(), ALGORITHMS.len());
            let targets = begun(self.targets.len(), 3);
            for request in arrived {
                let is_for = |it: &Algorithm| path(*it) == request.path;
                let algorithm = ALGORITHMS.into_iter().find(is_for).expect("a path of ours");
                let token = std::str::from_utf8(&request.body).expect("text");
                for target in &mut self.targets[..targets] {
                    target.take(algorithm, token, &self.environments).await;
                }
            }
        }
        for target in &mut self.targets {
            target.verify_late(&self.environments).await;
        }
    }

    fn refused(&self) -> usize {
        self.targets.iter().map(|target| target.refused).sum()
    }

    fn verified(&self) -> usize {
        self.targets.iter().map(|target| target.verified).sum()
    }

    async fn keys(&self) -> Vec<KeyRecord> {
        self.world.secret().read().await.expect("it is read").records()
    }

    /// An operator's rotation of all keys; `false` when it is refused.
    async fn rotate(&self, urgency: Urgency) -> bool {
        let secret = self.world.secret();
        let Ok(mut set) = secret.read().await else { return false };
        let (keys, now) = (set.records(), clock::now());
        let plans = SigningAlgorithm::ALL.map(|algorithm| rotate(&keys, algorithm, urgency, now));
        let Ok(changes) = plans.into_iter().collect::<Result<Vec<_>, _>>() else { return false };
        let _written = set.apply(&changes.concat(), now);
        secret.write(&set).await.is_ok()
    }
}

fn current(keys: &[KeyRecord]) -> Vec<String> {
    let signs = keys.iter().filter(|key| key.status == Status::Current);
    signs.map(|key| key.kid.clone()).collect()
}

#[tokio::test]
async fn a_rotation_fails_no_verification() {
    let mut load = Load::start().await;
    let first = current(&load.keys().await);
    let mut rotations = 0;
    // An operator who rotates as soon as it is allowed.
    while rotations < 3 {
        load.step().await;
        rotations += usize::from(load.rotate(Urgency::Planned).await);
    }
    let steps = load.steps;
    let is_kept = load.keys().await.iter().any(|key| first.contains(&key.kid));
    // What was sent last is verified late too.
    for _ in 0..LATE_MS / STEP_MS + 2 {
        load.step().await;
    }
    assert_eq!(load.refused(), 0, "of {}", load.verified());
    assert!(is_kept, "their day is not over");
    let per_rotation = usize::try_from(KEY_PUBLISHED_BEFORE_MS / STEP_MS).expect("a number");
    assert!(steps >= 3 * per_rotation, "{steps}");

    clock::skip_ms(KEY_OVERLAP_MS);
    load.step().await;
    assert!(load.rotate(Urgency::Planned).await);
    assert!(load.keys().await.iter().all(|key| !first.contains(&key.kid)));
    for _ in 0..LATE_MS / STEP_MS + 2 {
        load.step().await;
    }
    assert_eq!(load.refused(), 0, "of {}", load.verified());
    assert!(load.verified() > 4_000, "{}", load.verified());
    load.world.stop().await;
}

/// Without it, the story above could not fail.
#[tokio::test]
async fn a_key_that_was_not_published_first_is_refused_by_the_same_target() {
    let mut load = Load::start().await;
    for _ in 0..2 * JWKS_MAX_AGE_S * 1_000 / STEP_MS {
        load.step().await;
    }
    assert_eq!(load.refused(), 0);
    // The first next key is known; the one after it is not.
    for _ in 0..2 {
        assert!(load.rotate(Urgency::Forced).await);
    }
    for _ in 0..2 * JWKS_MAX_AGE_S * 1_000 / STEP_MS {
        load.step().await;
    }
    assert!(load.refused() > 0);
    load.world.stop().await;
}
