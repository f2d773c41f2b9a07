//! Attacks by seed, made by somebody who knows what tokens, key sets and claims are made of.

use serde_json::{Value, json};

use super::fuzz::{Attack, Bench};
use super::payload;
use crate::chance::Chance;

/// Names that mean something somewhere.
const NAMES: [&str; 44] = [
    "alg",
    "kid",
    "typ",
    "cty",
    "crit",
    "b64",
    "jku",
    "jwk",
    "x5u",
    "x5c",
    "x5t",
    "x5t#S256",
    "zip",
    "enc",
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "txn",
    "action",
    "custom_claims",
    "nonce",
    "events",
    "scope",
    "tier",
    "__proto__",
    "SUB",
    "sub ",
    "ſub",
    "kty",
    "crv",
    "x",
    "y",
    "n",
    "e",
    "d",
    "use",
    "key_ops",
    "p",
    "keys",
    "",
];

/// Values that are wrong somewhere, and right elsewhere.
const VALUES: [&str; 52] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e400",
    "NaN",
    "1795428000",
    "1795428060",
    "1795428061",
    "1795427940",
    "1795427969",
    "1795427970",
    "1795431600",
    "1795431601",
    "1795428000.0",
    "9223372036854775807",
    "18446744073709551615",
    r#""""#,
    r#""allow""#,
    r#""block""#,
    r#""challenge""#,
    r#""ALLOW""#,
    r#""allow ""#,
    r#"["allow"]"#,
    r#""JWT""#,
    r#""at+jwt""#,
    r#""application/jwt""#,
    r#""secevent+jwt""#,
    r#""none""#,
    r#""HS256""#,
    r#""ES256""#,
    r#""EdDSA""#,
    r#""RS256""#,
    r#""k1""#,
    r#""k2""#,
    r#""request-1""#,
    r#""request-0""#,
    r#""user-1""#,
    r#""https://system.example.com""#,
    r#""https://idp.example.com""#,
    r#"["https://idp.example.com"]"#,
    r#"["https://system.example.com"]"#,
    "[]",
    "{}",
    r#"{"sub":"admin"}"#,
    r#"{"tier":"gold"}"#,
    r#""\u202egnp""#,
    r#""\u0000""#,
    r#""enc""#,
    r#"[[["deep"]]]"#,
];

/// The attack of this seed, as octets for [`Bench::check`].
#[must_use]
pub fn attack(bench: &Bench, chance: &mut Chance) -> Vec<u8> {
    // RSA signs slowly: two in ten attacks are enough for it.
    let target = [0, 1, 4, 4, 0, 1, 4, 2, 3, 0][chance.below(10)];
    let attack = match chance.below(8) {
        0 | 1 => Attack::Body(body(bench, target, chance)),
        2..=4 => {
            let mut header = members(&bench.header(target));
            let mut payload = members(&payload());
            for _ in 0..=chance.below(3) {
                let part = if chance.happens(400) { &mut header } else { &mut payload };
                change(part, chance);
            }
            Attack::Signed(written(&header, chance), written(&payload, chance))
        }
        5 => Attack::Claims(claims(chance)),
        _ => Attack::KeySet(key_set(bench, target, chance)),
    };
    attack.write(target)
}

/// An object's members as they are written: names with their quotes, values as text.
type Members = Vec<(String, String)>;

fn members(object: &Value) -> Members {
    let members = object.as_object().expect("an object");
    members.iter().map(|(name, value)| (json!(name).to_string(), value.to_string())).collect()
}

fn written(members: &Members, chance: &mut Chance) -> Vec<u8> {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let mut text = format!("{{{}}}", members.join(",")).into_bytes();
    if chance.happens(60) {
        spoil(&mut text, chance);
    }
    text
}

fn any<'a>(words: &[&'a str], chance: &mut Chance) -> &'a str {
    words[chance.below(words.len())]
}

/// One change that leaves it JSON, for the most part.
fn change(members: &mut Members, chance: &mut Chance) {
    let at = chance.below(members.len());
    let value = any(&VALUES, chance).to_owned();
    match chance.below(8) {
        0 | 1 if !members.is_empty() => members[at].1 = value,
        2 if !members.is_empty() => drop(members.remove(at)),
        3 if !members.is_empty() => {
            let twin = (members[at].0.clone(), value);
            members.insert(chance.below(members.len() + 1), twin);
        }
        4 if !members.is_empty() => {
            // The same name in other words.
            let name = &members[at].0;
            let first = name.as_bytes().get(1).copied().unwrap_or(b'x');
            if first.is_ascii_alphabetic() {
                let escaped = format!("\"\\u00{first:02x}{}", &name[2..]);
                if chance.happens(500) {
                    members.push((escaped, value));
                } else {
                    members[at].0 = escaped;
                }
            }
        }
        5 if !members.is_empty() => members[at].0 = json!(any(&NAMES, chance)).to_string(),
        6 if !members.is_empty() => {
            let other = chance.below(members.len());
            members.swap(at, other);
        }
        _ => members.push((json!(any(&NAMES, chance)).to_string(), value)),
    }
}

/// A token that nobody signed: a right one, or parts of two, and something done to it.
fn body(bench: &Bench, target: usize, chance: &mut Chance) -> Vec<u8> {
    let other = bench.answer(chance.below(5));
    let mut parts: Vec<&str> = bench.answer(target).split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    match chance.below(6) {
        0 => parts[chance.below(3)] = others[chance.below(3)],
        1 => parts.swap(chance.below(3), chance.below(3)),
        2 => parts.push(others[chance.below(3)]),
        3 => parts.truncate(chance.below(3)),
        _ => {}
    }
    let mut body = parts.join(".").into_bytes();
    for _ in 0..chance.below(3) {
        spoil(&mut body, chance);
    }
    body
}

fn claims(chance: &mut Chance) -> Vec<u8> {
    let mut claims: Members = Vec::new();
    for n in 0..chance.below(36) {
        let name = match chance.below(12) {
            0 => any(&NAMES, chance).to_owned(),
            1 => "k".repeat(chance.below(132)),
            _ => format!("k{n}"),
        };
        let value = match chance.below(12) {
            0 => any(&VALUES, chance).to_owned(),
            1 => json!("x".repeat(chance.below(1_100))).to_string(),
            2 => json!(vec![7; chance.below(36)]).to_string(),
            _ => n.to_string(),
        };
        claims.push((json!(name).to_string(), value));
    }
    if chance.happens(200) {
        change(&mut claims, chance);
    }
    written(&claims, chance)
}

fn key_set(bench: &Bench, target: usize, chance: &mut Chance) -> Vec<u8> {
    let jwk = |target: usize| members(&bench.jwks(target)["keys"][0]);
    let mut keys = vec![jwk(target)];
    if chance.happens(300) {
        keys.push(jwk(chance.below(5)));
    }
    for _ in 0..chance.below(3) {
        let at = chance.below(keys.len());
        change(&mut keys[at], chance);
    }
    let keys: Vec<_> = keys
        .iter()
        .map(|key| String::from_utf8_lossy(&written(key, chance)).into_owned())
        .collect();
    let mut set = format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes();
    if chance.happens(100) {
        spoil(&mut set, chance);
    }
    set
}

/// One change that knows nothing of what it changes.
pub fn spoil(octets: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(octets.len());
    let anything = u8::try_from(chance.below(256)).unwrap_or_default();
    match chance.below(6) {
        0 if !octets.is_empty() => octets[at] ^= 1 << chance.below(8),
        1 if !octets.is_empty() => octets[at] = anything,
        2 if !octets.is_empty() => drop(octets.remove(at)),
        3 => octets.truncate(at),
        4 => {
            let again = octets[at..].to_vec();
            octets.extend(again);
        }
        _ => octets.insert(at, anything),
    }
}
