//! The secret as a document: what is changed, and what stays.

use domain::key_rotation::{SigningAlgorithm, Status, Urgency, generate, rotate};
use domain::limits::KEY_PUBLISHED_BEFORE_MS;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;

fn made() -> PrivateKeySet {
    let mut set = PrivateKeySet::empty();
    for algorithm in [ES256, SigningAlgorithm::EdDsa] {
        let changes = generate(&set.records(), algorithm).expect("no keys yet");
        let _written = set.apply(&changes, NOW);
    }
    set
}

fn reread(set: &PrivateKeySet, stored_at: Timestamp) -> PrivateKeySet {
    PrivateKeySet::parse(&set.text(), Some("v".to_owned()), stored_at).expect("valid keys")
}

#[test]
fn what_is_written_is_read_by_those_who_sign_and_says_since_when() {
    let set = made();
    SigningKeys::parse(&set.text()).expect("a secret");
    let records = reread(&set, NOW.plus_ms(5)).records();
    let seen: Vec<_> = records.iter().map(|key| (key.algorithm, key.status, key.since)).collect();
    let expected = [ES256, SigningAlgorithm::EdDsa]
        .map(|algorithm| [Status::Current, Status::Next].map(|status| (algorithm, status, NOW)));
    assert_eq!(seen, expected.as_flattened());
}

#[test]
fn a_rotation_moves_each_key_on_and_touches_no_other() {
    let mut set = made();
    set.set.insert("note".to_owned(), "ours".into());
    let enc: Value = serde_json::from_str(&SigningKeys::generate_for_encryption()).expect("JSON");
    set.all().push(enc.clone());
    set.all()[0]["x5t"] = "kept".into();
    let mut set = reread(&set, NOW);
    let before = set.records();
    let later = NOW.plus_ms(KEY_PUBLISHED_BEFORE_MS);
    let changes = rotate(&before, ES256, Urgency::Planned, later).expect("it is time");
    let written = set.apply(&changes, later);
    let after = set.records();
    let status =
        |kid: &str| after.iter().find(|key| key.kid == kid).map(|key| (key.status, key.since));
    assert_eq!(status(&before[0].kid), Some((Status::Previous, later)));
    assert_eq!(status(&before[1].kid), Some((Status::Current, later)));
    assert_eq!(after[2..4], before[2..4], "the other algorithm");
    let new = written.last().expect("a new key").kid.clone();
    assert_eq!(status(&new), Some((Status::Next, later)));
    let text: Value = serde_json::from_str(&set.text()).expect("JSON");
    assert_eq!((&text["note"], &text["keys"][0]["x5t"]), (&json!("ours"), &json!("kept")));
    assert!(text["keys"].as_array().is_some_and(|keys| keys.contains(&enc)));
    assert_eq!(set.for_encryption().len(), 1);
    SigningKeys::parse(&set.text()).expect("a secret");
}

#[test]
fn a_key_that_says_nothing_counts_from_when_it_was_stored_and_goes_on_so() {
    let mut set =
        PrivateKeySet::parse(&SigningKeys::generate(), None, NOW).expect("a set of before");
    assert!(set.records().iter().all(|key| key.since == NOW));
    let later = NOW.plus_ms(1_000);
    let changes = generate(&set.records(), SigningAlgorithm::Rs256).expect("there is none");
    let _written = set.apply(&changes, later);
    let again = reread(&set, later);
    let since: Vec<_> = again.records().iter().map(|key| key.since).collect();
    assert_eq!(since, [NOW, NOW, later, later]);
}

#[test]
fn compromised_keys_are_gone_at_once() {
    let mut set = made();
    let before = set.records();
    let changes = rotate(&before, ES256, Urgency::Compromised, NOW).expect("always");
    let _written = set.apply(&changes, NOW);
    for key in &before[..2] {
        assert!(!set.text().contains(&key.kid));
    }
    SigningKeys::parse(&set.text()).expect("a secret");
}

#[test]
fn the_version_that_follows_is_one_and_the_same_for_all() {
    let (mine, yours) = (made(), made());
    assert!(mine.text() != yours.text());
    assert_eq!(mine.next_version(), yours.next_version());
    assert_eq!(mine.next_version().len(), 64);
    assert_ne!(mine.next_version(), reread(&mine, NOW).next_version());
}

#[test]
fn what_is_no_key_set_is_not_written_over() {
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[{"kty":"EC"}]}"#] {
        let read = PrivateKeySet::parse(bad, None, NOW).map(|_| ());
        assert_eq!(read, Err(InvalidKeys::Shape), "{bad}");
    }
}
