//! Rows of the table `subscriptions`, which people write by hand: nothing that narrows is ignored.
//!
//! An attack is a row in JSON. One that is read is held against the row: its subscription takes
//! exactly the events that the row means and sends exactly the members that it lists, by a slow
//! and simple reading of both. A complaint shows no value of the row.

use domain::event::Event;
use domain::event_type::EventTypeNames;
use domain::limits::{ATTEMPT_TIMEOUT_MAX_MS, ATTEMPT_TIMEOUT_MIN_MS, ENDPOINT_URL_BYTES_MAX};
use domain::notification::{Issuer, payload};
use domain::scope::Scope;
use domain::subscription::{EndpointVerification, Format, Subscription};
use domain::verification::Verification;
use serde_json::{Map, Value, json};
use testkit::answers::fuzz::Broken;
use testkit::samples;

use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct SubscriptionRow {
    corpus: Corpus,
    names: EventTypeNames,
    issuer: Issuer,
    events: Vec<Event>,
}

/// A value that no complaint may show.
const SECRET: &str = "kept-to-ourselves";

const WORDS: [&str; 76] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "7",
    "12",
    "13",
    "499",
    "500",
    "15000",
    "15001",
    "1.5",
    "-1",
    "1e3",
    "{}",
    "[]",
    "[null]",
    r#""""#,
    r#""sk""#,
    r#""SUBSCRIPTION#s2""#,
    r#""pk""#,
    r#""CLIENT#c1""#,
    r#""PROPERTY#p1""#,
    r#""category""#,
    r#""user_data_change""#,
    r#""transactional_email""#,
    r#""enrich""#,
    r#""endpoint""#,
    r#""https://t.example/?k=kept-to-ourselves""#,
    r#""enabled""#,
    r#""troubledAt""#,
    r#""eventTypes""#,
    r#""userCreated""#,
    r#""userDeleted""#,
    r#""userUpdated""#,
    r#""login""#,
    r#""registration""#,
    r#""filter""#,
    r#""changedAttributes""#,
    r#""match""#,
    r#""attribute""#,
    r#""anyOf""#,
    r#""noneOf""#,
    r#""fields""#,
    r#""email""#,
    r#""user""#,
    r#""user.email""#,
    r#""user.name.given""#,
    r#""plan.level""#,
    r#""country""#,
    r#""DE""#,
    r#""dataSourceInfo""#,
    r#""dataSourceInfo.attributes""#,
    r#""a..b""#,
    r#""format""#,
    r#""set""#,
    r#""standard_webhooks""#,
    r#""signingAlg""#,
    r#""ES256""#,
    r#""EdDSA""#,
    r#""encryptionJwk""#,
    r#""encryptionJwksUri""#,
    r#""retry""#,
    r#""timeoutMs""#,
    r#""attemptsMax""#,
    r#""webhookSecrets""#,
    r#""expiresAt""#,
    r#""response""#,
    r#""issuer""#,
    r#""onUnavailable""#,
    r#""allow""#,
    r#""lastKnownGood""#,
    r#""kept-to-ourselves""#,
    r#""priority""#,
    ",",
];

impl SubscriptionRow {
    pub(super) fn new() -> Self {
        let events = [
            (
                "userUpdated",
                json!({"dataSourceInfo": {"attributes": ["email", "name.given"]}, "country": "DE"}),
            ),
            (
                "userUpdated",
                json!({"user": {"email": "a@b.c", "country": ["FR", "DE"], "name": {"given": "A"}}}),
            ),
            (
                "userCreated",
                json!({"plan": {"level": 7}, "user": {"plan": {"level": true}}, "email": "x"}),
            ),
            ("userDeleted", json!({})),
            ("registration", json!({"user": {"email": "a@b.c"}, "country": "DE"})),
            ("login", json!({"ip": "1.2.3.4", "user": {"email": "a@b.c"}, "plan": {"level": 1}})),
        ];
        Self {
            corpus: Corpus::new(seeds(), WORDS),
            names: EventTypeNames::default(),
            issuer: Issuer::parse("https://idp.example.com").expect("an issuer"),
            events: events.iter().map(|(kind, data)| event(kind, data)).collect(),
        }
    }
}

fn seeds() -> Vec<String> {
    let plain = json!({
        "pk": "PROPERTY#p1", "sk": "SUBSCRIPTION#s1", "category": "user_data_change",
        "endpoint": format!("https://target.example.com/hook?token={SECRET}"), "enabled": true,
    });
    let with = |more: Value| {
        let mut row = plain.clone();
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        row.to_string()
    };
    let mail =
        json!({"pk": "CLIENT#c1", "category": "transactional_email", "fields": ["user.email"]});
    let response = json!({"issuer": "i", "alg": "ES256", "jwksUri": "https://t.example/jwks"});
    let login = json!({
        "pk": "CLIENT#c1", "category": "enrich", "response": response, "timeoutMs": 900,
        "onUnavailable": {"timeout": "allow", "key_set": "block"}, "priority": 7,
        "lastKnownGood": {"maxAgeSeconds": 60},
    });
    let secret = json!({"ciphertext": "AQID", "dataKey": "BAUG", "createdAt": 1});
    vec![
        with(json!({})),
        with(json!({"enabled": false})),
        with(json!({"eventTypes": ["userCreated", "userDeleted"]})),
        with(json!({"eventTypes": ["login"]})),
        with(json!({"filter": {"changedAttributes": ["email"]}})),
        with(json!({"filter": {"match": [{"attribute": "country", "anyOf": ["DE", 7]}]}})),
        with(json!({"filter": {"match": [{"attribute": "plan.level", "anyOf": [true, 7]}]}})),
        with(json!({"filter": {"changed": ["email"]}})),
        with(json!({"fields": ["user.email", "dataSourceInfo", "user.name.given"]})),
        with(json!({"fields": []})),
        with(json!({"retry": {"timeoutMs": 500, "attemptsMax": 12}, "troubledAt": 1})),
        with(json!({"signingAlg": "ES256", "format": "set"})),
        with(json!({"signingAlg": "HS256"})),
        with(json!({"format": "standard_webhooks", "webhookSecrets": [secret]})),
        with(json!({"webhookSecrets": SECRET})),
        with(json!({"encryptionJwk": {"kty": "EC", "x": SECRET}})),
        with(mail),
        with(login),
        "{}".to_owned(),
    ]
}

fn event(kind: &str, data: &Value) -> Event {
    let is_of_client = matches!(kind, "registration" | "login");
    let event = json!({
        "id": "e1", "type": kind, "source": "next_identity", "occurredAt": 1, "acceptedAt": 2,
        "scope": if is_of_client { "CLIENT#c1" } else { "PROPERTY#p1" },
        "propertyId": "p1", "clientId": "c1", "sub": "u1", "data": data,
    });
    serde_json::from_str(&event.to_string()).expect("an event")
}

impl Target for SubscriptionRow {
    fn name(&self) -> &'static str {
        "subscription_row"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let Ok(row) = serde_json::from_slice::<Map<String, Value>>(octets) else {
            return Ok("no row".into());
        };
        let scope = row.get("pk").and_then(Value::as_str).unwrap_or_default().to_owned();
        let scope = Scope::try_from(scope).unwrap_or_else(|_| samples::property());
        let subscription = match Subscription::read(&scope, row.clone(), &self.names) {
            Ok(subscription) => subscription,
            Err(problem) => {
                must(!problem.to_string().contains(SECRET), "a complaint shows a value")?;
                return Ok(format!("refused: {}", problem.attribute).into());
            }
        };
        must(subscription.scope == scope, "another's scope")?;
        check_plain(&row, &subscription)?;
        for event in &self.events {
            let is_meant = self.means(&row, &subscription, event)?;
            must(subscription.matches(event) == is_meant, "it takes other events than it says")?;
            self.check_fields(&row, &subscription, event)?;
        }
        Ok(format!("taken: {}", subscription.category.as_str()).into())
    }
}

/// What stands in a row, where a `NULL` does not.
fn said<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    row.get(name).filter(|value| !value.is_null())
}

/// Attributes that are taken as they are.
fn check_plain(row: &Map<String, Value>, subscription: &Subscription) -> Result<(), Broken> {
    must(said(row, "enabled") == Some(&json!(subscription.enabled)), "enabled")?;
    must(said(row, "endpoint") == Some(&json!(subscription.endpoint)), "endpoint")?;
    must(subscription.endpoint.len() <= ENDPOINT_URL_BYTES_MAX, "an endpoint beyond its limit")?;
    must(said(row, "sk") == Some(&json!(subscription.sort_key())), "sk")?;
    must(said(row, "category") == Some(&json!(subscription.category.as_str())), "category")?;
    let algorithm = said(row, "signingAlg");
    let is_default = algorithm.is_none()
        || *algorithm.unwrap_or(&Value::Null) == subscription.signing_algorithm.as_str();
    must(is_default, "signed by another algorithm than it says")?;
    let format = match subscription.format {
        Format::Set => "set",
        Format::StandardWebhooks => "standard_webhooks",
    };
    must(
        said(row, "format").map_or("set", |it| it.as_str().unwrap_or_default()) == format,
        "format",
    )?;
    must(
        said(row, "webhookSecrets").is_some() != subscription.webhook_secrets.is_empty(),
        "secrets",
    )?;
    let is_encrypted = ["encryptionJwk", "encryptionJwksUri"].map(|name| said(row, name).is_some());
    must(
        is_encrypted.contains(&true) == subscription.encryption.is_some(),
        "in the clear where a key is named",
    )?;
    must(is_encrypted != [true, true], "two keys to encrypt to")?;
    let verification = subscription.verification(EndpointVerification::UnlessOptedOut);
    let is_waived = said(row, "verification") == Some(&json!("none"));
    must(is_waived == (verification == Verification::NotNeeded), "verification")?;
    let retry = said(row, "retry").and_then(Value::as_object).cloned().unwrap_or_default();
    let most = said(&retry, "attemptsMax").and_then(Value::as_u64);
    must(most == subscription.retry.attempts_max.map(u64::from), "attemptsMax")?;
    let timeout_ms = subscription.retry.timeout_ms;
    must(said(&retry, "timeoutMs").is_none_or(|it| *it == timeout_ms), "timeoutMs")?;
    let bounds = ATTEMPT_TIMEOUT_MIN_MS..=ATTEMPT_TIMEOUT_MAX_MS;
    must(bounds.contains(&timeout_ms), "a time-out out of bounds")
}

impl SubscriptionRow {
    /// Whether the row means this event.
    fn means(
        &self,
        row: &Map<String, Value>,
        subscription: &Subscription,
        event: &Event,
    ) -> Result<bool, Broken> {
        let is_of_it = said(row, "enabled") == Some(&Value::Bool(true))
            && subscription.scope == event.scope
            && said(row, "category") == Some(&json!(event.kind.category().as_str()));
        let is_of_type = match said(row, "eventTypes") {
            None => true,
            Some(Value::Array(texts)) => {
                let is_it = |text: &Value| {
                    text.as_str().and_then(|text| self.names.parse(text)) == Some(event.kind)
                };
                texts.iter().any(is_it)
            }
            Some(_) => return broken("eventTypes that are no list"),
        };
        let Some(filter) = said(row, "filter") else { return Ok(is_of_it && is_of_type) };
        let known = ["changedAttributes", "match"];
        let Some(filter) = filter.as_object() else { return broken("a filter that is no map") };
        must(filter.keys().all(|name| known.contains(&name.as_str())), "a filter beyond us")?;
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        let list = |name: &str| said(filter, name).and_then(Value::as_array).cloned();
        let (changed, clauses) = (list("changedAttributes"), list("match"));
        Ok(is_of_it
            && is_of_type
            && changed.is_none_or(|names| names.is_empty() || has_changed(&names, &data))
            && clauses.unwrap_or_default().iter().all(|clause| is_met(clause, &data)))
    }

    /// Only what `fields` lists leaves, and the identifiers.
    fn check_fields(
        &self,
        row: &Map<String, Value>,
        subscription: &Subscription,
        event: &Event,
    ) -> Result<(), Broken> {
        let Some(paths) = said(row, "fields") else { return Ok(()) };
        let Some(paths) = paths.as_array() else { return broken("fields that are no list") };
        let sent = payload(event, subscription, &self.issuer, &self.names);
        let Ok(sent) = serde_json::from_str::<Value>(&sent) else { return broken("no JSON") };
        let sent = sent["events"].as_object().and_then(|all| all.values().next().cloned());
        let mut leaves = Vec::new();
        leaves_of(&sent.unwrap_or_default(), String::new(), &mut leaves);
        let is_listed = |leaf: &String| {
            paths.iter().filter_map(Value::as_str).any(|path| {
                let below = leaf.strip_prefix(path);
                below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
            })
        };
        let identifiers = ["sub", "propertyId", "clientId"];
        let is_fit = |leaf: &String| identifiers.contains(&leaf.as_str()) || is_listed(leaf);
        must(leaves.iter().all(is_fit), "a member leaves that is not listed")
    }
}

fn has_changed(names: &[Value], data: &Value) -> bool {
    let changed = data["dataSourceInfo"]["attributes"].as_array().cloned().unwrap_or_default();
    changed.iter().filter_map(Value::as_str).any(|changed| {
        let is_it = |name: &str| changed == name || changed.starts_with(&format!("{name}."));
        names.iter().filter_map(Value::as_str).any(is_it)
    })
}

fn is_met(clause: &Value, data: &Value) -> bool {
    let path = clause["attribute"].as_str().unwrap_or_default();
    let pointer = format!("/{}", path.replace('~', "~0").replace('/', "~1").replace('.', "/"));
    // A path leads through objects alone.
    let at = |from: &Value| {
        let through = pointer.rsplit_once('/').map_or("", |(through, _)| through);
        from.pointer(through).filter(|it| it.is_object())?;
        from.pointer(&pointer).cloned()
    };
    let Some(found) = at(data).or_else(|| at(data.get("user")?)) else { return false };
    let any_of = clause["anyOf"].as_array().cloned().unwrap_or_default();
    match found {
        Value::Array(elements) => elements.iter().any(|element| any_of.contains(element)),
        value => any_of.contains(&value),
    }
}

/// The paths of everything in a value that is no object.
fn leaves_of(value: &Value, path: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, below) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves_of(below, path, leaves);
            }
        }
        _ => leaves.push(path),
    }
}
