//! Any octets as an attack on the verification of answers, and what must not come of it.
//!
//! [`Bench::check`] is the one place that knows the invariant: what is believed was signed by the
//! target, octet for octet, and says what the contract lets it say. It is called with what
//! [`mutator`](super::mutator) makes of a seed, by the target `answers` in `fuzz/`.

use std::fmt;

use domain::enrich::{AnswerRefusal, judge};
use domain::jose::{Algorithm, KeySet};
use domain::subscription::AnswerRules;
use serde_json::Value;

use super::{Signer, oracle, payload, question, rules};

/// An attack. It is written as octets, so that a fuzzer can change it: the target's index, the kind
/// of attack, and the rest; a header ends where a zero octet stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attack {
    /// A body that was not signed by the target, unless it is one of its answers as they are.
    Body(Vec<u8>),
    /// A header and a payload that the target signs.
    Signed(Vec<u8>, Vec<u8>),
    /// Claims in an answer that the target signs.
    Claims(Vec<u8>),
    /// A key set, before a right answer of the target's.
    KeySet(Vec<u8>),
}

impl Attack {
    /// Reads an attack and whom it is on. Any octets are one.
    #[must_use]
    pub fn read(octets: &[u8]) -> (usize, Self) {
        let (target, kind, rest) = match octets {
            [] => (0, 0, octets),
            [target] => (*target, 0, &octets[1..]),
            [target, kind, rest @ ..] => (*target, *kind, rest),
        };
        let attack = match kind % 4 {
            0 => Self::Body(rest.to_vec()),
            1 => {
                let mut parts = rest.splitn(2, |octet| *octet == 0);
                let mut part = || parts.next().unwrap_or_default().to_vec();
                Self::Signed(part(), part())
            }
            2 => Self::Claims(rest.to_vec()),
            _ => Self::KeySet(rest.to_vec()),
        };
        (usize::from(target) % Algorithm::ALL.len(), attack)
    }

    /// Writes it as [`Self::read`] reads it.
    #[must_use]
    pub fn write(&self, target: usize) -> Vec<u8> {
        let target = u8::try_from(target).expect("five targets");
        let (kind, rest) = match self {
            Self::Body(body) => (0, body.clone()),
            Self::Signed(header, payload) => (1, [header.as_slice(), &[0], payload].concat()),
            Self::Claims(claims) => (2, claims.clone()),
            Self::KeySet(keys) => (3, keys.clone()),
        };
        [vec![target, kind], rest].concat()
    }
}

/// A target of each algorithm, and an answer of each.
pub struct Bench {
    targets: Vec<Known>,
}

struct Known {
    signer: Signer,
    rules: AnswerRules,
    keys: KeySet,
    jwks: Value,
    answer: String,
}

/// What must not be: something was believed that should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Bench {
    /// With new keys.
    #[must_use]
    pub fn new() -> Self {
        let known = |algorithm| {
            let signer = Signer::new(algorithm, "k1");
            let (jwks, answer) = (signer.jwks(), signer.sign(&payload()));
            let keys = KeySet::from_json(&jwks).expect("a key set");
            Known { rules: rules(algorithm, &jwks), signer, keys, jwks, answer }
        };
        Self { targets: Algorithm::ALL.into_iter().map(known).collect() }
    }

    /// A right answer of this target.
    #[must_use]
    pub fn answer(&self, target: usize) -> &str {
        &self.targets[target].answer
    }

    /// An honest header of this target's.
    #[must_use]
    pub fn header(&self, target: usize) -> Value {
        self.targets[target].signer.header()
    }

    /// The key set of this target.
    #[must_use]
    pub fn jwks(&self, target: usize) -> &Value {
        &self.targets[target].jwks
    }

    /// Makes the attack and says what came of it: believed, or refused for a reason.
    pub fn check(&self, octets: &[u8]) -> Result<Option<AnswerRefusal>, Broken> {
        let (target, attack) = Attack::read(octets);
        let target = &self.targets[target];
        match attack {
            Attack::Body(body) => target.check_body(&body),
            Attack::Signed(header, payload) => target.check_signed(&header, &payload),
            Attack::Claims(claims) => {
                let written = payload().to_string();
                let (before, after) = written.split_once(r#"{"tier":"gold"}"#).expect("claims");
                let payload = [before.as_bytes(), &claims, after.as_bytes()].concat();
                let header = target.signer.header().to_string();
                target.check_signed(header.as_bytes(), &payload)
            }
            Attack::KeySet(keys) => target.check_key_set(&keys),
        }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Known {
    fn judge(&self, body: &[u8], keys: &KeySet) -> Option<AnswerRefusal> {
        judge(body, None, &self.rules, keys, question()).err()
    }

    fn check_body(&self, body: &[u8]) -> Result<Option<AnswerRefusal>, Broken> {
        let refusal = self.judge(body, &self.keys);
        if refusal.is_none() && body != self.answer.as_bytes() {
            return Err(Broken("a body was believed that nobody signed".to_owned()));
        }
        Ok(refusal)
    }

    fn check_signed(&self, header: &[u8], payload: &[u8]) -> Result<Option<AnswerRefusal>, Broken> {
        let body = self.signer.sign_octets(header, payload);
        let refusal = self.judge(body.as_bytes(), &self.keys);
        let complaint = oracle::complaint(self.signer.algorithm().as_str(), header, payload);
        match (refusal, complaint) {
            (None, Some(complaint)) => Err(Broken(format!("believed in spite of: {complaint}"))),
            _ => Ok(refusal),
        }
    }

    /// A key that verifies must be the target's, whole, and no other's.
    fn check_key_set(&self, text: &[u8]) -> Result<Option<AnswerRefusal>, Broken> {
        let Ok(keys) = KeySet::parse(text) else { return Ok(Some(AnswerRefusal::Key)) };
        let refusal = self.judge(self.answer.as_bytes(), &keys);
        if refusal.is_some() {
            return Ok(refusal);
        }
        let read: Value = serde_json::from_slice(text).unwrap_or_default();
        let ours = &self.jwks["keys"][0];
        let names = ["kty", "crv", "x", "y", "n", "kid"];
        let is_ours = |key: &&Value| {
            names.iter().all(|name| ours.get(*name).is_none_or(|value| key[*name] == *value))
        };
        let candidates: Vec<&Value> =
            read["keys"].as_array().into_iter().flatten().filter(is_ours).collect();
        let is_fit = |key: &Value| {
            key.get("d").is_none()
                && key.get("use").is_none_or(|usage| usage == "sig")
                && key.get("alg").is_none_or(|alg| *alg == ours["alg"])
        };
        if candidates.iter().any(|key| is_fit(key)) {
            Ok(None)
        } else {
            Err(Broken("a key was used that is not fit for it".to_owned()))
        }
    }
}
