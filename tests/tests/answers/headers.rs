//! What the first part of a token may not say, and signatures that are not the target's.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::enrich::AnswerRefusal;
use domain::jose::{Algorithm, KeySet};
use serde_json::{Value, json};
use testkit::answers::{AUDIENCE, ISSUER, NOW_S, REQUEST, USER, payload, rules, token_of};

use super::{strangers, targets};

#[test]
fn a55_an_unsigned_answer_is_refused() {
    for target in targets() {
        let payload = payload().to_string();
        for alg in ["none", "None", "nOnE", "NONE", "none "] {
            let header = json!({"alg": alg, "typ": "JWT", "kid": "k1"}).to_string();
            let unsigned = token_of(&header, payload.as_bytes(), b"");
            assert_eq!(target.judge(&unsigned), Some(AnswerRefusal::Token), "{alg}");
            // With something where the signature belongs, and with a right signature even.
            let anything = token_of(&header, payload.as_bytes(), b"x");
            assert_eq!(target.judge(&anything), Some(AnswerRefusal::Algorithm), "{alg}");
            assert_eq!(target.judge_header(&header), Some(AnswerRefusal::Algorithm), "{alg}");
        }
        let header = target.signer.header().to_string();
        let empty = token_of(&header, payload.as_bytes(), b"");
        assert_eq!(target.judge(&empty), Some(AnswerRefusal::Token));
    }
}

#[test]
fn a55_a_signature_of_something_else_is_refused() {
    for (target, stranger) in targets().iter().zip(strangers()) {
        let good = target.good();
        let (input, signature) = good.rsplit_once('.').expect("three parts");
        let block = target.signer.sign(&json!({"action": "block"}));
        let (_, of_another) = block.rsplit_once('.').expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let zeros = vec![0; signature.len()];
        let longer = [signature.as_slice(), &[0]].concat();
        // What ECDSA calls infinity, and (n, n).
        let shorter = &signature[..signature.len() - 1];
        for wrong in [zeros.as_slice(), &longer, shorter, &[0xff; 64], &[0x30, 6, 2, 1, 1, 2, 1, 1]]
        {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(wrong));
            assert_eq!(target.judge(&token), Some(AnswerRefusal::Signature), "{}", wrong.len());
        }
        let swapped = format!("{input}.{of_another}");
        assert_eq!(target.judge(&swapped), Some(AnswerRefusal::Signature));
        assert_eq!(target.judge(&stranger.good()), Some(AnswerRefusal::Signature));
    }
}

/// HMAC-SHA256 (RFC 2104), from the cryptographic library.
fn hs256(key: &[u8], header: &str, payload: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[test]
fn a56_a_public_key_is_no_secret_to_authenticate_with() {
    for target in targets() {
        let jwk = target.signer.jwk();
        let octets = |name: &str| jwk[name].as_str().map(|text| text.as_bytes().to_vec());
        let raw = |name: &str| Some(URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).expect("octets"));
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(jwk.to_string())
        );
        let secrets = [
            Some(jwk.to_string().into_bytes()),
            Some(target.signer.jwks().to_string().into_bytes()),
            Some(pem.into_bytes()),
            Some(Vec::new()),
            octets("x"),
            octets("n"),
            raw("x"),
            raw("n"),
        ];
        let registered = target.signer.algorithm().as_str();
        for secret in secrets.into_iter().flatten() {
            let payload = payload().to_string();
            for alg in ["HS256", "HS384", "HS512"] {
                let header = json!({"alg": alg, "kid": "k1"}).to_string();
                let token = hs256(&secret, &header, &payload);
                assert_eq!(target.judge(&token), Some(AnswerRefusal::Algorithm), "{alg}");
            }
            let header = json!({"alg": registered, "kid": "k1"}).to_string();
            let token = hs256(&secret, &header, &payload);
            assert_eq!(target.judge(&token), Some(AnswerRefusal::Signature));
        }
    }
}

#[test]
fn a57_only_the_registered_algorithm_counts_whatever_the_key_can_do() {
    let names = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K",
        "EdDSA", "Ed25519", "es256", "rs256", "EDDSA", " ES256", "",
    ];
    for target in targets() {
        let registered = target.signer.algorithm();
        for alg in names.into_iter().filter(|alg| *alg != registered.as_str()) {
            let header = json!({"alg": alg, "kid": "k1"}).to_string();
            assert_eq!(target.judge_header(&header), Some(AnswerRefusal::Algorithm), "{alg}");
        }
        assert_eq!(target.judge_header(r#"{"kid":"k1"}"#), Some(AnswerRefusal::Algorithm));

        // The same without `alg` in the JWK: the stored one decides.
        let mut jwks = target.signer.jwks();
        jwks["keys"][0].as_object_mut().expect("a JWK").remove("alg");
        let keys = KeySet::from_json(&jwks).expect("a key set");
        for stored in Algorithm::ALL {
            let rules = rules(stored, &jwks);
            let body = target.good();
            let judged = domain::enrich::judge(
                body.as_bytes(),
                None,
                &rules,
                &keys,
                testkit::answers::question(),
            );
            let expected = (stored != registered).then_some(AnswerRefusal::Algorithm);
            assert_eq!(judged.err(), expected, "{stored} for {registered}");
        }
    }
}

#[test]
fn a57_an_rsa_key_for_one_padding_is_not_one_for_the_other() {
    for (target, other) in [(&targets()[2], "PS256"), (&targets()[3], "RS256")] {
        let mut jwks = target.signer.jwks();
        jwks["keys"][0]["alg"] = other.into();
        let keys = KeySet::from_json(&jwks).expect("a key set");
        let good = target.good();
        let question = testkit::answers::question();
        let judged = domain::enrich::judge(good.as_bytes(), None, &target.rules, &keys, question);
        assert_eq!(judged.err(), Some(AnswerRefusal::Key), "{other}");
    }
}

#[test]
fn a59_a_header_that_brings_its_own_rules_is_refused() {
    for target in targets() {
        let with = |name: &str, value: Value| {
            let mut header = target.signer.header();
            header[name] = value;
            header.to_string()
        };
        for (name, value) in [
            ("crit", json!(["x"])),
            ("crit", json!([])),
            ("crit", json!(["b64"])),
            ("crit", json!("exp")),
            ("crit", json!(null)),
            ("b64", json!(false)),
            ("b64", json!(true)),
            ("jku", json!("https://x.example/jwks")),
            ("jwk", target.signer.jwk()),
            ("jwk", json!({})),
            ("x5u", json!("https://x.example/chain.pem")),
            ("x5c", json!([])),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!("AQID")),
            ("x5t#S256", json!("AQID")),
            ("zip", json!("DEF")),
        ] {
            let header = with(name, value);
            assert_eq!(target.judge_header(&header), Some(AnswerRefusal::Header), "{header}");
        }
        let escaped = target.signer.header().to_string().replacen('{', r#"{"\u006aku":"x","#, 1);
        assert_eq!(target.judge_header(&escaped), Some(AnswerRefusal::Header));
    }
}

#[test]
fn a59_the_key_that_a_header_brings_along_is_not_used() {
    for (target, stranger) in targets().iter().zip(strangers()) {
        let mut header = target.signer.header();
        header["jwk"] = stranger.signer.jwk();
        let token =
            stranger.signer.sign_text(&header.to_string(), payload().to_string().as_bytes());
        assert_eq!(target.judge(&token), Some(AnswerRefusal::Header));
    }
}

#[test]
fn a59_a_kid_is_a_name_and_nothing_else() {
    for target in targets() {
        for kid in
            ["k2", "", "K1", "k1 ", "../../dev/null", "k1' OR '1'='1", "https://x.example/k1"]
        {
            let mut header = target.signer.header();
            header["kid"] = kid.into();
            let refused = target.judge_header(&header.to_string());
            assert_eq!(refused, Some(AnswerRefusal::Key), "{kid}");
        }
        for kid in [json!(["k1"]), json!(1), json!({"k1": 1})] {
            let mut header = target.signer.header();
            header["kid"] = kid;
            let refused = target.judge_header(&header.to_string());
            assert_eq!(refused, Some(AnswerRefusal::Token), "{header}");
        }
        let twice = target.signer.header().to_string().replacen('{', r#"{"kid":"k2","#, 1);
        assert_eq!(target.judge_header(&twice), Some(AnswerRefusal::Token));
        let null = target.signer.header().to_string().replace(r#""k1""#, "null");
        assert_eq!(target.judge_header(&null), Some(AnswerRefusal::Token));
    }
}

/// The row also names `JWT` and no `typ` at all. The documented sample fixes neither, so that
/// targets send both; what then tells an answer from another token of the same issuer is that it
/// has an action and nothing that the contract does not name.
#[test]
fn a60_a_token_of_another_kind_is_refused() {
    for target in targets() {
        let alg = target.signer.algorithm().as_str();
        for typ in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "logout+jwt",
            "secevent+jwt",
            "id_token",
            "dpop+jwt",
            "JOSE",
            "JWT ",
            "application/application/jwt",
            "",
        ] {
            let header = json!({"alg": alg, "kid": "k1", "typ": typ}).to_string();
            assert_eq!(target.judge_header(&header), Some(AnswerRefusal::Type), "{typ}");
        }
        for typ in ["JWT", "jwt", "application/jwt", "Application/JWT"] {
            let header = json!({"alg": alg, "kid": "k1", "typ": typ}).to_string();
            assert_eq!(target.judge_header(&header), None, "{typ}");
        }
        assert_eq!(target.judge_header(&json!({"alg": alg, "kid": "k1"}).to_string()), None);
    }
}

#[test]
fn a60_an_id_token_of_the_same_issuer_is_refused() {
    for target in targets() {
        let id_token = json!({
            "iss": ISSUER, "sub": USER, "aud": AUDIENCE, "iat": NOW_S, "exp": NOW_S + 300,
            "jti": REQUEST, "nonce": REQUEST, "auth_time": NOW_S,
        });
        assert_eq!(target.judge(&target.signer.sign(&id_token)), Some(AnswerRefusal::Action));
        let mut with_action = id_token;
        with_action["action"] = "allow".into();
        assert_eq!(target.judge(&target.signer.sign(&with_action)), Some(AnswerRefusal::Payload));
    }
}

#[test]
fn a60_our_own_notification_sent_back_is_refused() {
    for (target, us) in targets().iter().zip(strangers()) {
        let alg = target.signer.algorithm().as_str();
        let notification = json!({
            "iss": AUDIENCE, "iat": NOW_S, "jti": REQUEST, "aud": "https://t.example/enrich",
            "events": {"https://next-identity.com/events/login": {}},
        })
        .to_string();
        let ours = json!({"alg": alg, "typ": "secevent+jwt", "kid": "ours"}).to_string();
        let sent_back = us.signer.sign_text(&ours, notification.as_bytes());
        assert_eq!(target.judge(&sent_back), Some(AnswerRefusal::Type));
        // Were its type not looked at, its key would be; and were that the target's, its issuer.
        let as_jwt = json!({"alg": alg, "typ": "JWT", "kid": "ours"}).to_string();
        let sent_back = us.signer.sign_text(&as_jwt, notification.as_bytes());
        assert_eq!(target.judge(&sent_back), Some(AnswerRefusal::Key));
        assert_eq!(target.judge_text(&notification), Some(AnswerRefusal::Issuer));
    }
}
