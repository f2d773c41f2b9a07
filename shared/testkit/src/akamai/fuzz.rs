//! Any octets as an attack on the listener's verification, and what must not come of it.
//!
//! [`Bench::check`] is the one place that knows the invariant: of what the source did not sign,
//! nothing is believed; of what it signed, an event comes only of claims that the contract asks for.
//! [`attacks`] makes octets of a seed; a fuzzer may bring its own.

use std::fmt;

use domain::source::{AkamaiSource, Audience, Proven, SetRefusal, Unproven};
use domain::subscription::KeySource;
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::{APPLICATION, ISSUED_AT_S, ISSUER, LISTENER, header, row, signer, source, token_of};
use crate::answers::Signer;
use crate::chance::Chance;

/// A source, and a right token of it.
pub struct Bench {
    signer: Signer,
    source: AkamaiSource,
    token: String,
}

/// What must not be: something was believed that should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Bench {
    /// Of the samples' source.
    #[must_use]
    pub fn new() -> Self {
        let signer = signer();
        let source = source(&row(&signer.jwks()));
        let token = token_of(&signer, "entityUpdated", "e1");
        Self { signer, source, token }
    }

    /// Makes the attack: octets that begin with an even one are a body, others are a header and, from
    /// the first zero octet on, a payload that the source signs. Says what came of it: believed, or
    /// refused by a rule.
    pub fn check(&self, octets: &[u8]) -> Result<Option<SetRefusal>, Broken> {
        let (kind, rest) = octets.split_first().unwrap_or((&0, &[]));
        if kind % 2 == 0 {
            return match self.judge(rest) {
                Err(refusal) => Ok(Some(refusal)),
                Ok(_) if rest == self.token.as_bytes() => Ok(None),
                Ok(_) => Err(Broken("a body was believed that nobody signed")),
            };
        }
        let mut parts = rest.splitn(2, |octet| *octet == 0);
        let mut part = || parts.next().unwrap_or_default();
        let (header, payload) = (part(), part());
        match self.judge(self.signer.sign_octets(header, payload).as_bytes()) {
            Err(refusal) => Ok(Some(refusal)),
            Ok(Proven::Ignored(_)) => Ok(None),
            Ok(Proven::Event(event)) => {
                complaint(header, payload, event.id.as_str()).map_or(Ok(None), |it| Err(Broken(it)))
            }
        }
    }

    fn judge(&self, body: &[u8]) -> Result<Proven, SetRefusal> {
        let unproven = Unproven::parse(body)?;
        let wanted = unproven.wanted_key();
        let KeySource::Pinned(keys) = &self.source.keys else { unreachable!("pinned") };
        let key = keys.find(wanted.kid, wanted.algorithm).cloned().ok_or(SetRefusal::Key)?;
        let now = Timestamp::from_ms(ISSUED_AT_S * 1_000);
        unproven.prove(&key, &self.source, Audience { url: None, now })
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

/// Why an event should not have come of this, as a reader sees it that shares no line with the one
/// that judges.
fn complaint(header: &[u8], payload: &[u8], event_id: &str) -> Option<&'static str> {
    let (Ok(header), Ok(claims)) =
        (serde_json::from_slice::<Value>(header), serde_json::from_slice::<Value>(payload))
    else {
        return Some("not JSON");
    };
    let is_set = header["typ"]
        .as_str()
        .is_some_and(|typ| typ.to_lowercase().trim_start_matches("application/") == "secevent+jwt");
    let aud = &claims["aud"];
    let events = claims["events"].as_object();
    let event = events.and_then(|events| events.values().next()).unwrap_or(&Value::Null);
    let latest_s = ISSUED_AT_S + 300;
    let is_past = |name: &str| claims[name].as_u64().is_some_and(|at_s| at_s <= latest_s);
    let checks = [
        (is_set, "typ"),
        (header["alg"] == "RS256" && header["kid"] == "akamai-sample-1", "alg or kid"),
        (
            ["crit", "jwk", "x5u", "x5c", "b64", "zip"]
                .iter()
                .all(|name| header.get(name).is_none()),
            "header",
        ),
        (claims["iss"] == ISSUER, "iss"),
        (
            *aud == LISTENER || aud.as_array().is_some_and(|all| all.contains(&json!(LISTENER))),
            "aud",
        ),
        (is_past("iat") && is_past("toe"), "times"),
        (claims["jti"].is_string(), "jti"),
        (events.is_some_and(|events| events.len() == 1), "events"),
        (event["captureApplicationId"] == APPLICATION, "application"),
        (event["entityType"] == "user", "entityType"),
        (event["sub"].is_string() && event["id"].is_string(), "sub or id"),
        (event_id.starts_with("aic_"), "our event ID"),
    ];
    checks.into_iter().find(|(is_sound, _)| !is_sound).map(|(_, what)| what)
}

/// Attacks that a seed decides: a right token and right claims, changed a little.
pub fn attacks(bench: &Bench, seed: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut chance = Chance::new(seed);
    std::iter::repeat_with(move || {
        if chance.happens(400) {
            let mut octets = vec![0];
            octets.extend(mangled(bench.token.as_bytes(), &mut chance));
            octets
        } else {
            let mut octets = vec![1];
            let (header, claims) = (
                header(),
                super::claims(&json!({"entityUpdated": super::event("entityUpdated", "e1")})),
            );
            octets.extend(changed(header, &mut chance));
            octets.push(0);
            octets.extend(changed(claims, &mut chance));
            octets
        }
    })
}

/// Octets flipped, cut out, doubled or moved.
fn mangled(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(text.len());
        match chance.below(5) {
            0 => text[at] ^= 1 << chance.below(8),
            1 => text.truncate(at.max(1)),
            2 => text.insert(at, b'.'),
            3 => text.rotate_left(at),
            _ => text[at] = b"AZaz09-_=+/. \n"[chance.below(14)],
        }
    }
    text
}

/// A JSON text with one member, somewhere, put into another value's place, removed, or doubled.
fn changed(mut value: Value, chance: &mut Chance) -> Vec<u8> {
    let mut at = &mut value;
    while let Value::Object(members) = at {
        let name = members.keys().nth(chance.below(members.len())).cloned().expect("a member");
        if members[&name].is_object() && chance.happens(700) {
            at = members.get_mut(&name).expect("a member");
            continue;
        }
        let odd = [
            Value::Null,
            json!(true),
            json!(""),
            json!([]),
            json!({}),
            json!(-1),
            json!(1.5),
            json!(u64::MAX),
            json!("none"),
            json!(LISTENER),
            json!([LISTENER, 7]),
            json!(APPLICATION),
            json!({"entityUpdated": {}}),
            json!("entityDeleted"),
        ];
        match chance.below(4) {
            0 => {
                members.remove(&name);
            }
            1 => {
                let twin = members[&name].clone();
                members.insert(format!("{name}\u{200b}"), twin);
            }
            2 => {
                let text = value.to_string();
                let member = format!("\"{name}\":");
                // Once more under the same name, with another value, where serde would take it.
                return text.replacen(&member, &format!("{member}null,{member}"), 1).into_bytes();
            }
            _ => {
                members.insert(name, odd[chance.below(odd.len())].clone());
            }
        }
        break;
    }
    let mut text = value.to_string().into_bytes();
    if chance.happens(100) {
        text = mangled(&text, chance);
    }
    text
}
