//! A source's row: `pk` = `SOURCE#akamai_identity_cloud#<captureApplicationId>`, `sk` = `CONFIG`.
//!
//! Read as exactly as a subscription's: what cannot be honoured makes the row unreadable.

use serde_json::{Map, Value};

use crate::event_type::Source;
use crate::id::{CaptureApplicationId, ClientId, PropertyId};
use crate::jose::{Algorithm, KeySet};
use crate::limits::{ENDPOINT_URL_BYTES_MAX, SOURCE_NAMES_MAX};
use crate::subscription::row::{Row, expected};
use crate::subscription::{KeySource, RowProblem};

/// An application of Akamai Identity Cloud whose events are taken in.
#[derive(Clone)]
pub struct AkamaiSource {
    /// The application, as its events name it.
    pub application: CaptureApplicationId,
    /// The property that its users belong to.
    pub property_id: PropertyId,
    /// The client ID that its events get, if any.
    pub client_id: Option<ClientId>,
    /// The `iss` that its tokens may have, to the letter.
    pub issuers: Vec<String>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// The listener's URLs as they are registered with Akamai; none where the row does not say, and
    /// then the URL that a request came to is meant.
    pub audiences: Vec<String>,
    /// Which entities are end users.
    pub entity_types: Vec<String>,
    /// Whether anything is taken from it.
    pub enabled: bool,
}

impl AkamaiSource {
    /// The algorithm of its tokens. It stands in no row: there is one.
    pub const ALGORITHM: Algorithm = Algorithm::Rs256;

    /// What a row's owner writes. The description is for the owner, and read by nobody.
    pub const OWNED: [&str; 9] = [
        "propertyId",
        "issuer",
        "jwksUri",
        "jwks",
        "enabled",
        "description",
        "audience",
        "clientId",
        "entityTypes",
    ];

    /// The sort key of every source's row.
    pub const SORT_KEY: &str = "CONFIG";

    /// The partition key of the row of an application.
    #[must_use]
    pub fn partition_key_of(application: &CaptureApplicationId) -> String {
        format!("{}{application}", Self::partition_key_prefix())
    }

    pub(super) fn partition_key_prefix() -> String {
        format!("SOURCE#{}#", Source::AkamaiIdentityCloud.as_str())
    }

    /// Reads the row of an application. Attributes nobody knows are let be.
    pub fn read(
        application: &CaptureApplicationId,
        row: Map<String, Value>,
    ) -> Result<Self, RowProblem> {
        let mut row = Row::new(row);
        let property_id = PropertyId::parse(&row.required_str("propertyId")?)
            .map_err(|error| expected("propertyId", &format!("an ID: it {error}")))?;
        let client_id = row.str("clientId")?.map(|id| ClientId::parse(&id)).transpose();
        let client_id =
            client_id.map_err(|error| expected("clientId", &format!("an ID: it {error}")))?;
        let issuers = names(&mut row, "issuer")?
            .ok_or_else(|| expected("issuer", "a string or a list of strings"))?;
        Ok(Self {
            application: application.clone(),
            property_id,
            client_id,
            issuers,
            keys: key_source(&mut row)?,
            audiences: names(&mut row, "audience")?.unwrap_or_default(),
            entity_types: names(&mut row, "entityTypes")?.unwrap_or_else(|| vec!["user".into()]),
            enabled: row.bool("enabled")?.ok_or_else(|| expected("enabled", "a boolean"))?,
        })
    }
}

/// A string, or a list of 1 to 16 of them; none is empty.
fn names(row: &mut Row, name: &'static str) -> Result<Option<Vec<String>>, RowProblem> {
    let problem = || expected(name, "a string, or a list of 1 to 16 strings, none of them empty");
    let names = match row.take(name) {
        None => return Ok(None),
        Some(Value::String(one)) => vec![one],
        Some(list) => serde_json::from_value(list).map_err(|_| problem())?,
    };
    let is_sound = (1..=SOURCE_NAMES_MAX).contains(&names.len())
        && names.iter().all(|name: &String| !name.is_empty());
    if is_sound { Ok(Some(names)) } else { Err(problem()) }
}

fn key_source(row: &mut Row) -> Result<KeySource, RowProblem> {
    match (row.take("jwks"), row.take("jwksUri")) {
        (Some(jwks), None) => {
            let keys = match &jwks {
                // As a row written by hand may hold it.
                Value::String(text) => KeySet::parse(text.as_bytes()),
                other => KeySet::from_json(other),
            };
            keys.ok()
                .filter(|keys| keys.holds(AkamaiSource::ALGORITHM))
                .map(KeySource::Pinned)
                .ok_or_else(|| expected("jwks", "a JWK set with a public key for RS256"))
        }
        (None, Some(Value::String(uri))) if uri.len() <= ENDPOINT_URL_BYTES_MAX => {
            Ok(KeySource::Uri(uri))
        }
        _ => Err(expected("jwksUri", "either jwks, a JWK set, or jwksUri, a URL")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{application, row, row_with};
    use super::*;

    fn read(row: &Value) -> Result<AkamaiSource, String> {
        let row = row.as_object().expect("an object").clone();
        AkamaiSource::read(&application(), row).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_row_written_by_hand_says_whose_events_are_whose() {
        let source = read(&row()).expect("a readable row");
        assert_eq!(
            AkamaiSource::partition_key_of(&source.application),
            "SOURCE#akamai_identity_cloud#capture-app-1"
        );
        assert_eq!(source.property_id.as_str(), "p1");
        assert_eq!(source.issuers.len(), 1);
        assert_eq!(source.entity_types, ["user"]);
        assert!(source.audiences.is_empty() && source.client_id.is_none() && source.enabled);
        assert!(matches!(source.keys, KeySource::Pinned(_)));
        let both = ["https://v1.api.us.janrain.com/c/webhooks", "Akamai Identity Cloud"];
        let source = read(&row_with(&json!({
            "issuer": both, "entityTypes": ["user", "customer"], "clientId": "c1",
            "audience": "https://hooks.example.com/", "jwks": null, "note": "let be",
            "jwksUri": "https://v1.api.us.janrain.com/c/login/jwk",
        })));
        let source = source.expect("a readable row");
        assert_eq!(source.issuers, both);
        assert_eq!(source.entity_types, ["user", "customer"]);
        assert_eq!(source.audiences, ["https://hooks.example.com/"]);
        assert!(matches!(source.keys, KeySource::Uri(_)));
    }

    #[test]
    fn a_row_that_cannot_be_honoured_says_which_attribute_and_not_what_is_in_it() {
        let names = "expected a string, or a list of 1 to 16 strings, none of them empty";
        for (patch, problem) in [
            (json!({"propertyId": null}), "attribute propertyId: expected a string".to_owned()),
            (json!({"propertyId": "a#b"}), "attribute propertyId: expected an ID: it may hold only printable ASCII without spaces and '#'".to_owned()),
            (json!({"clientId": ""}), "attribute clientId: expected an ID: it must not be empty".to_owned()),
            (json!({"issuer": null}), "attribute issuer: expected a string or a list of strings".to_owned()),
            (json!({"issuer": []}), format!("attribute issuer: {names}")),
            (json!({"issuer": [""]}), format!("attribute issuer: {names}")),
            (json!({"issuer": vec!["x"; 17]}), format!("attribute issuer: {names}")),
            (json!({"audience": 7}), format!("attribute audience: {names}")),
            (json!({"entityTypes": []}), format!("attribute entityTypes: {names}")),
            (json!({"enabled": "yes"}), "attribute enabled: expected a boolean".to_owned()),
            (json!({"enabled": null}), "attribute enabled: expected a boolean".to_owned()),
            (json!({"jwks": {"keys": []}}), "attribute jwks: expected a JWK set with a public key for RS256".to_owned()),
            (json!({"jwks": null}), "attribute jwksUri: expected either jwks, a JWK set, or jwksUri, a URL".to_owned()),
            (json!({"jwksUri": "https://x.example/"}), "attribute jwksUri: expected either jwks, a JWK set, or jwksUri, a URL".to_owned()),
        ] {
            assert_eq!(read(&row_with(&patch)).map(|_| ()), Err(problem), "{patch}");
        }
    }
}
