//! That what does not verify is a block, whatever `onUnavailable` says, and that what was not heard
//! is not: whole decisions, with pinned and with fetched keys.

use std::sync::{Arc, Mutex};

use adapters::signing::SigningKeys;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{
    self, Decision, Execution, LoginRequest, Memory, NoSigningKey, NoSubscriptions, NotOpened,
    Ports, Question, Reply, Settings, Silence, last_known_good, once,
};
use domain::event_type::EventTypeNames;
use domain::jose::{Algorithm, Compact, KeySet, NoKeySet, Sealed, WantedKey, signing_input};
use domain::notification::Issuer;
use domain::scope::Scope;
use domain::subscription::{Action, EndpointVerification, Subscriptions};
use domain::time::{Deadline, Timestamp};
use domain::verification;
use serde_json::{Map, Value, json};
use testkit::answers::{AUDIENCE, ISSUER, NOW_S, REQUEST, USER, payload_with};
use testkit::world::World;

use super::{Target, targets};

const NOW: Timestamp = Timestamp::from_ms(NOW_S * 1_000);

/// An outside in which one target answers every login like this.
pub(crate) struct Outside<'a> {
    pub(crate) row: Map<String, Value>,
    status: u16,
    content_type: Option<&'a str>,
    pub(crate) body: Option<Vec<u8>>,
    key_set: Result<KeySet, NoKeySet>,
    /// What is encrypted to us is opened with these.
    pub(crate) ours: Option<&'a SigningKeys>,
    /// The deadlines of the questions that were asked.
    asked: Mutex<Vec<Deadline>>,
    /// The table of logins.
    world: World,
}

impl Outside<'_> {
    /// A target with this source of keys that says nothing wrong.
    pub(crate) fn of(target: &Target, keys: &Keys, on_unavailable: Action) -> Self {
        let alg = target.signer.algorithm().as_str();
        let mut response = json!({"issuer": ISSUER, "alg": alg});
        match keys {
            Keys::Pinned => response["jwks"] = target.signer.jwks(),
            Keys::Fetched(uri) => response["jwksUri"] = (*uri).into(),
        }
        let row = json!({
            "sk": "SUBSCRIPTION#logins", "category": "enrich", "enabled": true,
            "endpoint": "https://system.example.com/enrich", "response": response,
            "onUnavailable": on_unavailable.as_str(),
        });
        let Value::Object(row) = row else { unreachable!("written as an object") };
        let key_set = KeySet::from_json(&target.signer.jwks()).map_err(|_| NoKeySet);
        let body = Some(target.good().into_bytes());
        let (content_type, asked) = (Some("application/jwt"), Mutex::default());
        let world = World::new(1);
        Self { row, status: 200, content_type, body, key_set, ours: None, asked, world }
    }

    pub(crate) async fn decide(&self) -> Decision {
        self.decide_by(None).await.expect("a login")
    }

    /// With the caller's own deadline; `None` when the request is refused.
    async fn decide_by(&self, deadline: Option<Value>) -> Option<Decision> {
        let names = EventTypeNames::default();
        let mut body = json!({"clientId": "c1", "sub": USER, "requestId": REQUEST});
        body["deadline"] = deadline.unwrap_or_default();
        let body = body.to_string();
        let login = LoginRequest { body: body.as_bytes() }.parse(&names, NOW, [0; 10]).ok()?;
        let settings = Settings {
            issuer: Issuer::parse(AUDIENCE).expect("an issuer"),
            names,
            budget_ms: 1_500,
            egress: EgressPolicy::production(),
            endpoint_verification: EndpointVerification::WhereAsked,
        };
        let memory = Memory::default();
        let execution = Execution {
            invocation_deadline: None,
            settings: &settings,
            memory: &memory,
            ports: self,
        };
        enrich::run(&login, execution).await.ok()
    }
}

/// Where the target's keys come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    Pinned,
    Fetched(&'static str),
}

pub(crate) const SOURCES: [Keys; 2] =
    [Keys::Pinned, Keys::Fetched("https://system.example.com/jwks.json")];

impl Ports for Outside<'_> {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn dice(&self) -> [u8; 10] {
        [7; 10]
    }

    async fn subscriptions(
        &self,
        scope: &Scope,
        _: Deadline,
    ) -> Result<Arc<Subscriptions>, NoSubscriptions> {
        let rows = [self.row.clone()];
        Ok(Arc::new(Subscriptions::read(scope, rows, &EventTypeNames::default())))
    }

    async fn sign(
        &self,
        algorithm: Algorithm,
        payload: &str,
        _: Deadline,
    ) -> Result<Compact, NoSigningKey> {
        Ok(Compact::assemble(signing_input(algorithm, "ours", "secevent+jwt", payload), &[1]))
    }

    fn sealing(&self) -> &impl domain::sealing::Ports {
        &self.world
    }

    fn endpoints(&self) -> &impl verification::Ports {
        &self.world
    }

    async fn ask(&self, question: Question) -> Result<Reply, Silence> {
        self.asked.lock().expect("no panic while asking").push(question.deadline);
        let content_type = self.content_type.map(str::to_owned);
        Ok(Reply { status: self.status, content_type, body: self.body.clone() })
    }

    async fn open(&self, sealed: Sealed, _: Deadline) -> Result<Vec<u8>, NotOpened> {
        self.ours.ok_or(NotOpened::NoKey)?.open(sealed)
    }

    async fn key_set(
        &self,
        _: &GuardedUrl,
        _: WantedKey<'_>,
        _: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        self.key_set.clone().map(Arc::new)
    }

    fn once(&self) -> &impl once::Ports {
        &self.world
    }

    fn last_known_good(&self) -> Option<&impl last_known_good::Ports> {
        None::<&World>
    }
}

#[tokio::test]
async fn a_right_answer_decides_with_either_source_of_keys() {
    for target in targets() {
        for keys in SOURCES {
            let decision = Outside::of(target, &keys, Action::Block).decide().await;
            assert_eq!(decision.action, Action::Allow, "{target:?} {keys:?}");
            assert!(!decision.degraded && decision.custom_claims.contains_key("tier"));
        }
    }
}

#[tokio::test]
async fn a55_to_a78_what_does_not_verify_is_a_block_whatever_the_policy_says() {
    let header = |target: &Target, name: &str, value: Value| {
        let mut header = target.signer.header();
        header[name] = value;
        let payload = testkit::answers::payload().to_string();
        target.signer.sign_text(&header.to_string(), payload.as_bytes())
    };
    for (target, stranger) in targets().iter().zip(super::strangers()) {
        let with = |patch: Value| target.signer.sign(&payload_with(&patch));
        let cases = [
            ("token", format!("{}\n", target.good())),
            ("header", header(target, "jku", json!("https://x.example"))),
            ("typ", header(target, "typ", json!("at+jwt"))),
            ("alg", header(target, "alg", json!("none"))),
            ("key", header(target, "kid", json!("k2"))),
            ("signature", stranger.good()),
            ("payload", with(json!({"admin": true}))),
            ("iss", with(json!({"iss": [ISSUER]}))),
            ("aud", with(json!({"aud": "https://other.example.com"}))),
            ("sub", with(json!({"sub": "user-2"}))),
            ("time", with(json!({"iat": NOW_S + 61}))),
            ("binding", with(json!({"jti": "request-0"}))),
            ("action", with(json!({"action": "ALLOW"}))),
            ("custom_claims", with(json!({"custom_claims": []}))),
            ("reserved_claim", with(json!({"custom_claims": {"sub": "admin"}}))),
        ];
        for keys in SOURCES {
            for (code, body) in &cases {
                let mut outside = Outside::of(target, &keys, Action::Allow);
                outside.body = Some(body.clone().into_bytes());
                is_blocked(&outside.decide().await, code);
            }
            let mut outside = Outside::of(target, &keys, Action::Allow);
            outside.content_type = Some("text/html");
            is_blocked(&outside.decide().await, "content_type");
            let mut outside = Outside::of(target, &keys, Action::Allow);
            outside.body = None;
            is_blocked(&outside.decide().await, "too_large");
        }
    }
}

pub(crate) fn is_blocked(decision: &Decision, code: &str) {
    assert_eq!(decision.action, Action::Block, "{code}");
    assert!(decision.custom_claims.is_empty(), "{code}");
    let outcome = format!("response_invalid:{code}");
    assert_eq!(decision.targets[0].outcome, outcome);
    assert!(decision.reasons.contains(&outcome), "{:?}", decision.reasons);
}

#[tokio::test]
async fn a72_a_key_set_that_cannot_be_had_is_no_answer_and_the_policy_counts() {
    let target = &targets()[0];
    let private = [
        "https://10.0.0.1/jwks.json",
        "https://127.0.0.1/jwks.json",
        "https://[::1]/jwks.json",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f.1/jwks.json",
        "http://system.example.com/jwks.json",
        "https://user:pass@system.example.com/jwks.json",
        "file:///etc/passwd",
        "jwks.json",
    ];
    for policy in [Action::Allow, Action::Block, Action::Challenge] {
        for uri in private {
            let outside = Outside::of(target, &Keys::Fetched(uri), policy);
            is_the_policy_s(&outside.decide().await, "key_set", policy);
        }
        let mut outside = Outside::of(target, &SOURCES[1], policy);
        outside.key_set = Err(NoKeySet);
        is_the_policy_s(&outside.decide().await, "key_set", policy);
    }
    // The key set was had and has no such key: then it is the answer that is wrong.
    let mut outside = Outside::of(target, &SOURCES[1], Action::Allow);
    outside.key_set = Ok(KeySet::default());
    is_blocked(&outside.decide().await, "key");
}

#[tokio::test]
async fn a77_a_right_answer_with_another_status_is_no_answer() {
    for target in targets() {
        for status in [100, 101, 201, 202, 203, 204, 206, 301, 302, 304, 400, 401, 404, 500, 503] {
            for policy in [Action::Block, Action::Challenge, Action::Allow] {
                let mut outside = Outside::of(target, &Keys::Pinned, policy);
                outside.status = status;
                is_the_policy_s(&outside.decide().await, "status", policy);
            }
        }
    }
}

fn is_the_policy_s(decision: &Decision, why: &str, action: Action) {
    assert_eq!(decision.action, action, "{why}");
    assert!(decision.degraded && decision.custom_claims.is_empty());
    assert_eq!(decision.targets[0].outcome, why);
}

/// The caller's deadline stands in the request itself, so that garbage is the caller's mistake.
#[tokio::test]
async fn a80_a_caller_s_deadline_only_ever_shortens() {
    let target = &targets()[0];
    let now_ms = NOW.as_ms();
    let budget = Deadline::at(NOW.plus_ms(1_500));
    let soon = Deadline::at(NOW.plus_ms(700));
    for (deadline, asked_until) in [
        (json!(now_ms + 700), Some(soon)),
        (json!("2026-11-23T10:00:00.700Z"), Some(soon)),
        (json!(253_402_300_799_999_u64), Some(budget)),
        (json!("9999-12-31T23:59:59Z"), Some(budget)),
        (json!(u64::MAX), Some(budget)),
        (json!(now_ms), None),
        (json!(now_ms - 1), None),
        (json!(0), None),
        (json!("1999-12-31T23:59:59Z"), None),
    ] {
        let outside = Outside::of(target, &Keys::Pinned, Action::Block);
        let decision = outside.decide_by(Some(deadline.clone())).await.expect("a decision");
        let asked = outside.asked.into_inner().expect("no panic while asking");
        assert_eq!(asked.first().copied(), asked_until, "{deadline}");
        match asked_until {
            Some(_) => assert_eq!(decision.action, Action::Allow, "{deadline}"),
            None => is_the_policy_s(&decision, "timeout", Action::Block),
        }
    }
    for garbage in [json!("soon"), json!(-1), json!(1.5), json!([]), json!(true), json!("")] {
        let outside = Outside::of(target, &Keys::Pinned, Action::Allow);
        assert!(outside.decide_by(Some(garbage.clone())).await.is_none(), "{garbage}");
        assert!(outside.asked.into_inner().expect("no panic while asking").is_empty());
    }
}
