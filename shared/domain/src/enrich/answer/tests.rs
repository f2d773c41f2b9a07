//! Every way in which an answer can lie, each named for the attack (rows A55 to A78).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::jose::{Algorithm, KeySet};
use crate::subscription::KeySource;

const NOW_S: u64 = 1_795_428_000;
const ISSUER: &str = "https://system.example.com";
const US: &str = "https://idp.example.com";

struct Signer {
    pair: EcdsaKeyPair,
    rules: AnswerRules,
}

impl Signer {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let keys = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]});
        let rules = AnswerRules {
            issuer: ISSUER.to_owned(),
            keys: KeySource::Pinned(KeySet::from_json(&keys).expect("a key set")),
            algorithm: Algorithm::Es256,
            binding: Binding::Required,
        };
        Self { pair, rules }
    }

    fn sign(&self, header: &str, payload: &[u8]) -> String {
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("signs");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn good(&self) -> String {
        self.sign(HEADER, good().to_string().as_bytes())
    }

    fn judge_reply(
        &self,
        body: &[u8],
        content_type: Option<&str>,
    ) -> Result<Answer, AnswerRefusal> {
        let token = token(body, content_type, &self.rules)?;
        let KeySource::Pinned(keys) = &self.rules.keys else { unreachable!("pinned above") };
        let key = keys.find(token.kid.as_deref(), Algorithm::Es256).ok_or(AnswerRefusal::Key)?;
        let expected = Expected {
            jti: "request-1",
            sub: Some("user-1"),
            audience: US,
            now: Timestamp::from_ms(NOW_S * 1_000),
        };
        verify(token, key, &self.rules, expected)
    }

    fn judge(&self, token: &str) -> Option<AnswerRefusal> {
        self.judge_reply(token.as_bytes(), Some("application/jwt")).err()
    }

    /// What a good payload comes to with some members changed; `null` removes a member.
    fn judge_with(&self, patch: &Value) -> Option<AnswerRefusal> {
        let mut payload = good();
        let members = payload.as_object_mut().expect("an object");
        for (name, value) in patch.as_object().expect("an object") {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        self.judge(&self.sign(HEADER, payload.to_string().as_bytes()))
    }
}

const HEADER: &str = r#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#;

fn good() -> Value {
    json!({
        "iss": ISSUER, "iat": NOW_S, "jti": "request-1", "action": "allow",
        "custom_claims": {"tier": "gold"},
    })
}

#[test]
fn the_documented_answer_is_believed() {
    let signer = Signer::new();
    let answer = signer.judge_reply(signer.good().as_bytes(), None).expect("believed");
    assert_eq!(answer.action, Action::Allow);
    assert_eq!(answer.claims.len(), 1);
    for patch in [
        json!({"custom_claims": null}),
        json!({"aud": US, "sub": "user-1", "exp": NOW_S + 60, "nbf": NOW_S}),
        json!({"aud": [US]}),
        json!({"jti": "its-own", "txn": "request-1"}),
        json!({"action": "block"}),
        json!({"action": "challenge"}),
    ] {
        assert_eq!(signer.judge_with(&patch), None, "{patch}");
    }
}

#[test]
fn a55_unsigned_and_wrongly_signed_answers_are_refused() {
    let signer = Signer::new();
    let payload = good().to_string();
    for alg in ["none", "None", "nOnE"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"k1"}}"#);
        let unsigned =
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&payload));
        assert_eq!(signer.judge(&unsigned), Some(AnswerRefusal::Token), "{alg}");
        let token = signer.sign(&header, payload.as_bytes());
        assert_eq!(signer.judge(&token), Some(AnswerRefusal::Algorithm), "{alg}");
    }
    let other_message = signer.sign(HEADER, br#"{"action":"block"}"#);
    let (input, _) =
        signer.good().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("parts");
    let (_, signature) = other_message.rsplit_once('.').expect("parts");
    assert_eq!(signer.judge(&format!("{input}.{signature}")), Some(AnswerRefusal::Signature));
    let someone_else = Signer::new().good();
    assert_eq!(signer.judge(&someone_else), Some(AnswerRefusal::Signature));
}

#[test]
fn a56_a57_only_the_registered_algorithm_counts() {
    let signer = Signer::new();
    let payload = good().to_string();
    for alg in ["HS256", "RS256", "RS512", "PS256", "ES384", "EdDSA", "es256", ""] {
        let header = format!(r#"{{"alg":"{alg}","kid":"k1"}}"#);
        let token = signer.sign(&header, payload.as_bytes());
        assert_eq!(signer.judge(&token), Some(AnswerRefusal::Algorithm), "{alg}");
    }
}

#[test]
fn a59_a60_headers_that_change_the_rules_are_refused() {
    let signer = Signer::new();
    let payload = good().to_string();
    let judge = |header: &str| signer.judge(&signer.sign(header, payload.as_bytes()));
    for extra in [
        r#""crit":["x"]"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""jku":"https://x.example""#,
        r#""jwk":{}"#,
        r#""x5u":"https://x.example""#,
        r#""x5c":[]"#,
        r#""zip":"DEF""#,
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k1",{extra}}}"#);
        assert_eq!(judge(&header), Some(AnswerRefusal::Header), "{extra}");
    }
    for typ in ["at+jwt", "logout+jwt", "secevent+jwt", "id_token"] {
        let header = format!(r#"{{"alg":"ES256","kid":"k1","typ":"{typ}"}}"#);
        assert_eq!(judge(&header), Some(AnswerRefusal::Type), "{typ}");
    }
    assert_eq!(judge(r#"{"alg":"ES256","kid":"k2"}"#), Some(AnswerRefusal::Key));
}

#[test]
fn a61_another_issuer_or_audience_is_refused() {
    let signer = Signer::new();
    for iss in [
        json!(null),
        json!([ISSUER]),
        json!("https://system.example.com/"),
        json!("https://SYSTEM.example.com"),
        json!(US),
    ] {
        assert_eq!(signer.judge_with(&json!({"iss": iss})), Some(AnswerRefusal::Issuer), "{iss}");
    }
    for aud in [
        json!("https://other.example.com"),
        json!([US, "https://other.example.com"]),
        json!([]),
        json!(7),
    ] {
        assert_eq!(signer.judge_with(&json!({"aud": aud})), Some(AnswerRefusal::Audience), "{aud}");
    }
}

#[test]
fn a62_a63_times_that_are_off_or_odd_are_refused() {
    let signer = Signer::new();
    for iat in [NOW_S + 59, NOW_S - 59] {
        assert_eq!(signer.judge_with(&json!({"iat": iat})), None, "{iat}");
    }
    assert_eq!(signer.judge_with(&json!({"exp": NOW_S - 29, "iat": NOW_S - 40})), None);
    for patch in [
        json!({"iat": NOW_S + 61}),
        json!({"iat": NOW_S - 61}),
        json!({"iat": null}),
        json!({"iat": NOW_S.to_string()}),
        json!({"iat": 1.5}),
        json!({"iat": -1}),
        json!({"iat": true}),
        json!({"exp": NOW_S - 31, "iat": NOW_S - 40}),
        json!({"exp": NOW_S + 86_400}),
        json!({"exp": "later"}),
        json!({"exp": 253_402_300_800_u64}),
        json!({"exp": u64::MAX}),
        json!({"exp": i64::MAX}),
        json!({"iat": i64::MAX}),
        json!({"nbf": i64::MAX}),
        json!({"nbf": NOW_S + 31}),
        json!({"nbf": []}),
    ] {
        assert_eq!(signer.judge_with(&patch), Some(AnswerRefusal::Time), "{patch}");
    }
    let null = good().to_string().replace(&format!("\"iat\":{NOW_S}"), "\"iat\":null");
    assert_eq!(signer.judge(&signer.sign(HEADER, null.as_bytes())), Some(AnswerRefusal::Time));
}

#[test]
fn a64_an_answer_to_another_question_is_refused_when_binding_is_required() {
    let mut signer = Signer::new();
    let other = [json!({"jti": null}), json!({"jti": "request-0"}), json!({"jti": ["request-1"]})];
    for patch in &other {
        assert_eq!(signer.judge_with(patch), Some(AnswerRefusal::Binding), "{patch}");
    }
    signer.rules.binding = Binding::Optional;
    for patch in &other {
        assert_eq!(signer.judge_with(patch), None, "{patch}");
    }
}

#[test]
fn a65_an_answer_about_another_user_is_refused() {
    let signer = Signer::new();
    for sub in [json!("user-2"), json!("USER-1"), json!(["user-1"]), json!("")] {
        assert_eq!(signer.judge_with(&json!({"sub": sub})), Some(AnswerRefusal::Subject), "{sub}");
    }
}

#[test]
fn a66_actions_are_read_to_the_letter_and_only_once() {
    let signer = Signer::new();
    for action in [
        json!("ALLOW"),
        json!("allow "),
        json!(["allow"]),
        json!(null),
        json!("permit"),
        json!(true),
    ] {
        assert_eq!(
            signer.judge_with(&json!({"action": action})),
            Some(AnswerRefusal::Action),
            "{action}"
        );
    }
    let twice =
        good().to_string().replace(r#""action":"allow""#, r#""action":"block","action":"allow""#);
    assert_eq!(signer.judge(&signer.sign(HEADER, twice.as_bytes())), Some(AnswerRefusal::Payload));
    let escaped = good()
        .to_string()
        .replace(r#""action":"allow""#, r#""action":"block","\u0061ction":"allow""#);
    assert_eq!(
        signer.judge(&signer.sign(HEADER, escaped.as_bytes())),
        Some(AnswerRefusal::Payload)
    );
}

#[test]
fn a67_a68_a69_claims_beyond_the_contract_are_refused() {
    let signer = Signer::new();
    for claims in [json!({"sub": "admin"}), json!({"SUB": "admin"}), json!({"aud": "x"})] {
        let refused = signer.judge_with(&json!({"custom_claims": claims}));
        assert_eq!(refused, Some(AnswerRefusal::ReservedClaim), "{claims}");
    }
    for claims in [json!([]), json!("x"), json!({"k": {"deep": 1}}), json!({"k": 1.5})] {
        let refused = signer.judge_with(&json!({"custom_claims": claims}));
        assert_eq!(refused, Some(AnswerRefusal::Claims), "{claims}");
    }
    assert_eq!(signer.judge_with(&json!({"admin": true})), Some(AnswerRefusal::Payload));
    let null = good().to_string().replace(r#"{"tier":"gold"}"#, "null");
    assert_eq!(signer.judge(&signer.sign(HEADER, null.as_bytes())), Some(AnswerRefusal::Claims));
    for payload in ["[]", "7", "", "{", "{\"iss\":1}x"] {
        assert!(signer.judge(&signer.sign(HEADER, payload.as_bytes())).is_some(), "{payload}");
    }
    assert_eq!(
        signer.judge(&signer.sign(HEADER, b"{\"iss\":\"\xff\"}")),
        Some(AnswerRefusal::Payload)
    );
}

#[test]
fn a73_a74_a78_bodies_that_are_not_one_token_are_refused() {
    let signer = Signer::new();
    let token = signer.good();
    for body in [
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}="),
        format!("{token}.{token}"),
        format!("{token}<html>"),
        json!({ "payload": token }).to_string(),
        String::new(),
    ] {
        assert_eq!(signer.judge(&body), Some(AnswerRefusal::Token), "{body:?}");
    }
    let html = signer.judge_reply(token.as_bytes(), Some("text/html; charset=utf-8"));
    assert_eq!(html.err(), Some(AnswerRefusal::ContentType));
    for content_type in ["application/jwt", "Application/JOSE", "text/plain;charset=utf-8"] {
        assert!(signer.judge_reply(token.as_bytes(), Some(content_type)).is_ok(), "{content_type}");
    }
    assert_eq!(signer.judge_reply(b"\xff\xfe", None).err(), Some(AnswerRefusal::Token));
}

proptest! {
    #[test]
    fn l11_no_mutated_answer_is_believed(at in 0usize..400, byte in 0x20u8..0x7f) {
        let signer = Signer::new();
        let mut body = signer.good().into_bytes();
        let at = at % body.len();
        prop_assume!(body[at] != byte);
        body[at] = byte;
        prop_assert!(signer.judge_reply(&body, None).is_err());
    }

    #[test]
    fn l11_no_cut_answer_is_believed(keep in 0usize..400) {
        let signer = Signer::new();
        let body = signer.good();
        let cut = &body[..keep % body.len()];
        prop_assert!(signer.judge(cut).is_some());
    }

    #[test]
    fn noise_is_refused_without_a_panic(noise: Vec<u8>) {
        prop_assert!(Signer::new().judge_reply(&noise, None).is_err());
    }
}
