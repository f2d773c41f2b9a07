//! What a secret must be, what is signed, and what is published.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::jose::{KeySet, Unverified};
use serde_json::{Value, json};

#[test]
fn what_is_signed_verifies_through_the_published_keys() {
    let keys = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
    let published = KeySet::parse(keys.published().as_bytes()).expect("a key set");
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let token = keys.sign(algorithm, r#"{"jti":"e1"}"#).expect("a key");
        let unverified = Unverified::parse(token.as_str(), &[TYP]).expect("well-formed");
        let key = published.find(unverified.kid.as_deref(), algorithm).expect("published");
        assert_eq!(unverified.verify(key).as_deref(), Some(&br#"{"jti":"e1"}"#[..]));
    }
    assert_eq!(keys.sign(Algorithm::Rs256, "{}").err(), Some(NotSigned::NoKey));
}

/// A set with a key for ES256 and these.
fn with(keys: &[Value]) -> Result<SigningKeys, InvalidKeys> {
    let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
    let all = set["keys"].as_array_mut().expect("keys");
    all.truncate(1);
    all.extend_from_slice(keys);
    SigningKeys::parse(&set.to_string())
}

/// The key of RFC 8037 appendix A.1.
fn rfc_8037(status: &str) -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": status, "status": status,
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

#[test]
fn an_ed25519_signature_is_that_of_rfc_8037() {
    let keys = with(&[rfc_8037("current")]).expect("valid keys");
    // Appendix A.4.
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7s\
                    VvpAr_MuM0KAg";
    let signed: Vec<String> = keys
        .sign_webhook(input)
        .into_iter()
        .map(|signature| match signature {
            Signature::V1a(octets) => URL_SAFE_NO_PAD.encode(octets),
            Signature::V1(_) => unreachable!("it has no secret"),
        })
        .collect();
    assert_eq!(signed, [expected]);
}

#[test]
fn a_webhook_has_the_signatures_of_the_current_and_the_previous_ed25519_key() {
    let signatures = |statuses: &[&str]| {
        let keys: Vec<Value> = statuses.iter().map(|status| rfc_8037(status)).collect();
        with(&keys).map(|keys| keys.sign_webhook("x").len())
    };
    assert_eq!(signatures(&[]), Ok(0));
    assert_eq!(signatures(&["next"]), Ok(0));
    assert_eq!(signatures(&["previous", "current", "next"]), Ok(2));
    assert_eq!(signatures(&["current", "current"]), Err(InvalidKeys::Current));
}

#[test]
fn nothing_private_is_published() {
    let secret = SigningKeys::generate();
    let parsed: Value = serde_json::from_str(&secret).expect("JSON");
    let keys = SigningKeys::parse(&secret).expect("valid keys");
    let published: Value = serde_json::from_str(keys.published()).expect("JSON");
    let members: [&[&str]; 2] =
        [&["alg", "crv", "kid", "kty", "use", "x", "y"], &["alg", "crv", "kid", "kty", "use", "x"]];
    for (index, expected) in members.into_iter().enumerate() {
        let d = parsed["keys"][index]["d"].as_str().expect("a private part");
        assert!(!keys.published().contains(d));
        let key = published["keys"][index].as_object().expect("a key");
        let members: std::collections::BTreeSet<_> = key.keys().map(String::as_str).collect();
        assert_eq!(members, expected.iter().copied().collect());
    }
}

#[test]
fn next_and_previous_keys_are_published_and_do_not_sign() {
    let with_status = |status: &str| {
        let set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
        let mut key = set["keys"][0].clone();
        key["status"] = status.into();
        key
    };
    let set = |statuses: &[&str]| {
        let keys: Vec<_> = statuses.iter().map(|status| with_status(status)).collect();
        SigningKeys::parse(&serde_json::json!({ "keys": keys }).to_string())
    };
    let keys = set(&["previous", "current", "next"]).expect("valid keys");
    assert_eq!(keys.published().matches("\"kid\"").count(), 3);
    assert_eq!(set(&["next"]).err(), Some(InvalidKeys::Current));
    assert_eq!(set(&["current", "current"]).err(), Some(InvalidKeys::Current));
}

#[test]
fn a_damaged_secret_is_refused_without_being_shown() {
    let secret = SigningKeys::generate();
    let other: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
    let mut mixed: Value = serde_json::from_str(&secret).expect("JSON");
    for index in [0, 1] {
        let right = mixed["keys"][index]["d"].take();
        mixed["keys"][index]["d"] = other["keys"][index]["d"].clone();
        assert_eq!(SigningKeys::parse(&mixed.to_string()).err(), Some(InvalidKeys::Pair));
        mixed["keys"][index]["d"] = right;
    }
    for bad in ["", "{}", "PRIVATE KEY", &secret.replace("ES256", "HS256")] {
        assert_eq!(SigningKeys::parse(bad).err(), Some(InvalidKeys::Shape));
    }
}

#[test]
fn rs256_is_signed_with_a_key_of_2048_bits_that_is_read_from_a_jwk() {
    let secret = SigningKeys::generate_for(&[SigningAlgorithm::Rs256]);
    let keys = SigningKeys::parse(&secret).expect("valid keys");
    let published = KeySet::parse(keys.published().as_bytes()).expect("a key set");
    let token = keys.sign(Algorithm::Rs256, r#"{"jti":"e1"}"#).expect("a key");
    let unverified = Unverified::parse(token.as_str(), &[TYP]).expect("well-formed");
    let key = published.find(unverified.kid.as_deref(), Algorithm::Rs256).expect("published");
    assert_eq!(unverified.verify(key).as_deref(), Some(&br#"{"jti":"e1"}"#[..]));
    assert_eq!(keys.sign(Algorithm::Es256, "{}").err(), Some(NotSigned::NoKey));

    let parsed: Value = serde_json::from_str(&secret).expect("JSON");
    let n = parsed["keys"][0]["n"].as_str().expect("a modulus");
    assert_eq!(URL_SAFE_NO_PAD.decode(n).map(|n| n.len()), Ok(256));
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        let member = parsed["keys"][0][private].as_str().expect("a number");
        assert!(!keys.published().contains(member), "{private}");
        let mut without = parsed.clone();
        without["keys"][0][private] = Value::Null;
        assert_eq!(SigningKeys::parse(&without.to_string()).err(), Some(InvalidKeys::Shape));
    }
    let published: Value = serde_json::from_str(keys.published()).expect("JSON");
    let members: Vec<_> = published["keys"][0].as_object().expect("a key").keys().collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
}

#[test]
fn an_rsa_key_that_is_short_or_not_its_own_is_refused() {
    let secret = |_| SigningKeys::generate_for(&[SigningAlgorithm::Rs256]);
    let [mut mine, other] =
        [0, 1].map(secret).map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
    let right = mine.clone();
    for member in ["n", "d", "p", "q", "dp", "dq", "qi"] {
        mine["keys"][0][member] = other["keys"][0][member].clone();
        assert_eq!(
            SigningKeys::parse(&mine.to_string()).err(),
            Some(InvalidKeys::Pair),
            "{member}"
        );
        mine = right.clone();
    }
    // 2,047 bits, and as many octets as 2,048.
    let short = [&[0x7f][..], &[0xff; 255]].concat();
    mine["keys"][0]["n"] = URL_SAFE_NO_PAD.encode(short).into();
    assert_eq!(SigningKeys::parse(&mine.to_string()).err(), Some(InvalidKeys::Weak));
}

#[test]
fn members_that_this_release_does_not_know_are_ignored_and_not_published() {
    let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
    for key in set["keys"].as_array_mut().expect("keys") {
        key["createdAt"] = 1_795_428_000_000_u64.into();
        key["futureMember"] = json!({"secret": ["canary"]});
    }
    let keys = SigningKeys::parse(&set.to_string()).expect("valid keys");
    assert!(!keys.published().contains("createdAt") && !keys.published().contains("canary"));
}
