//! The members of a payload that are looked at, borrowed where they can be.
//!
//! A payload has some sixty members, and a request needs ten: reading all of them into types of their own
//! took a quarter of ingest's time, more than reading the event.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::Text;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload<'a> {
    #[serde(borrow, default)]
    pub(super) raw_path: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) headers: Headers<'a>,
    #[serde(borrow)]
    pub(super) request_context: Context<'a>,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context<'a> {
    #[serde(borrow, default)]
    pub(super) authorizer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) domain_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) http: Http<'a>,
    #[serde(borrow, default)]
    pub(super) stage: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Http<'a> {
    #[serde(borrow)]
    pub(super) method: Text<'a>,
}

/// The claims that a JWT authorizer has verified; none where it is another authorizer.
pub(super) fn token_claims(authorizer: &RawValue) -> HashMap<String, String> {
    #[derive(Deserialize)]
    struct Authorizer {
        jwt: Option<Jwt>,
    }
    #[derive(Deserialize)]
    struct Jwt {
        #[serde(default)]
        claims: HashMap<String, String>,
    }
    let read: Option<Authorizer> = serde_json::from_str(authorizer.get()).ok();
    read.and_then(|authorizer| authorizer.jwt).map(|jwt| jwt.claims).unwrap_or_default()
}

/// The headers that are looked at. HTTP API writes their names in lower case; whoever calls the
/// function by hand may not.
#[derive(Default)]
pub(super) struct Headers<'a> {
    pub(super) content_type: Option<Text<'a>>,
    pub(super) content_encoding: Option<Text<'a>>,
    pub(super) if_none_match: Option<Text<'a>>,
    pub(super) traceparent: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("headers")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Headers::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let place = if name.eq_ignore_ascii_case("content-type") {
                &mut headers.content_type
            } else if name.eq_ignore_ascii_case("content-encoding") {
                &mut headers.content_encoding
            } else if name.eq_ignore_ascii_case("if-none-match") {
                &mut headers.if_none_match
            } else if name.eq_ignore_ascii_case("traceparent") {
                &mut headers.traceparent
            } else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            *place = map.next_value()?;
        }
        Ok(headers)
    }
}
