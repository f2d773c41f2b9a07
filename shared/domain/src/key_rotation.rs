//! Rotation of the signing keys: which key signs next, which one signs no more, and when that is
//! safe. Nothing here knows a key; it knows their names, and since when they are what they are.
//!
//! A key lives through `next`, `current` and `previous`. All three are published, only `current`
//! signs. `next` is published so long before it signs that every receiver has fetched it
//! ([`KEY_PUBLISHED_BEFORE_MS`]); `previous` stays so long that nothing is under way any more which
//! it has signed ([`KEY_OVERLAP_MS`]). So a receiver that keeps our key set no longer than it may
//! never meets a signature whose key it cannot have.

use std::fmt;

use crate::jose::Algorithm;
use crate::limits::{KEY_OVERLAP_MS, KEY_PUBLISHED_BEFORE_MS};
use crate::time::Timestamp;

/// What we sign tokens by, of the algorithms that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256: the default, and the quickest.
    Es256,
    /// Ed25519; it signs standard webhooks too.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for receivers that know nothing else.
    Rs256,
}

/// What a key is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It will sign; receivers are to know it by then.
    Next,
    /// It signs.
    Current,
    /// It has signed.
    Previous,
}

/// A key of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its name.
    pub kid: String,
    /// What it signs by.
    pub algorithm: SigningAlgorithm,
    /// What it is there for.
    pub status: Status,
    /// Since when it is that. For a next key: since when it is published.
    pub since: Timestamp,
}

/// Why keys are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It is time to; no receiver is to notice.
    Planned,
    /// It has to be now, though some receivers may not know the next key yet.
    Forced,
    /// Somebody else may know the keys. Whoever read one has read all of the set, the next one too.
    Compromised,
}

/// One change to the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This key, which was next, signs from now on.
    Promote(KeyRecord),
    /// This key signs no more, and stays published.
    Retire(KeyRecord),
    /// This key is taken out.
    Drop(KeyRecord),
    /// A new key comes in.
    Make(SigningAlgorithm, Status),
}

/// Why nothing is rotated. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no key for the algorithm.
    #[error("there is no {0} key; generate one")]
    NoKey(SigningAlgorithm),
    /// There is one already: a second current key would leave it open which one signs.
    #[error("there is an {0} key already; rotate it")]
    Exists(SigningAlgorithm),
    /// The next key is not known to every receiver yet.
    #[error(
        "the next {} key, {}, is not known to every receiver before {}: wait until then",
        .key.algorithm, .key.kid, .from.to_rfc3339()
    )]
    TooEarly {
        /// The next key.
        key: KeyRecord,
        /// From when on it may sign.
        from: Timestamp,
    },
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Among all algorithms.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::EdDsa => Algorithm::EdDsa,
            Self::Rs256 => Algorithm::Rs256,
        }
    }

    /// Its registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.algorithm().as_str()
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Status {
    /// As the key set writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first keys for an algorithm: one that signs, and the one after it.
pub fn generate(keys: &[KeyRecord], algorithm: SigningAlgorithm) -> Result<Vec<Change>, Refusal> {
    if keys.iter().any(|key| key.algorithm == algorithm) {
        return Err(Refusal::Exists(algorithm));
    }
    Ok(vec![Change::Make(algorithm, Status::Current), Change::Make(algorithm, Status::Next)])
}

/// What rotating the keys of an algorithm changes.
///
/// Where there is no next key, a planned rotation makes one and promotes none: it is published
/// first, and the next rotation promotes it.
pub fn rotate(
    keys: &[KeyRecord],
    algorithm: SigningAlgorithm,
    urgency: Urgency,
    now: Timestamp,
) -> Result<Vec<Change>, Refusal> {
    let of_algorithm = || keys.iter().filter(|key| key.algorithm == algorithm);
    if of_algorithm().next().is_none() {
        return Err(Refusal::NoKey(algorithm));
    }
    let having = |status: Status| of_algorithm().filter(move |key| key.status == status).cloned();
    // Of several, the one that is published longest. The others stay next.
    let next = having(Status::Next).min_by_key(|key| key.since);
    let has_another = having(Status::Next).count() > 1;
    let promoted = match (urgency, next) {
        (Urgency::Compromised, _) => return Ok(replaced(of_algorithm().cloned(), algorithm)),
        (Urgency::Planned, None) => return Ok(vec![Change::Make(algorithm, Status::Next)]),
        (Urgency::Planned, Some(key)) => Change::Promote(published_long_enough(key, now)?),
        (Urgency::Forced, Some(key)) => Change::Promote(key),
        (Urgency::Forced, None) => Change::Make(algorithm, Status::Current),
    };
    let is_over = |key: &KeyRecord| key.since.plus_ms(KEY_OVERLAP_MS) <= now;
    let mut changes: Vec<Change> = having(Status::Current).map(Change::Retire).collect();
    changes.push(promoted);
    changes.extend(having(Status::Previous).filter(is_over).map(Change::Drop));
    if !has_another {
        changes.push(Change::Make(algorithm, Status::Next));
    }
    Ok(changes)
}

fn published_long_enough(key: KeyRecord, now: Timestamp) -> Result<KeyRecord, Refusal> {
    let from = key.since.plus_ms(KEY_PUBLISHED_BEFORE_MS);
    if from <= now { Ok(key) } else { Err(Refusal::TooEarly { key, from }) }
}

/// None of them stays, and two new ones come.
fn replaced(keys: impl Iterator<Item = KeyRecord>, algorithm: SigningAlgorithm) -> Vec<Change> {
    let made = [Status::Current, Status::Next].map(|status| Change::Make(algorithm, status));
    keys.map(Change::Drop).chain(made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Current, Next, Previous};

    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);
    const MINUTE_MS: u64 = 60_000;

    fn key(kid: &str, status: Status, age_ms: u64) -> KeyRecord {
        let since = NOW.minus_ms(age_ms);
        KeyRecord { kid: kid.to_owned(), algorithm: SigningAlgorithm::Es256, status, since }
    }

    fn make(status: Status) -> Change {
        Change::Make(SigningAlgorithm::Es256, status)
    }

    fn rotated(keys: &[KeyRecord], urgency: Urgency) -> Result<Vec<Change>, Refusal> {
        rotate(keys, SigningAlgorithm::Es256, urgency, NOW)
    }

    #[test]
    fn every_key_moves_on_by_one_and_a_new_next_comes() {
        let (next, current) = (key("n", Next, 15 * MINUTE_MS), key("c", Current, MINUTE_MS));
        let (old, older) =
            (key("p", Previous, KEY_OVERLAP_MS - 1), key("q", Previous, KEY_OVERLAP_MS));
        let other = KeyRecord { algorithm: SigningAlgorithm::EdDsa, ..key("x", Current, 0) };
        let keys = [next.clone(), current.clone(), old, older.clone(), other];
        let expected =
            [Change::Retire(current), Change::Promote(next), Change::Drop(older), make(Next)];
        assert_eq!(rotated(&keys, Urgency::Planned).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn a_key_that_receivers_may_not_know_yet_signs_only_when_it_must() {
        let (next, current) = (key("n", Next, 15 * MINUTE_MS - 1), key("c", Current, 0));
        let keys = [next.clone(), current.clone()];
        let refused = rotated(&keys, Urgency::Planned).expect_err("too early");
        assert_eq!(
            refused.to_string(),
            "the next ES256 key, n, is not known to every receiver before \
             2026-11-23T10:00:00.001Z: wait until then"
        );
        let ahead = [KeyRecord { since: NOW.plus_ms(MINUTE_MS), ..next.clone() }];
        assert!(rotated(&ahead, Urgency::Planned).is_err(), "a clock that is ahead");
        let expected = [Change::Retire(current), Change::Promote(next), make(Next)];
        assert_eq!(rotated(&keys, Urgency::Forced).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn without_a_next_key_one_is_published_first() {
        let current = key("c", Current, KEY_OVERLAP_MS);
        let keys = [current.clone()];
        assert_eq!(rotated(&keys, Urgency::Planned), Ok(vec![make(Next)]));
        let forced = vec![Change::Retire(current), make(Current), make(Next)];
        assert_eq!(rotated(&keys, Urgency::Forced), Ok(forced));
    }

    #[test]
    fn of_two_next_keys_the_older_is_promoted_and_the_other_stays() {
        let (young, old) = (key("y", Next, 0), key("o", Next, KEY_OVERLAP_MS));
        assert_eq!(
            rotated(&[young, old.clone()], Urgency::Planned),
            Ok(vec![Change::Promote(old)])
        );
    }

    #[test]
    fn nothing_stays_of_keys_that_somebody_else_may_know() {
        let keys = [key("n", Next, 0), key("c", Current, 0), key("p", Previous, 0)];
        let dropped = keys.iter().cloned().map(Change::Drop);
        let expected: Vec<Change> = dropped.chain([make(Current), make(Next)]).collect();
        assert_eq!(rotated(&keys, Urgency::Compromised), Ok(expected));
    }

    #[test]
    fn an_algorithm_has_first_keys_once() {
        let expected = Ok(vec![make(Current), make(Next)]);
        assert_eq!(generate(&[], SigningAlgorithm::Es256), expected);
        let other = KeyRecord { algorithm: SigningAlgorithm::Rs256, ..key("x", Current, 0) };
        assert_eq!(generate(std::slice::from_ref(&other), SigningAlgorithm::Es256), expected);
        let exists = Refusal::Exists(SigningAlgorithm::Rs256);
        assert_eq!(generate(&[other], SigningAlgorithm::Rs256), Err(exists));
        for urgency in [Urgency::Planned, Urgency::Forced, Urgency::Compromised] {
            assert_eq!(rotated(&[], urgency), Err(Refusal::NoKey(SigningAlgorithm::Es256)));
        }
    }
}
