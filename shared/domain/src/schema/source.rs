//! The schema of a source, as a definition in a file.

use serde_json::{Map, Value, json};

use super::{DRAFT, name};
use crate::limits::{ENDPOINT_URL_BYTES_MAX, ID_BYTES_MAX, SOURCE_NAMES_MAX};
use crate::source::AkamaiSource;

/// The schema of a definition, as `workflows sources put` reads it.
#[must_use]
pub fn source() -> Value {
    let mut properties: Map<String, Value> =
        AkamaiSource::OWNED.iter().map(|name| ((*name).to_owned(), schema_of(name))).collect();
    let application = name(ID_BYTES_MAX, "the captureApplicationId of its events");
    properties.insert("application".to_owned(), application);
    json!({
        "$schema": DRAFT,
        "title": "An application of Akamai Identity Cloud, as its owner defines it in a file",
        "type": "object",
        "required": ["application", "propertyId", "issuer"],
        "additionalProperties": false,
        "properties": properties,
        "oneOf": [{"required": ["jwks"]}, {"required": ["jwksUri"]}],
    })
}

/// The schema of an attribute. One that is missing here allows nothing, which a test notices.
fn schema_of(attribute: &str) -> Value {
    match attribute {
        "propertyId" => name(ID_BYTES_MAX, "the property that its users belong to"),
        "clientId" => name(ID_BYTES_MAX, "the client ID that its events get"),
        "issuer" => names("the iss of its tokens, to the letter"),
        "audience" => names("the listener's URL as it is registered; else the one posted to"),
        "entityTypes" => names("which entity types are end users; else user"),
        "enabled" => json!({"type": "boolean", "description": "whether its events are taken in"}),
        "description" => json!({"description": "for its owner"}),
        "jwks" => json!({
            "type": ["object", "string"],
            "description": "its public keys: a JWK set with one for RS256",
        }),
        "jwksUri" => json!({
            "type": "string", "maxLength": ENDPOINT_URL_BYTES_MAX,
            "description": "where its public keys are",
        }),
        _ => json!(false),
    }
}

/// One name, or a list of them.
fn names(description: &str) -> Value {
    let one = json!({"type": "string", "minLength": 1});
    let list = json!({"type": "array", "minItems": 1, "maxItems": SOURCE_NAMES_MAX, "items": one});
    json!({"anyOf": [one, list], "description": description})
}
