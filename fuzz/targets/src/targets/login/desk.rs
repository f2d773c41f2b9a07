//! The outside of logins under attack: for each client a target that says what is known beforehand.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{
    NoSigningKey, NoSubscriptions, NotOpened, Ports, Question, Reply, Settings, Silence,
    last_known_good, once,
};
use domain::event_type::EventTypeNames;
use domain::id::ClientId;
use domain::jose::{Algorithm, Compact, KeySet, NoKeySet, Sealed, WantedKey, signing_input};
use domain::limits::ENRICH_BUDGET_MAX_MS;
use domain::notification::Issuer;
use domain::scope::Scope;
use domain::subscription::{EndpointVerification, Subscriptions};
use domain::time::{Deadline, Timestamp};
use domain::{sealing, verification};
use serde_json::{Value, json};
use testkit::answers::{AUDIENCE, ISSUER, NOW_S, Signer};
use testkit::world::World;

/// The clients that have a target. Another client has none, and its logins are let in.
const CLIENTS: [&str; 5] =
    ["demo-client", "block-client", "challenge-client", "kept-client", "large-client"];

/// The client whose subscriptions cannot be read.
const DOWN: &str = "down-client";

/// Whether logins of a client may be let in.
pub(super) fn is_allowed(client: &str) -> bool {
    !["block-client", "challenge-client", DOWN].contains(&client)
}

/// The claims that go with that.
pub(super) fn claims_of(client: &str) -> Value {
    match client {
        "demo-client" => json!({"tier": "gold", "beta": true}),
        // One that Cognito keeps for itself.
        "kept-client" => json!({"tier": "gold", "cognito:groups": ["admins"]}),
        // More than Entra takes.
        "large-client" => {
            let text = "x".repeat(1_000);
            json!({"a": text, "b": text, "c": text, "d": text})
        }
        _ => json!({}),
    }
}

/// What all logins have in common.
pub(super) struct Office {
    settings: Settings,
    signer: Signer,
    subscriptions: BTreeMap<String, Arc<Subscriptions>>,
}

impl Office {
    pub(super) fn new() -> Self {
        let signer = Signer::new(Algorithm::EdDsa, "k1");
        let names = EventTypeNames::default();
        let of_client = |client: &str| {
            let scope = Scope::Client(ClientId::parse(client).expect("an ID"));
            let row = json!({
                "sk": "SUBSCRIPTION#s1", "category": "enrich", "enabled": true,
                "endpoint": format!("https://{client}.example.com/"),
                "onUnavailable": "challenge",
                "response": {
                    "issuer": ISSUER, "alg": "EdDSA", "jwks": signer.jwks(), "binding": "optional",
                },
            });
            let row = row.as_object().cloned();
            (scope.key(), Arc::new(Subscriptions::read(&scope, row, &names)))
        };
        let subscriptions = CLIENTS.into_iter().map(of_client).collect();
        let settings = Settings {
            issuer: Issuer::parse(AUDIENCE).expect("an issuer"),
            names: names.clone(),
            budget_ms: ENRICH_BUDGET_MAX_MS,
            egress: EgressPolicy::production(),
            endpoint_verification: EndpointVerification::WhereAsked,
        };
        Self { settings, signer, subscriptions }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Where one login is decided, with a world of its own behind it.
pub(super) struct Desk<'a> {
    office: &'a Office,
    world: World,
}

impl<'a> Desk<'a> {
    pub(super) fn open(office: &'a Office) -> Self {
        Self { office, world: World::new(1) }
    }
}

impl Ports for Desk<'_> {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(NOW_S * 1_000)
    }

    fn dice(&self) -> [u8; 10] {
        [7; 10]
    }

    async fn subscriptions(
        &self,
        scope: &Scope,
        _deadline: Deadline,
    ) -> Result<Arc<Subscriptions>, NoSubscriptions> {
        let key = scope.key();
        if key.ends_with(DOWN) {
            return Err(NoSubscriptions);
        }
        Ok(self.office.subscriptions.get(&key).cloned().unwrap_or_default())
    }

    async fn sign(
        &self,
        algorithm: Algorithm,
        payload: &str,
        _deadline: Deadline,
    ) -> Result<Compact, NoSigningKey> {
        let input = signing_input(algorithm, "desk", "secevent+jwt", payload);
        Ok(Compact::assemble(input, b"signed at the desk"))
    }

    fn sealing(&self) -> &impl sealing::Ports {
        &self.world
    }

    fn endpoints(&self) -> &impl verification::Ports {
        &self.world
    }

    async fn ask(&self, question: Question) -> Result<Reply, Silence> {
        let host = question.url.url().host_str().unwrap_or_default().to_owned();
        let client = host.split('.').next().unwrap_or_default();
        let action = match client {
            "block-client" => "block",
            "challenge-client" => "challenge",
            _ => "allow",
        };
        let answer = self.office.signer.sign(&json!({
            "iss": ISSUER, "iat": NOW_S, "action": action, "custom_claims": claims_of(client),
        }));
        let content_type = Some("application/jwt".to_owned());
        Ok(Reply { status: 200, content_type, body: Some(answer.into_bytes()) })
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
        &self.world
    }

    fn last_known_good(&self) -> Option<&impl last_known_good::Ports> {
        None::<&World>
    }
}
