//! A world for logins: targets that answer by script, at moments of a clock that stands still until
//! everybody waits. No runtime: the executor is a loop that moves the clock to the next timer.

mod endpoints;
mod known_good;
mod requests;
pub(super) mod sealing;
mod sleep;

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::*;
use crate::jose::signing_input;
pub(super) use endpoints::Echo;
use endpoints::Endpoints;
use known_good::KnownGood;
use requests::Requests;
use sleep::Sleep;

pub(super) const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);
pub(super) const BUDGET_MS: u32 = 1_500;
const ISSUER: &str = "https://system.example.com";

/// What a target does when it is asked.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// Answers with this action and these claims, signed.
    Answer(&'static str, Value),
    /// Answers `allow` for a key that is not its own.
    Spoilt,
    /// Answers with this status and no document.
    Status(u16),
    /// Answers well, and what reads it does not heed the deadline.
    Late(&'static str),
    /// Never answers.
    Nothing,
    /// Closes the connection before a byte.
    Reset,
    /// Closes it after some.
    Broken,
    /// Is not there at all.
    NoWay,
}

/// A question as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) target: String,
    pub(super) at_ms: u64,
    pub(super) attempt: u32,
    pub(super) connection: Connection,
    pub(super) is_sealed: bool,
    pub(super) deadline: Deadline,
}

/// The outside, by script.
pub(super) struct World {
    state: Mutex<State>,
    pair: EcdsaKeyPair,
    other: EcdsaKeyPair,
    settings: Settings,
    memory: Memory,
}

struct State {
    now: Timestamp,
    dice: u8,
    timers: Vec<(Timestamp, Waker)>,
    rows: Vec<Value>,
    scripts: BTreeMap<String, VecDeque<(u64, Says)>>,
    questions: Vec<Arrived>,
    look_up_ms: u64,
    has_signing_key: bool,
    encryption_keys: sealing::Keys,
    requests: Requests,
    known_good: KnownGood,
    endpoints: Endpoints,
}

pub(super) fn answer(action: &'static str) -> Says {
    Says::Answer(action, json!({}))
}

impl World {
    pub(super) fn new() -> Self {
        let pair = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let settings = Settings {
            issuer: Issuer::parse("https://idp.example.com").expect("valid"),
            names: EventTypeNames::default(),
            budget_ms: BUDGET_MS,
            egress: EgressPolicy::production(),
            endpoint_verification: EndpointVerification::WhereAsked,
        };
        let state = State {
            now: T0,
            dice: 0,
            timers: Vec::new(),
            rows: Vec::new(),
            scripts: BTreeMap::new(),
            questions: Vec::new(),
            look_up_ms: 0,
            has_signing_key: true,
            encryption_keys: sealing::Keys::default(),
            requests: Requests::default(),
            known_good: KnownGood::default(),
            endpoints: Endpoints::default(),
        };
        let (state, memory) = (Mutex::new(state), Memory::default());
        Self { state, pair: pair(), other: pair(), settings, memory }
    }

    /// A subscription whose target is at `https://<id>.example.com/`, with these attributes.
    pub(super) fn subscribe(&self, id: &str, patch: &Value) {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let jwks = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": "k1",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]});
        let mut row = json!({
            "sk": format!("SUBSCRIPTION#{id}"), "category": "enrich", "enabled": true,
            "endpoint": format!("https://{id}.example.com/"),
            "response": {"issuer": ISSUER, "alg": "ES256", "jwks": jwks},
        });
        let members = row.as_object_mut().expect("an object");
        members.extend(patch.as_object().expect("an object").clone());
        self.lock().rows.push(row);
    }

    /// As the above, with keys behind a URL, which cannot be had.
    pub(super) fn subscribe_without_keys(&self, id: &str, patch: &Value) {
        self.subscribe(id, patch);
        let uri = "https://keys.example.com/";
        let response = json!({"issuer": ISSUER, "alg": "ES256", "jwksUri": uri});
        self.lock().rows.last_mut().expect("a row")["response"] = response;
    }

    /// What a target does, question by question, each so long after it came. The last is repeated.
    pub(super) fn script(&self, id: &str, plays: impl IntoIterator<Item = (u64, Says)>) {
        self.lock().scripts.insert(id.to_owned(), plays.into_iter().collect());
    }

    pub(super) fn unsubscribe_all(&self) {
        self.lock().rows.clear();
    }

    pub(super) fn slow_look_up(&self, ms: u64) {
        self.lock().look_up_ms = ms;
    }

    pub(super) fn lose_signing_key(&self) {
        self.lock().has_signing_key = false;
    }

    pub(super) fn advance_ms(&self, ms: u64) {
        let mut state = self.lock();
        state.now = state.now.plus_ms(ms);
    }

    /// Waits, to be played.
    pub(super) async fn wait_ms(&self, ms: u64) {
        let at = self.now().plus_ms(ms);
        self.sleep_until(at).await;
    }

    /// The questions that have arrived, and forgets them.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.lock().questions)
    }

    /// Decides a login that has come now.
    pub(super) fn decide(&self) -> Value {
        self.decide_with(None, None)
    }

    /// Decides a login with a deadline of its caller's and one of Lambda's.
    pub(super) fn decide_with(
        &self,
        deadline: Option<Timestamp>,
        invocation: Option<Timestamp>,
    ) -> Value {
        self.play(self.login(deadline, invocation))
    }

    /// One login, as JSON, to be played.
    pub(super) async fn login(
        &self,
        deadline: Option<Timestamp>,
        invocation: Option<Timestamp>,
    ) -> Value {
        let mut body = json!({"clientId": "c1", "sub": "u1"});
        if let Some(deadline) = deadline {
            body["deadline"] = deadline.as_ms().into();
        }
        let decided = self.asked(&body, invocation).await;
        decided.unwrap_or_else(|refusal| unreachable!("{refusal:?}"))
    }

    /// What a request comes to, to be played.
    pub(super) async fn asked(
        &self,
        body: &Value,
        invocation: Option<Timestamp>,
    ) -> Result<Value, Refusal> {
        let (body, now) = (body.to_string(), self.now());
        let request = LoginRequest { body: body.as_bytes() };
        let login = request.parse(&self.settings.names, now, [1; 10]).expect("a login");
        let execution = Execution {
            invocation_deadline: invocation.map(Deadline::at),
            settings: &self.settings,
            memory: &self.memory,
            ports: self,
        };
        run(&login, execution).await.map(|decision| serde_json::to_value(decision).expect("JSON"))
    }

    /// Runs work to its end, moving the clock on whenever all of it waits.
    pub(super) fn play<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
                return value;
            }
            let mut state = self.lock();
            let next = state.timers.iter().map(|(at, _)| *at).min().expect("somebody waits");
            state.now = state.now.max(next);
            let now = state.now;
            let (due, waiting) = state.timers.drain(..).partition(|(at, _)| *at <= now);
            state.timers = waiting;
            drop(state);
            let due: Vec<(Timestamp, Waker)> = due;
            for (_, waker) in due {
                waker.wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody has panicked")
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Sleep { world: self, at }
    }

    fn token(&self, question: &Question, action: &str, claims: &Value) -> String {
        let asked = sealing::payload(question.notification.as_body());
        let said = json!({
            "iss": ISSUER, "iat": self.now().as_s(), "jti": asked["jti"], "action": action,
            "custom_claims": claims,
        });
        signed(&self.pair, &said)
    }
}

fn signed(pair: &EcdsaKeyPair, payload: &Value) -> String {
    let input = signing_input(Algorithm::Es256, "k1", "JWT", &payload.to_string());
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).expect("signs");
    Compact::assemble(input, signature.as_ref()).into_string()
}

impl Ports for World {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn dice(&self) -> [u8; 10] {
        let dice = &mut self.lock().dice;
        *dice = dice.wrapping_add(1);
        [*dice; 10]
    }

    async fn subscriptions(
        &self,
        scope: &Scope,
        deadline: Deadline,
    ) -> Result<Arc<Subscriptions>, NoSubscriptions> {
        let ready_at = self.now().plus_ms(self.lock().look_up_ms);
        self.sleep_until(ready_at.min(deadline.moment())).await;
        if ready_at > deadline.moment() {
            return Err(NoSubscriptions);
        }
        let rows = self.lock().rows.clone().into_iter();
        let rows = rows.map(|row| row.as_object().expect("an object").clone());
        Ok(Arc::new(Subscriptions::read(scope, rows, &self.settings.names)))
    }

    async fn sign(
        &self,
        algorithm: Algorithm,
        payload: &str,
        _deadline: Deadline,
    ) -> Result<Compact, NoSigningKey> {
        if !self.lock().has_signing_key {
            return Err(NoSigningKey);
        }
        let input = signing_input(algorithm, "ours", "secevent+jwt", payload);
        Ok(Compact::assemble(input, &[1, 2, 3]))
    }

    fn sealing(&self) -> &impl crate::sealing::Ports {
        self
    }

    fn endpoints(&self) -> &impl verification::Ports {
        self
    }

    async fn ask(&self, question: Question) -> Result<Reply, Silence> {
        let host = question.url.url().host_str().expect("a host").to_owned();
        let target = host.split('.').next().expect("a name").to_owned();
        let (asked_at, (after_ms, says)) = {
            let mut state = self.lock();
            let arrived = Arrived {
                target: target.clone(),
                at_ms: state.now.since_ms(T0),
                attempt: question.headers.attempt,
                connection: question.connection,
                is_sealed: sealing::is_sealed(question.notification.as_body()),
                deadline: question.deadline,
            };
            state.questions.push(arrived);
            let script = state.scripts.get_mut(&target).expect("a script");
            let next = match script.len() {
                0 | 1 => script.front().cloned().expect("something to say"),
                _ => script.pop_front().expect("something to say"),
            };
            (state.now, next)
        };
        let said_at = asked_at.plus_ms(after_ms);
        let deadline = question.deadline.moment();
        let document = |status, body: String| Reply {
            status,
            content_type: Some("application/jwt".to_owned()),
            body: Some(body.into_bytes()),
        };
        match says {
            Says::Late(action) => {
                self.sleep_until(said_at).await;
                return Ok(document(200, self.token(&question, action, &json!({}))));
            }
            Says::Nothing => {
                self.sleep_until(deadline).await;
                return Err(Silence::TimedOut);
            }
            _ => {}
        }
        self.sleep_until(said_at.min(deadline)).await;
        if said_at >= deadline {
            return Err(Silence::TimedOut);
        }
        match says {
            Says::Answer(action, claims) => {
                Ok(document(200, self.token(&question, action, &claims)))
            }
            Says::Spoilt => Ok(document(200, signed(&self.other, &json!({"action": "allow"})))),
            Says::Status(status) => Ok(document(status, String::new())),
            Says::Reset => Err(Silence::BeforeFirstByte(Box::new(question))),
            Says::Broken => Err(Silence::Broken),
            Says::NoWay => Err(Silence::NoWay),
            Says::Late(_) | Says::Nothing => unreachable!("said above"),
        }
    }

    async fn open(&self, _sealed: Sealed, _deadline: Deadline) -> Result<Vec<u8>, NotOpened> {
        Err(NotOpened::NoKey)
    }

    async fn key_set(
        &self,
        _url: &GuardedUrl,
        _wanted: WantedKey<'_>,
        _deadline: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        Err(NoKeySet)
    }

    fn once(&self) -> &impl once::Ports {
        self
    }

    fn last_known_good(&self) -> Option<&impl last_known_good::Ports> {
        self.lock().known_good.is_on.then_some(self)
    }
}
