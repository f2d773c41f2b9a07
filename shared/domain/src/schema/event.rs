//! The schema of an event, as it is posted to `/v1/events`.

use serde_json::{Value, json};

use super::{DRAFT, name, token};
use crate::event_type::{Category, DataSet, EventType, EventTypeNames};
use crate::limits::{ID_BYTES_MAX, REQUEST_EVENTS_MAX, SUB_BYTES_MAX};

/// The schema of a request's body: one event, or an array of them.
#[must_use]
pub fn event(names: &EventTypeNames) -> Value {
    let rules: Vec<Value> = EventType::ALL.iter().map(|kind| rule(*kind, names)).collect();
    let types: Vec<&str> = EventType::ALL.iter().flat_map(|kind| texts(*kind, names)).collect();
    let one = json!({
        "type": "object",
        "required": ["type"],
        "additionalProperties": false,
        "properties": {
            "id": token("yours, the same when you post it again; assigned where it is missing"),
            "type": {"enum": types},
            "occurredAt": moment("when it happened; now, where it is missing"),
            "propertyId": name(ID_BYTES_MAX, "the property"),
            "clientId": name(ID_BYTES_MAX, "the client ID"),
            "sub": name(SUB_BYTES_MAX, "the end user"),
            "data": {"type": "object", "description": "what there is to say; other members are kept"},
        },
        "allOf": rules,
    });
    json!({
        "$schema": DRAFT,
        "title": "What is posted to /v1/events",
        "oneOf": [
            {"$ref": "#/$defs/event"},
            {
                "type": "array", "minItems": 1, "maxItems": REQUEST_EVENTS_MAX,
                "items": {"$ref": "#/$defs/event"},
            },
        ],
        "$defs": {"event": one},
    })
}

fn texts(kind: EventType, names: &EventTypeNames) -> [&str; 2] {
    let uri = names.uri(kind);
    [uri, uri.rsplit('/').next().unwrap_or(uri)]
}

/// What a type needs, and the shape of what it is known to say.
fn rule(kind: EventType, names: &EventTypeNames) -> Value {
    let required: &[&str] = match kind.category() {
        Category::UserDataChange => &["propertyId", "sub"],
        Category::TransactionalEmail => &["clientId"],
        Category::Enrich => &["clientId", "sub"],
    };
    json!({
        "if": {"properties": {"type": {"enum": texts(kind, names)}}, "required": ["type"]},
        "then": {"required": required, "properties": {"data": {"properties": data(kind)}}},
    })
}

fn data(kind: EventType) -> Value {
    let user = strings(&["email", "phoneNumber", "givenName", "familyName", "locale"]);
    let text = json!({"type": "string"});
    match kind.data_set() {
        DataSet::DataChange => {
            let names =
                ["captureApplicationId", "captureClientId", "entityType", "globalSub", "sub"];
            let mut info = strings(&names);
            info["properties"]["attributes"] =
                json!({"type": "array", "items": {"type": "string"}});
            json!({"dataSourceInfo": info})
        }
        DataSet::Email => json!({"user": user}),
        DataSet::EmailWithLink => {
            let mut verification = strings(&["url", "channel"]);
            verification["properties"]["expiresAt"] = moment("until when the link is good");
            json!({"user": user, "verification": verification})
        }
        DataSet::Login => {
            json!({"ip": text, "userAgent": text, "authMethod": text, "user": user})
        }
    }
}

fn strings(names: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    json!({"type": "object", "properties": properties})
}

fn moment(description: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": description})
}
