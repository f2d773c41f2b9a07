//! Answers that are encrypted to us: a JWT in a JWE (A75), through whole decisions.

use std::sync::LazyLock;

use adapters::clock;
use adapters::signing::SigningKeys;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::enrich::Decision;
use domain::subscription::Action;
use serde_json::{Value, json};
use testkit::answers::{payload, seal, token_of};

use super::decisions::{Keys, Outside, SOURCES, is_blocked};
use super::{Target, strangers, targets};

/// Our keys, of which one is for encryption; and its public part, as a target finds it.
static OURS: LazyLock<(SigningKeys, Value)> = LazyLock::new(|| {
    let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
    let key: Value = serde_json::from_str(&SigningKeys::generate_for_encryption()).expect("JSON");
    set["keys"].as_array_mut().expect("an array").push(key);
    let keys = SigningKeys::parse(&set.to_string()).expect("valid keys");
    let published: Value = serde_json::from_str(keys.published()).expect("JSON");
    let found = published["keys"].as_array().expect("keys").iter().find(|key| key["use"] == "enc");
    let jwk = found.expect("published").clone();
    (keys, jwk)
});

/// An outside whose subscription says that answers are encrypted, with `onUnavailable: allow`.
fn outside(target: &Target, keys: Keys, body: impl Into<Vec<u8>>) -> Outside<'static> {
    let mut outside = Outside::of(target, &keys, Action::Allow);
    outside.row["response"]["encryption"] = json!({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"});
    outside.ours = Some(&OURS.0);
    outside.body = Some(body.into());
    outside
}

async fn decide(target: &Target, body: impl Into<Vec<u8>>) -> Decision {
    outside(target, Keys::Pinned, body).decide().await
}

fn sealed(content: &str) -> String {
    seal(content.as_bytes(), &OURS.1, &json!({}))
}

#[tokio::test]
async fn an_answer_that_is_signed_and_then_encrypted_is_believed() {
    for target in targets() {
        for keys in SOURCES {
            let decision = outside(target, keys, sealed(&target.good())).decide().await;
            assert_eq!(decision.action, Action::Allow, "{target:?} {keys:?}");
            assert!(!decision.degraded && decision.custom_claims.contains_key("tier"));
        }
        for patch in [
            json!({"cty": null}),
            json!({"cty": "jwt", "typ": "JWT"}),
            // Without a name, our current key is meant.
            json!({"kid": null}),
        ] {
            let body = seal(target.good().as_bytes(), &OURS.1, &patch);
            assert_eq!(decide(target, body).await.action, Action::Allow, "{patch}");
        }
    }
}

#[tokio::test]
async fn a75_an_answer_in_the_clear_is_refused_where_encryption_is_registered_and_the_reverse() {
    for target in targets() {
        is_blocked(&decide(target, target.good()).await, "unencrypted");
        let mut unregistered = Outside::of(target, &Keys::Pinned, Action::Allow);
        unregistered.ours = Some(&OURS.0);
        unregistered.body = Some(sealed(&target.good()).into_bytes());
        is_blocked(&unregistered.decide().await, "token");
    }
}

#[tokio::test]
async fn a75_encryption_proves_nothing_and_what_is_inside_must() {
    for (target, stranger) in targets().iter().zip(strangers()) {
        let none = r#"{"alg":"none"}"#;
        let unsigned = token_of(none, payload().to_string().as_bytes(), b"");
        let pretended = token_of(none, payload().to_string().as_bytes(), b"x");
        let other_question =
            target.signer.sign(&testkit::answers::payload_with(&json!({"jti": "request-0"})));
        for (code, content) in [
            ("token", unsigned),
            ("alg", pretended),
            ("token", payload().to_string()),
            ("token", String::from("allow")),
            ("token", sealed(&target.good())),
            ("token", format!("{}\n", target.good())),
            ("signature", stranger.good()),
            ("binding", other_question),
        ] {
            is_blocked(&decide(target, sealed(&content)).await, code);
        }
    }
}

#[tokio::test]
async fn a75_what_is_encrypted_to_somebody_else_or_was_changed_is_refused() {
    let target = &targets()[0];
    let theirs: Value =
        serde_json::from_str(&SigningKeys::generate_for_encryption()).expect("JSON");
    let to_them = seal(target.good().as_bytes(), &theirs, &json!({}));
    is_blocked(&decide(target, to_them).await, "encryption");
    // Under our key's name, to theirs.
    let misnamed = seal(target.good().as_bytes(), &theirs, &json!({"kid": OURS.1["kid"]}));
    is_blocked(&decide(target, misnamed).await, "encryption");

    let good = sealed(&target.good());
    for part in 1..5 {
        let mut parts: Vec<Vec<u8>> =
            good.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url")).collect();
        parts[part][0] ^= 1;
        let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        is_blocked(&decide(target, parts.join(".")).await, "encryption");
    }
}

#[tokio::test]
async fn a75_a_header_that_asks_for_work_is_refused_before_any_is_done() {
    let target = &targets()[0];
    let content = target.good();
    let parts: Vec<String> = sealed(&content).split('.').map(str::to_owned).collect();
    let recipient = json!({"header": {"kid": OURS.1["kid"]}, "encrypted_key": parts[1]});
    let two_recipients = json!({
        "protected": parts[0], "recipients": [recipient, recipient], "iv": parts[2],
        "ciphertext": parts[3], "tag": parts[4],
    });
    let with = |patch: Value| seal(content.as_bytes(), &OURS.1, &patch);
    let cases = [
        (
            "alg",
            with(json!({"alg": "PBES2-HS512+A256KW", "p2s": "AQID", "p2c": 2_147_483_648_u32})),
        ),
        ("header", with(json!({"p2s": "AQID", "p2c": 2_147_483_648_u32}))),
        ("header", with(json!({"zip": "DEF"}))),
        ("alg", with(json!({"alg": "RSA1_5"}))),
        ("alg", with(json!({"alg": "RSA-OAEP-256"}))),
        ("alg", with(json!({"alg": "dir"}))),
        ("alg", with(json!({"enc": "A128CBC-HS256"}))),
        ("header", with(json!({"crit": ["exp"], "exp": 1}))),
        ("header", with(json!({"jku": "https://x.example/jwks"}))),
        ("typ", with(json!({"cty": "json"}))),
        ("token", two_recipients.to_string()),
        ("token", format!("{}.{}", parts.join("."), parts[1])),
        // 60 KiB of zeros, as a bomb would hold; and of a header.
        ("header", with(json!({"zip": "DEF", "kid": "k".repeat(40_000)}))),
    ];
    let begun_at = clock::now();
    for _ in 0..10 {
        for (code, body) in &cases {
            is_blocked(&decide(target, body.clone()).await, code);
        }
    }
    let elapsed_ms = clock::now().since_ms(begun_at);
    assert!(elapsed_ms < 5 * 10 * cases.len() as u64, "{elapsed_ms} ms");
}

#[tokio::test]
async fn a_key_that_we_do_not_have_is_no_fault_of_the_target_s_and_its_policy_does_not_speak() {
    let target = &targets()[0];
    let without = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
    for ours in [None, Some(&without)] {
        let body = sealed(&target.good()).into_bytes();
        let mut outside = Outside::of(target, &Keys::Pinned, Action::Allow);
        outside.row["response"]["encryption"] = json!({"alg": "ECDH-ES+A256KW"});
        outside.body = Some(body);
        outside.ours = ours;
        let decision = outside.decide().await;
        assert_eq!(decision.action, Action::Challenge);
        assert!(decision.degraded && decision.custom_claims.is_empty());
        assert_eq!(decision.reasons, ["decryption_key_unavailable"]);
    }
}
