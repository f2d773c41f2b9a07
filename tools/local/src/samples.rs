//! The samples: events and logins of `events/requests`, and the subscriptions they are sent to.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::template::Stack;
use crate::{Clients, StartError, target};

/// A sample by its event type, as a source posts it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The event type's last segment, or what the login comes to.
    pub name: &'static str,
    /// The body.
    pub body: &'static str,
}

macro_rules! samples {
    ($($name:literal: $file:literal),* $(,)?) => {
        [$(Sample {
            name: $name,
            body: include_str!(concat!("../../../events/requests/", $file, ".json")),
        }),*]
    };
}

/// One event of every type.
pub const EVENTS: [Sample; 11] = samples! {
    "preRegistration": "preRegistration",
    "registration": "registration",
    "resendVerification": "resendVerification",
    "forgotPassword": "forgotPassword",
    "passwordUpdated": "passwordUpdated",
    "newDevice": "newDevice",
    "userRevokedPropertyAccess": "userRevokedPropertyAccess",
    "login": "login",
    "userCreated": "userCreated",
    "userUpdated": "userUpdated",
    "userDeleted": "userDeleted",
};

/// Three logins that the sample target decides differently.
pub const LOGINS: [Sample; 3] = samples! {
    "allow": "enrich-login",
    "block": "enrich-login-block",
    "challenge": "enrich-login-challenge",
};

/// The property of the samples.
pub const PROPERTY: &str = "PROPERTY#demo-property";
/// The client ID of the samples.
pub const CLIENT: &str = "CLIENT#demo-client";

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A row of the subscriptions table, as it would be written by hand.
#[must_use]
pub fn row(
    scope: &str,
    id: &str,
    category: &str,
    endpoint: &str,
) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), s(scope)),
        ("sk".to_owned(), s(format!("SUBSCRIPTION#{id}"))),
        ("category".to_owned(), s(category)),
        ("endpoint".to_owned(), s(endpoint)),
        ("enabled".to_owned(), AttributeValue::Bool(true)),
    ])
}

/// The row of the sample source, `events/sets/source-row.json`: an application of Akamai Identity
/// Cloud whose users are those of [`PROPERTY`]. The file is in DynamoDB's own JSON, as
/// `aws dynamodb put-item --item file://…` takes it.
pub fn source() -> Result<HashMap<String, AttributeValue>, serde_json::Error> {
    let row: serde_json::Map<String, Value> =
        serde_json::from_str(include_str!("../../../events/sets/source-row.json"))?;
    Ok(row.iter().map(|(name, typed)| (name.clone(), attribute(typed))).collect())
}

/// An attribute from DynamoDB's own JSON, as far as the sample has kinds of them.
fn attribute(typed: &Value) -> AttributeValue {
    if let Some(members) = typed["M"].as_object() {
        let member = |(name, typed): (&String, &Value)| (name.clone(), attribute(typed));
        AttributeValue::M(members.iter().map(member).collect())
    } else if let Some(elements) = typed["L"].as_array() {
        AttributeValue::L(elements.iter().map(attribute).collect())
    } else if let Some(flag) = typed["BOOL"].as_bool() {
        AttributeValue::Bool(flag)
    } else {
        s(typed["S"].as_str().unwrap_or_default())
    }
}

/// The enrich attributes of a row: whose answers count, and by which keys.
#[must_use]
pub fn response(issuer: &str, jwks_uri: &str) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("issuer".to_owned(), s(issuer)),
        ("jwksUri".to_owned(), s(jwks_uri)),
        ("alg".to_owned(), s("ES256")),
        ("binding".to_owned(), s("required")),
    ]))
}

/// Subscribes the sample target to everything that the samples are about, and configures the sample
/// source.
pub(crate) async fn subscribe(
    stack: &Stack,
    clients: &Clients,
    target_url: &str,
) -> Result<(), StartError> {
    let mut logins = row(CLIENT, "logins", "enrich", &format!("{target_url}/enrich"));
    let jwks_uri = format!("{target_url}/jwks.json");
    logins.insert("response".to_owned(), response(target::ISSUER, &jwks_uri));
    let rows = [
        row(PROPERTY, "users", "user_data_change", &format!("{target_url}/hooks/users")),
        row(CLIENT, "emails", "transactional_email", &format!("{target_url}/hooks/emails")),
        logins,
        source().map_err(|error| StartError::Seed(error.to_string()))?,
    ];
    let table = stack.table("SubscriptionsTable").map_or("subscriptions", |table| &table.name);
    for row in rows {
        clients
            .dynamodb
            .put_item()
            .table_name(table)
            .set_item(Some(row))
            .send()
            .await
            .map_err(|error| StartError::Seed(DisplayErrorContext(error).to_string()))?;
    }
    Ok(())
}
