//! The signing keys: that there are some for each algorithm that is used, that receivers find them,
//! and that they are rotated.

use super::{Check, Finding, State, Unseen};
use crate::jose::{Algorithm, KeySet};
use crate::key_rotation::{KeyRecord, SigningAlgorithm, Status};
use crate::limits::{KEY_AGE_TOLD_MS, SIGNING_KEYS_REFRESH_MS};
use crate::time::Timestamp;

/// Why the keys in the secret are not known.
pub enum Unread {
    /// The secret could not be looked at.
    Unseen(Unseen),
    /// It holds no set of keys; a sentence that shows nothing of it.
    Unfit(String),
}

/// What was found of the keys. Of all of them only names are known.
pub struct KeyFacts<'a> {
    /// Those in the secret.
    pub secret: &'a Result<Vec<KeyRecord>, Unread>,
    /// The key set as the API serves it, where it does.
    pub published: Option<&'a KeySet>,
    /// Whether it is known that some are in KMS.
    pub has_kms: bool,
}

const GENERATE: &str = "make some: workflows keys generate";

/// Judges the keys, under the name that the secret has in this stack.
#[must_use]
pub fn judge(subject: &str, facts: &KeyFacts<'_>, now: Timestamp) -> Vec<Finding> {
    let check = Check::Keys;
    let keys = match facts.secret {
        Ok(keys) => keys,
        Err(Unread::Unseen(unseen)) => return vec![check.unseen(subject, unseen, GENERATE)],
        Err(Unread::Unfit(said)) => {
            let advice = "put back the version before (AWSPREVIOUS), or empty it and make new keys: \
                          workflows keys generate";
            return vec![check.finding(subject, State::Failed, said, advice)];
        }
    };
    let published = facts.published.map(KeySet::kids).unwrap_or_default();
    if keys.is_empty() {
        return vec![if published.is_empty() {
            let said = "there are no keys: nothing can be signed, and nothing is delivered";
            check.finding(subject, State::Failed, said, GENERATE)
        } else if facts.has_kms {
            check.ok(
                subject,
                format!("it holds none; the API serves {}, in KMS", count(published.len())),
            )
        } else {
            let said = format!("it holds none, and the API serves {}", count(published.len()));
            let advice = "are they in KMS? Say so by SIGNING_KMS_KEY_ID. Else they were taken out, or the \
                          API is another stack's: workflows keys generate makes new ones";
            check.finding(subject, State::Warning, said, advice)
        }];
    }
    let mut findings = Vec::new();
    for algorithm in SigningAlgorithm::ALL {
        let of_it: Vec<&KeyRecord> = keys.iter().filter(|key| key.algorithm == algorithm).collect();
        if !of_it.is_empty() {
            findings.push(judge_algorithm(subject, algorithm, &of_it, facts, now));
        }
    }
    findings.extend(publication_flaws(subject, keys, facts, now));
    let is_default_there = keys.iter().any(|key| key.algorithm == SigningAlgorithm::Es256)
        || facts.published.is_some_and(|set| set.holds(Algorithm::Es256));
    if !is_default_there {
        let said = "there is no ES256 key, which subscriptions want that name no signingAlg";
        let advice = "make one: workflows keys generate --alg ES256";
        findings.push(check.finding(subject, State::Warning, said, advice));
    }
    findings
}

fn judge_algorithm(
    subject: &str,
    algorithm: SigningAlgorithm,
    keys: &[&KeyRecord],
    facts: &KeyFacts<'_>,
    now: Timestamp,
) -> Finding {
    let check = Check::Keys;
    let subject = &format!("{subject} {algorithm}");
    let having = |status: Status| keys.iter().find(|key| key.status == status);
    let Some(current) = having(Status::Current) else {
        let is_elsewhere = facts.published.is_some_and(|set| {
            let ours = |kid: &&str| keys.iter().any(|key| key.kid == **kid);
            let others = set.kids().into_iter().filter(|kid| !ours(kid));
            others.into_iter().any(|kid| set.find(Some(kid), algorithm.algorithm()).is_some())
        });
        if is_elsewhere {
            return check.ok(subject, "the key that signs is in KMS");
        }
        let said = format!("no {algorithm} key is current: nothing is signed by it");
        let advice =
            format!("let the next one sign: workflows keys rotate --alg {algorithm} --force");
        return check.finding(subject, State::Failed, said, advice);
    };
    let age_ms = now.since_ms(current.since);
    if age_ms > KEY_AGE_TOLD_MS {
        let said = format!("{} has signed for {} days", current.kid, age_ms / 86_400_000);
        let advice = format!("rotate: workflows keys rotate --alg {algorithm}");
        return check.finding(subject, State::Warning, said, advice);
    }
    if having(Status::Next).is_none() {
        let said = "there is no next key: should this one have to go, receivers know no other";
        let advice = format!("publish one: workflows keys rotate --alg {algorithm}");
        return check.finding(subject, State::Warning, said, advice);
    }
    let signs =
        format!("{} signs since {}; a next key is there", current.kid, current.since.to_rfc3339());
    check.ok(subject, signs)
}

/// How the secret and the published set differ.
fn publication_flaws(
    subject: &str,
    keys: &[KeyRecord],
    facts: &KeyFacts<'_>,
    now: Timestamp,
) -> Vec<Finding> {
    let check = Check::Keys;
    let Some(published) = facts.published.map(KeySet::kids) else { return Vec::new() };
    let mut findings = Vec::new();
    let is_published = |key: &&KeyRecord| published.contains(&key.kid.as_str());
    for key in keys.iter().filter(|key| !is_published(key)) {
        let is_new = now.since_ms(key.since) <= 2 * SIGNING_KEYS_REFRESH_MS;
        let signs = key.status != Status::Next && !is_new;
        let state = if signs { State::Failed } else { State::Warning };
        let said =
            format!("{}, {}, is not in the key set that the API serves", key.kid, key.status);
        let advice = if is_new {
            "wait: environments read the secret every five minutes"
        } else {
            "receivers refuse what it signs: is the API of this very stack (--url), and may the ingest \
             function read the secret? Its log says so"
        };
        findings.push(check.finding(subject, state, said, advice));
    }
    let others: Vec<&str> =
        published.iter().filter(|kid| keys.iter().all(|key| key.kid != **kid)).copied().collect();
    if !others.is_empty() && !facts.has_kms {
        let said = format!("the API serves {}, which the secret does not hold", others.join(", "));
        let advice = "wait five minutes, if keys were taken out just now. A key in KMS may be there; say so \
                      by SIGNING_KMS_KEY_ID. Else the API is another stack's";
        findings.push(check.finding(subject, State::Warning, said, advice));
    }
    if findings.is_empty() {
        findings.push(check.ok(
            subject,
            format!("the API serves {}, those that there are", count(published.len())),
        ));
    }
    findings
}

fn count(keys: usize) -> String {
    if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Current, Next, Previous};
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);
    const DAY_MS: u64 = 86_400_000;
    /// RFC 7515 appendix A.3.
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn key(kid: &str, status: Status, age_ms: u64) -> KeyRecord {
        let since = NOW.minus_ms(age_ms);
        KeyRecord { kid: kid.to_owned(), algorithm: SigningAlgorithm::Es256, status, since }
    }

    fn set(kids: &[&str]) -> KeySet {
        let jwk = |kid: &&str| -> Value {
            json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": X, "y": Y, "kid": kid})
        };
        let keys: Vec<Value> = kids.iter().map(jwk).collect();
        KeySet::from_json(&json!({ "keys": keys })).ok().unwrap_or_default()
    }

    /// The worst that is said of these keys.
    fn worst(secret: Vec<KeyRecord>, kids: &[&str]) -> (State, String) {
        let (secret, published) = (Ok(secret), set(kids));
        let facts = KeyFacts { secret: &secret, published: Some(&published), has_kms: false };
        let findings = judge("signing-keys", &facts, NOW);
        let worst = findings.into_iter().max_by_key(|finding| finding.state);
        worst.map_or((State::Ok, String::new()), |finding| (finding.state, finding.said))
    }

    #[test]
    fn keys_that_sign_and_are_published_are_well() {
        let keys = vec![key("c", Current, DAY_MS), key("n", Next, DAY_MS), key("p", Previous, 1)];
        assert_eq!(worst(keys, &["c", "n", "p"]).0, State::Ok);
        let (none, in_kms) = (Ok(Vec::new()), set(&["in-kms"]));
        let facts = KeyFacts { secret: &none, published: Some(&in_kms), has_kms: true };
        assert_eq!(judge("signing-keys", &facts, NOW)[0].state, State::Ok);
        assert_eq!(worst(Vec::new(), &["in-kms"]).0, State::Warning, "unless it is known");
        let held = vec![key("n", Next, DAY_MS)];
        assert_eq!(worst(held, &["n", "in-kms"]).0, State::Warning, "unless it is known");
    }

    #[test]
    fn whatever_keeps_receivers_from_verifying_is_told() {
        let pair = || vec![key("c", Current, DAY_MS), key("n", Next, DAY_MS)];
        for (secret, kids, state, expected) in [
            (Vec::new(), &[][..], State::Failed, "there are no keys"),
            (vec![key("n", Next, DAY_MS)], &["n"], State::Failed, "no ES256 key is current"),
            (pair(), &["n"], State::Failed, "c, current, is not in the key set"),
            (pair(), &["c"], State::Warning, "n, next, is not in the key set"),
            (pair(), &["c", "n", "x"], State::Warning, "the API serves x, which the secret"),
            (vec![key("c", Current, DAY_MS)], &["c"], State::Warning, "there is no next key"),
            (
                vec![key("c", Current, 91 * DAY_MS), key("n", Next, DAY_MS)],
                &["c", "n"],
                State::Warning,
                "c has signed for 91 days",
            ),
            // Made just now, and not read by every environment yet.
            (
                vec![key("c", Current, 1_000), key("n", Next, 1_000)],
                &["c-before"],
                State::Warning,
                "",
            ),
        ] {
            let (found, said) = worst(secret, kids);
            assert!(found == state && said.contains(expected), "{expected}: {said}");
        }
    }

    #[test]
    fn another_algorithm_is_not_the_default_one() {
        let eddsa =
            |status| KeyRecord { algorithm: SigningAlgorithm::EdDsa, ..key("e", status, DAY_MS) };
        let secret = Ok(vec![eddsa(Current), KeyRecord { kid: "f".to_owned(), ..eddsa(Next) }]);
        let facts = KeyFacts { secret: &secret, published: None, has_kms: false };
        let findings = judge("signing-keys", &facts, NOW);
        let said: Vec<&str> = findings.iter().map(|finding| finding.said.as_str()).collect();
        assert!(said.iter().any(|said| said.starts_with("there is no ES256 key")), "{said:?}");
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_no_secret_without_keys() {
        let unfit: Result<Vec<KeyRecord>, Unread> = Err(Unread::Unfit("no set".to_owned()));
        let denied = Unseen::NotAllowed {
            action: "secretsmanager:GetSecretValue",
            on: "secret:signing-keys".to_owned(),
        };
        let unseen: Result<Vec<KeyRecord>, Unread> = Err(Unread::Unseen(denied));
        for (secret, state) in [(unfit, State::Failed), (unseen, State::NotAllowed)] {
            let facts = KeyFacts { secret: &secret, published: None, has_kms: false };
            assert_eq!(judge("signing-keys", &facts, NOW)[0].state, state);
        }
    }
}
