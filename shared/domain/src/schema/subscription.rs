//! The schema of a subscription: as a definition in a file, and as a row of the table.

use serde_json::{Map, Value, json};

use super::{DRAFT, name, token};
use crate::event_type::{Category, EventType, EventTypeNames};
use crate::jose::{Algorithm, CONTENT_ENCRYPTION, KeyEncryption};
use crate::limits::{
    ATTEMPT_TIMEOUT_MAX_MS, ATTEMPT_TIMEOUT_MIN_MS, ENDPOINT_URL_BYTES_MAX, ENRICH_BUDGET_MAX_MS,
    ENRICH_BUDGET_MIN_MS, FIELD_PATH_BYTES_MAX, FIELDS_MAX, FILTER_CLAUSES_MAX, FILTER_VALUES_MAX,
    ID_BYTES_MAX, LAST_KNOWN_GOOD_MAX_AGE_MAX_S, LAST_KNOWN_GOOD_MAX_AGE_MIN_S,
};
use crate::subscription::Action;
use crate::subscription::attributes::OWNED;

/// The schema of a definition, as `workflows subscriptions put` reads it.
#[must_use]
pub fn definition(names: &EventTypeNames) -> Value {
    let mut properties = attributes();
    properties.insert("property".to_owned(), name(ID_BYTES_MAX, "whose events: of this property"));
    properties.insert("client".to_owned(), name(ID_BYTES_MAX, "whose events: of this client ID"));
    properties.insert("id".to_owned(), token("unique within its property or client"));
    let mut rules = rules(names);
    let of_logins = OWNED.iter().filter(|attribute| attribute.is_of_logins);
    let absent: Map<String, Value> =
        of_logins.map(|attribute| (attribute.name.to_owned(), json!(false))).collect();
    rules.push(when_category(
        &[Category::UserDataChange, Category::TransactionalEmail],
        &json!({"properties": absent}),
    ));
    rules.push(when_category(
        &[Category::UserDataChange],
        &json!({"required": ["property"], "properties": {"client": false}}),
    ));
    rules.push(when_category(
        &[Category::TransactionalEmail, Category::Enrich],
        &json!({"required": ["client"], "properties": {"property": false}}),
    ));
    json!({
        "$schema": DRAFT,
        "title": "A subscription, as its owner defines it in a file",
        "type": "object",
        "required": ["id", "category", "endpoint"],
        "additionalProperties": false,
        "properties": properties,
        "allOf": rules,
    })
}

/// The schema of a row of the table `subscriptions`, as plain JSON.
#[must_use]
pub fn row(names: &EventTypeNames) -> Value {
    let mut properties = attributes();
    let pk = format!("^(PROPERTY|CLIENT)#[!-\"$-~]{{1,{ID_BYTES_MAX}}}$");
    let sk = "^SUBSCRIPTION#[A-Za-z0-9_-]{1,64}$";
    properties.insert("pk".to_owned(), json!({"type": "string", "pattern": pk}));
    properties.insert("sk".to_owned(), json!({"type": "string", "pattern": sk}));
    let mut rules = rules(names);
    for (categories, prefix) in [
        (&[Category::UserDataChange][..], "^PROPERTY#"),
        (&[Category::TransactionalEmail, Category::Enrich], "^CLIENT#"),
    ] {
        let prefix = json!({"properties": {"pk": {"pattern": prefix}}});
        rules.push(when_category(categories, &prefix));
    }
    json!({
        "$schema": DRAFT,
        "title": "A row of the table subscriptions",
        "description": "Attributes that are not listed are let be.",
        "type": "object",
        "required": ["pk", "sk", "category", "endpoint", "enabled"],
        "properties": properties,
        "allOf": rules,
    })
}

fn attributes() -> Map<String, Value> {
    OWNED.iter().map(|attribute| (attribute.name.to_owned(), schema_of(attribute.name))).collect()
}

fn categories() -> [&'static str; 3] {
    [Category::UserDataChange, Category::TransactionalEmail, Category::Enrich].map(Category::as_str)
}

/// The schema of an attribute. One that is missing here allows nothing, which a test notices.
fn schema_of(name: &str) -> Value {
    match name {
        "category" => json!({"enum": categories(), "description": "which events"}),
        "endpoint" => url("where notifications go: https, port 443, a public address"),
        "enabled" => json!({"type": "boolean", "description": "whether it is served at all"}),
        "description" => json!({"description": "for its owner"}),
        "eventTypes" => json!({
            "type": "array", "minItems": 1, "items": {"type": "string"},
            "description": "only these event types of the category",
        }),
        "filter" => filter(),
        "fields" => json!({
            "type": "array", "maxItems": FIELDS_MAX, "items": path(),
            "description": "which members of data are sent, such as user.email; none when empty",
        }),
        "format" => json!({
            "enum": ["set", "standard_webhooks"],
            "description": "a Security Event Token (RFC 8417), or plain JSON signed in a header",
        }),
        "signingAlg" => json!({
            "enum": ["ES256", "RS256", "EdDSA"],
            "description": "what tokens are signed with; else ES256",
        }),
        "encryptionJwk" => json!({
            "type": "object", "required": ["kty"],
            "properties": {"kty": {"enum": ["EC", "RSA"]}, "use": {"const": "enc"}, "d": false},
            "description": "a public JWK that notifications are encrypted to: P-256 or RSA",
        }),
        "encryptionJwksUri" => url("where the public key is that notifications are encrypted to"),
        "verification" => json!({
            "enum": ["required", "none"],
            "description": "whether the endpoint must echo a challenge before its first event",
        }),
        "retry" => map(&json!({
            "timeoutMs": whole((ATTEMPT_TIMEOUT_MIN_MS, ATTEMPT_TIMEOUT_MAX_MS), "one attempt"),
            "attemptsMax": whole((1, 12), "in all"),
        })),
        "response" => response(),
        "lastKnownGood" => {
            let range = (LAST_KNOWN_GOOD_MAX_AGE_MIN_S, LAST_KNOWN_GOOD_MAX_AGE_MAX_S);
            let mut wish = map(&json!({"maxAgeSeconds": whole(range, "how old claims may be")}));
            wish["required"] = json!(["maxAgeSeconds"]);
            wish
        }
        "priority" => whole((0, 1_000_000), "whose claims win: the lower number; else 100"),
        "timeoutMs" => whole((ENRICH_BUDGET_MIN_MS, ENRICH_BUDGET_MAX_MS), "a login's time"),
        "onUnavailable" => on_unavailable(),
        _ => json!(false),
    }
}

fn url(description: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": ENDPOINT_URL_BYTES_MAX,
        "description": description,
    })
}

fn path() -> Value {
    json!({
        "type": "string", "maxLength": FIELD_PATH_BYTES_MAX, "pattern": r"^[^.]+(\.[^.]+)*$",
    })
}

fn whole((least, most): (u32, u32), description: &str) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most, "description": description})
}

fn map(properties: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn filter() -> Value {
    let value = json!({"anyOf": [
        {"type": "string", "maxLength": FIELD_PATH_BYTES_MAX},
        {"type": ["number", "boolean"]},
    ]});
    let clause = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["attribute", "anyOf"],
        "properties": {
            "attribute": path(),
            "anyOf": {
                "type": "array", "minItems": 1, "maxItems": FILTER_VALUES_MAX, "items": value,
            },
        },
    });
    map(&json!({
        "changedAttributes": {
            "type": "array", "maxItems": FILTER_VALUES_MAX,
            "items": {"type": "string", "minLength": 1, "maxLength": FIELD_PATH_BYTES_MAX},
            "description": "one of these, or something beneath it, has changed",
        },
        "match": {
            "type": "array", "maxItems": FILTER_CLAUSES_MAX, "items": clause,
            "description": "each of these attributes has one of its values",
        },
    }))
}

fn response() -> Value {
    let algorithms = Algorithm::ALL.map(Algorithm::as_str);
    let key_encryptions = KeyEncryption::CHOICES.map(|(name, _)| name);
    let mut encryption =
        map(&json!({"alg": {"enum": key_encryptions}, "enc": {"const": CONTENT_ENCRYPTION}}));
    encryption["required"] = json!(["alg"]);
    encryption["description"] = json!("how answers are encrypted to us, where they are");
    let mut response = map(&json!({
        "issuer": {"type": "string", "minLength": 1, "description": "the answers' iss"},
        "alg": {"enum": algorithms, "description": "the one algorithm of the answers"},
        "jwks": {"type": ["object", "string"], "description": "the public keys: a JWK set"},
        "jwksUri": {
            "type": "string", "maxLength": ENDPOINT_URL_BYTES_MAX,
            "description": "where the public keys are",
        },
        "binding": {
            "enum": ["required", "optional"],
            "description": "whether answers must repeat the question's jti; else required",
        },
        "encryption": encryption,
    }));
    response["required"] = json!(["issuer", "alg"]);
    response["oneOf"] = json!([{"required": ["jwks"]}, {"required": ["jwksUri"]}]);
    response["description"] = json!("how answers to logins prove themselves");
    response
}

fn on_unavailable() -> Value {
    let action = json!({"enum": Action::CHOICES.map(|(name, _)| name)});
    let reasons = OWNED.iter().filter(|attribute| attribute.name == "onUnavailable");
    let reasons = reasons.flat_map(|attribute| attribute.members);
    let reasons: Map<String, Value> =
        reasons.map(|reason| ((*reason).to_owned(), action.clone())).collect();
    let by_reason = map(&Value::Object(reasons));
    json!({
        "anyOf": [action, by_reason],
        "description": "what counts when the target does not answer; challenge where nothing is said",
    })
}

/// What depends on the category.
fn rules(names: &EventTypeNames) -> Vec<Value> {
    let types_of = |category: Category| {
        let of_category = EventType::ALL.iter().filter(|kind| kind.category() == category);
        let texts: Vec<&str> = of_category
            .flat_map(|kind| {
                let uri = names.uri(*kind);
                [uri, uri.rsplit('/').next().unwrap_or(uri)]
            })
            .collect();
        json!({"properties": {"eventTypes": {"items": {"enum": texts}}}})
    };
    let all = [Category::UserDataChange, Category::TransactionalEmail, Category::Enrich];
    let mut rules: Vec<Value> =
        all.into_iter().map(|category| when_category(&[category], &types_of(category))).collect();
    rules.push(when_category(
        &[Category::Enrich],
        &json!({"required": ["response"], "properties": {"format": {"const": "set"}}}),
    ));
    let keys = ["encryptionJwk", "encryptionJwksUri"].map(|key| json!({"required": [key]}));
    rules.push(json!({
        "if": {"anyOf": keys},
        "then": {"not": {"allOf": keys}, "properties": {"format": {"const": "set"}}},
    }));
    rules.push(when_category(
        &[Category::TransactionalEmail, Category::Enrich],
        &json!({"properties": {"filter": {"properties": {"changedAttributes": {"maxItems": 0}}}}}),
    ));
    rules
}

/// A rule that holds for these categories.
fn when_category(categories: &[Category], then: &Value) -> Value {
    let names: Vec<&str> = categories.iter().map(|category| category.as_str()).collect();
    json!({
        "if": {"properties": {"category": {"enum": names}}, "required": ["category"]},
        "then": then,
    })
}
