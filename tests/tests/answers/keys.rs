//! Key sets that lie (A71), each before an answer that is signed with the key in question.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::enrich::{AnswerRefusal, judge};
use domain::jose::{Algorithm, KeySet, KeySetRefusal};
use domain::limits::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX};
use serde_json::{Value, json};
use testkit::answers::question;

use super::{Target, strangers, targets};

/// What a right answer comes to with this key set.
fn judge_with(target: &Target, jwks: &Value) -> Option<AnswerRefusal> {
    let keys = KeySet::parse(jwks.to_string().as_bytes()).expect("a key set");
    judge(target.good().as_bytes(), None, &target.rules, &keys, question()).err()
}

/// The target's key with some members changed; `null` removes a member.
fn jwk_with(target: &Target, patch: &Value) -> Value {
    let mut jwk = target.signer.jwk();
    let members = jwk.as_object_mut().expect("an object");
    for (name, value) in patch.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    jwk
}

#[test]
fn a71_a_key_that_must_not_be_trusted_is_passed_over() {
    for target in targets() {
        for patch in [
            json!({"d": "AQID"}),
            json!({"d": ""}),
            json!({"k": "AQID"}),
            json!({"p": "AQID"}),
            json!({"use": "enc"}),
            json!({"use": "SIG"}),
            json!({"use": ["sig"]}),
            json!({"key_ops": ["sign"]}),
            json!({"key_ops": ["encrypt", "wrapKey"]}),
            json!({"key_ops": []}),
            json!({"key_ops": "verify"}),
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS512"}),
            json!({"alg": "ECDH-ES+A256KW"}),
            json!({"alg": "RSA-OAEP-256"}),
            json!({"alg": ["ES256"]}),
            json!({"kty": "oct", "k": "AQID"}),
            json!({"kty": "oct"}),
            json!({"kty": "ec"}),
            json!({"kty": null}),
            json!({"kid": ["k1"]}),
        ] {
            let jwks = json!({"keys": [jwk_with(target, &patch)]});
            assert_eq!(judge_with(target, &jwks), Some(AnswerRefusal::Key), "{patch}");
        }
        for patch in [
            json!({"use": "sig", "key_ops": ["verify"]}),
            json!({"alg": null, "x5t": "AQID", "x-comment": {"a": 1}}),
        ] {
            let jwks = json!({"keys": [jwk_with(target, &patch)]});
            assert_eq!(judge_with(target, &jwks), None, "{patch}");
        }
    }
}

#[test]
fn a71_a_point_that_is_not_on_its_curve_is_passed_over() {
    let flip = |text: &str| {
        let mut octets = URL_SAFE_NO_PAD.decode(text).expect("base64url");
        octets[0] ^= 1;
        URL_SAFE_NO_PAD.encode(octets)
    };
    for target in targets() {
        let jwk = target.signer.jwk();
        let Some(y) = jwk["y"].as_str() else { continue };
        for patch in [
            json!({"y": flip(y)}),
            json!({"x": y}),
            json!({"y": URL_SAFE_NO_PAD.encode(vec![0; 32])}),
            json!({"y": URL_SAFE_NO_PAD.encode([[0].as_slice(), &[7; 32]].concat())}),
            json!({"y": ""}),
            json!({"y": null}),
            json!({"y": format!("{y}=")}),
            json!({"crv": "secp256k1"}),
            json!({"crv": "P-521"}),
            json!({"crv": "Ed25519"}),
            json!({"crv": null}),
        ] {
            let jwks = json!({"keys": [jwk_with(target, &patch)]});
            let keys = KeySet::from_json(&jwks).expect("a key set");
            assert!(!Algorithm::ALL.into_iter().any(|alg| keys.holds(alg)), "{patch}");
            assert_eq!(judge_with(target, &jwks), Some(AnswerRefusal::Key), "{patch}");
        }
    }
}

#[test]
fn a71_an_rsa_key_that_can_be_broken_is_passed_over() {
    let of = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xb5; bytes]);
    for target in &targets()[2..4] {
        let n = target.signer.jwk()["n"].as_str().expect("a modulus").to_owned();
        let padded = [[0].as_slice(), &URL_SAFE_NO_PAD.decode(&n).expect("octets")].concat();
        for patch in [
            json!({"n": of(64)}),
            json!({"n": of(128)}),
            json!({"n": of(255)}),
            json!({"n": of(1_025)}),
            json!({"n": URL_SAFE_NO_PAD.encode(vec![0xb4; 256])}),
            json!({"n": URL_SAFE_NO_PAD.encode(padded)}),
            json!({"n": ""}),
            json!({"n": null}),
            json!({"e": "AQ"}),
            json!({"e": "Aw"}),
            json!({"e": "EQ"}),
            json!({"e": "AQAA"}),
            json!({"e": of(8)}),
            json!({"e": of(64)}),
            json!({"e": ""}),
            json!({"e": 65_537}),
            json!({"e": null}),
        ] {
            let jwks = json!({"keys": [jwk_with(target, &patch)]});
            assert_eq!(judge_with(target, &jwks), Some(AnswerRefusal::Key), "{patch}");
        }
    }
}

#[test]
fn a71_bad_neighbours_do_not_take_a_good_key_along() {
    for (target, stranger) in targets().iter().zip(strangers()) {
        let mut other = stranger.signer.jwk();
        other["kid"] = "k0".into();
        let jwks = json!({"keys": [
            {"kty": "oct", "k": "AQID", "kid": "k1"}, 7, null, "x", {}, other,
            {"kty": "RSA", "n": "AQ", "e": "AQ", "kid": "k1"}, target.signer.jwk(),
        ]});
        assert_eq!(judge_with(target, &jwks), None);
        // Two keys of one name: neither is tried.
        let twins = json!({"keys": [stranger.signer.jwk(), target.signer.jwk()]});
        assert_eq!(judge_with(target, &twins), Some(AnswerRefusal::Key));
    }
}

#[test]
fn a71_a_key_set_beyond_the_limits_is_refused_whole() {
    let target = &targets()[0];
    let refusal = |text: &[u8]| KeySet::parse(text).err();
    let keys = |n: usize| json!({"keys": vec![target.signer.jwk(); n]}).to_string();
    assert_eq!(refusal(keys(KEY_SET_KEYS_MAX).as_bytes()), None);
    assert_eq!(refusal(keys(KEY_SET_KEYS_MAX + 1).as_bytes()), Some(KeySetRefusal::TooMany));
    let ten_thousand = json!({"keys": vec![json!({}); 10_000]}).to_string();
    assert_eq!(refusal(ten_thousand.as_bytes()), Some(KeySetRefusal::TooMany));
    assert_eq!(refusal(keys(10_000).as_bytes()), Some(KeySetRefusal::TooLarge));
    assert_eq!(refusal(&vec![b' '; 10 * 1024 * 1024]), Some(KeySetRefusal::TooLarge));
    assert_eq!(refusal(&vec![b'['; KEY_SET_BYTES_MAX]), Some(KeySetRefusal::Shape));
    for shape in [
        "",
        "null",
        "[]",
        "{}",
        "<!doctype html><title>Sign in</title>",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kty":"EC","kty":"RSA"}]}"#,
        r#"{"keys":[]}x"#,
        "{\"keys\":[\"\u{0}\"]}",
    ] {
        assert_eq!(refusal(shape.as_bytes()), Some(KeySetRefusal::Shape), "{shape}");
    }
    assert_eq!(refusal(b"{\"keys\":[\"\xff\"]}"), Some(KeySetRefusal::Shape));
}
