//! Rows of sources, which people write by hand: whose events are whose.
//!
//! An attack is a row in JSON. One that is read says what the row says, to the letter, and what the
//! row does not say is not made up; its keys are public, of RS256, and from one place alone. A
//! complaint shows no value of the row.

use domain::id::CaptureApplicationId;
use domain::limits::{ENDPOINT_URL_BYTES_MAX, SOURCE_NAMES_MAX};
use domain::source::AkamaiSource;
use domain::subscription::KeySource;
use serde_json::{Map, Value, json};
use testkit::akamai;
use testkit::answers::fuzz::Broken;

use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct SourceRow {
    corpus: Corpus,
    application: CaptureApplicationId,
}

/// A value that no complaint may show.
const SECRET: &str = "kept-to-ourselves";

const WORDS: [&str; 44] = [
    "null",
    "true",
    "false",
    "0",
    "7",
    "{}",
    "[]",
    "[null]",
    r#"[""]"#,
    r#""""#,
    r#"" ""#,
    r#""p1""#,
    r#""a#b""#,
    "\"\u{7}\"",
    r#""propertyId""#,
    r#""clientId""#,
    r#""issuer""#,
    r#""audience""#,
    r#""entityTypes""#,
    r#""user""#,
    r#""profile""#,
    r#""enabled""#,
    r#""jwks""#,
    r#""jwksUri""#,
    r#""https://keys.example.com/?k=kept-to-ourselves""#,
    r#"["kept-to-ourselves"]"#,
    r#""kept-to-ourselves""#,
    r#""keys""#,
    r#""{\"keys\":[]}""#,
    r#""kty""#,
    r#""RSA""#,
    r#""EC""#,
    r#""alg""#,
    r#""RS256""#,
    r#""PS256""#,
    r#""use""#,
    r#""sig""#,
    r#""enc""#,
    r#""d""#,
    r#""AQAB""#,
    r#""e""#,
    r#""kid""#,
    r#""note""#,
    ",",
];

impl SourceRow {
    pub(super) fn new() -> Self {
        let application = CaptureApplicationId::parse(akamai::APPLICATION);
        Self { corpus: Corpus::new(seeds(), WORDS), application: application.expect("an ID") }
    }
}

fn seeds() -> Vec<String> {
    let jwks = akamai::signer().jwks();
    let plain = akamai::row(&jwks);
    // A `null` is an attribute that is not there, as in the table.
    let with = |more: Value| {
        let mut row = plain.clone();
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        row.to_string()
    };
    let uri = format!("https://keys.example.com/?k={SECRET}");
    let mut private = jwks.clone();
    private["keys"][0]["d"] = SECRET.into();
    vec![
        with(json!({})),
        with(json!({"enabled": false, "note": SECRET})),
        with(json!({"jwks": jwks.to_string()})),
        with(json!({"jwks": null, "jwksUri": uri})),
        with(json!({"jwksUri": uri})),
        with(json!({"jwks": private})),
        with(json!({"jwks": {"keys": []}})),
        with(json!({"jwks": SECRET})),
        with(json!({"issuer": [akamai::ISSUER, "Akamai"], "audience": null})),
        with(json!({"issuer": vec!["x"; SOURCE_NAMES_MAX + 1]})),
        with(json!({"entityTypes": ["user", "customer"], "clientId": "c1"})),
        with(json!({"clientId": format!("{SECRET} #")})),
        with(json!({"propertyId": {"is": SECRET}})),
        "{}".to_owned(),
    ]
}

/// What a row says of an attribute.
fn said<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    row.get(name).filter(|value| !value.is_null())
}

impl Target for SourceRow {
    fn name(&self) -> &'static str {
        "source_row"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let Ok(Value::Object(row)) = serde_json::from_slice(octets) else {
            return Ok("no row".into());
        };
        match AkamaiSource::read(&self.application, row.clone()) {
            Ok(source) => {
                check(&row, &source)?;
                must(source.application == self.application, "another's application")?;
                Ok(format!("taken: enabled {}", source.enabled).into())
            }
            Err(problem) => {
                let complaint = problem.to_string();
                must(!complaint.contains(SECRET), "a complaint that shows a value")?;
                must(complaint.len() < 200, "a complaint without bounds")?;
                Ok(format!("refused: {}", problem.attribute).into())
            }
        }
    }
}

fn check(row: &Map<String, Value>, source: &AkamaiSource) -> Result<(), Broken> {
    let property_id = json!(source.property_id.as_str());
    must(said(row, "propertyId") == Some(&property_id), "another's property")?;
    let client_id = source.client_id.as_ref().map(|id| json!(id.as_str()));
    must(said(row, "clientId") == client_id.as_ref(), "another client ID than the row's")?;
    must(said(row, "enabled") == Some(&json!(source.enabled)), "taken from though not enabled")?;
    for (name, read, unsaid) in [
        ("issuer", &source.issuers, None),
        ("audience", &source.audiences, Some(vec![])),
        ("entityTypes", &source.entity_types, Some(vec!["user".to_owned()])),
    ] {
        let listed = match said(row, name) {
            None => unsaid,
            Some(Value::String(one)) => Some(vec![one.clone()]),
            Some(Value::Array(many)) => {
                many.iter().map(|one| one.as_str().map(str::to_owned)).collect()
            }
            Some(_) => None,
        };
        must(listed.as_ref() == Some(read), "names that the row does not list")?;
        must(read.len() <= SOURCE_NAMES_MAX, "more names than the limit")?;
        must(read.iter().all(|name| !name.is_empty()), "a name that is empty")?;
    }
    check_keys(row, &source.keys)
}

fn check_keys(row: &Map<String, Value>, keys: &KeySource) -> Result<(), Broken> {
    match (said(row, "jwks"), said(row, "jwksUri"), keys) {
        (None, Some(said), KeySource::Uri(uri)) => {
            must(said == uri.as_str(), "keys of another place")?;
            must(uri.len() <= ENDPOINT_URL_BYTES_MAX, "a URL beyond its limit")
        }
        (Some(said), None, KeySource::Pinned(keys)) => {
            must(keys.holds(AkamaiSource::ALGORITHM), "keys that nothing can be verified with")?;
            let written = match said {
                Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
                other => other.clone(),
            };
            let jwks = written["keys"].as_array().cloned().unwrap_or_default();
            must(jwks.iter().any(is_public_rsa), "a key that the row does not hold")
        }
        _ => broken("keys from nowhere, or from two places"),
    }
}

fn is_public_rsa(jwk: &Value) -> bool {
    let private = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    jwk["kty"] == "RSA"
        && jwk.get("alg").is_none_or(|alg| alg == "RS256")
        && jwk.get("use").is_none_or(|usage| usage == "sig")
        && private.iter().all(|name| jwk.get(name).is_none())
}
