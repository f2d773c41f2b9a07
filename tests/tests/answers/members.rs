//! What a payload may not say, though the target signed it.

use domain::enrich::{AnswerRefusal, judge};
use domain::limits::{ANSWER_EXPIRY_SKEW_MAX_S, ANSWER_IAT_SKEW_MAX_S, ANSWER_LIFETIME_MAX_S};
use domain::subscription::Action;
use serde_json::{Value, json};
use testkit::answers::{AUDIENCE, ISSUER, NOW_S, REQUEST, USER, payload, question};

use super::{strangers, targets, with_text};

#[test]
fn the_documented_answer_is_believed() {
    for target in targets() {
        let answer = target.judge_reply(target.good().as_bytes(), None).expect("believed");
        assert_eq!(answer.action, Action::Allow);
        assert_eq!(serde_json::to_value(&answer.claims).ok(), Some(json!({"tier": "gold"})));
        for patch in [
            json!({"custom_claims": null}),
            json!({"custom_claims": {}}),
            json!({"aud": AUDIENCE, "sub": USER, "exp": NOW_S + 60, "nbf": NOW_S}),
            json!({"aud": [AUDIENCE]}),
            json!({"jti": "its-own", "txn": REQUEST}),
            json!({"txn": "its-own"}),
        ] {
            assert_eq!(target.judge_with(&patch), None, "{patch}");
        }
        for action in [Action::Allow, Action::Block, Action::Challenge] {
            let mut payload = payload();
            payload["action"] = action.as_str().into();
            let body = target.signer.sign(&payload);
            let answer = target.judge_reply(body.as_bytes(), None).expect("believed");
            assert_eq!(answer.action, action);
        }
    }
}

#[test]
fn a61_another_issuer_is_refused() {
    for (target, stranger) in targets().iter().zip(strangers()) {
        for iss in [
            json!(null),
            json!([ISSUER]),
            json!([ISSUER, AUDIENCE]),
            json!({"value": ISSUER}),
            json!("https://system.example.com/"),
            json!("https://SYSTEM.example.com"),
            json!("HTTPS://system.example.com"),
            json!(" https://system.example.com"),
            json!("https://system.example.com\u{0}"),
            json!("https://system.example.com:443"),
            json!(""),
            json!(true),
            json!(AUDIENCE),
        ] {
            let refused = target.judge_with(&json!({"iss": iss}));
            assert_eq!(refused, Some(AnswerRefusal::Issuer), "{iss}");
        }
        // A right answer of somebody else, signed with a valid key of his.
        let theirs = stranger.signer.sign(&payload());
        let judged = judge(theirs.as_bytes(), None, &stranger.rules, &stranger.keys, question());
        assert!(judged.is_ok());
        assert_eq!(target.judge(&theirs), Some(AnswerRefusal::Signature));
    }
}

/// An `aud` may be missing: the documented sample has none.
#[test]
fn a61_an_answer_for_somebody_else_is_refused() {
    for target in targets() {
        for aud in [
            json!("https://other.example.com"),
            json!("https://idp.example.com/"),
            json!([AUDIENCE, "https://other.example.com"]),
            json!([AUDIENCE, AUDIENCE]),
            json!([[AUDIENCE]]),
            json!([]),
            json!(""),
            json!(7),
            json!({"aud": AUDIENCE}),
        ] {
            let refused = target.judge_with(&json!({"aud": aud}));
            assert_eq!(refused, Some(AnswerRefusal::Audience), "{aud}");
        }
        assert_eq!(target.judge_text(with_text("aud", "null")), Some(AnswerRefusal::Audience));
    }
}

#[test]
fn a62_times_that_are_no_whole_seconds_are_refused() {
    let now = NOW_S.to_string();
    let odd = [
        format!("\"{now}\""),
        "1.5".to_owned(),
        format!("{now}.0"),
        format!("{now}.5"),
        "1.795428e9".to_owned(),
        format!("{now}e0"),
        "-1".to_owned(),
        "-0".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        "[]".to_owned(),
        format!("[{now}]"),
        "{}".to_owned(),
        u64::MAX.to_string(),
        i64::MAX.to_string(),
        i64::MIN.to_string(),
        "99999999999999999999999".to_owned(),
        // Milliseconds.
        format!("{now}000"),
    ];
    for target in targets() {
        for name in ["iat", "exp", "nbf"] {
            for value in &odd {
                let refused = target.judge_text(with_text(name, value));
                assert_eq!(refused, Some(AnswerRefusal::Time), "{name}: {value}");
            }
            for malformed in ["1e400", "NaN", "Infinity", "0x1", "01"] {
                let refused = target.judge_text(with_text(name, malformed));
                assert_eq!(refused, Some(AnswerRefusal::Payload), "{name}: {malformed}");
            }
        }
        assert_eq!(target.judge_with(&json!({"iat": null})), Some(AnswerRefusal::Time));
    }
}

#[test]
fn a62_a_life_longer_than_an_answer_s_is_refused() {
    let longest = NOW_S + ANSWER_LIFETIME_MAX_S.unsigned_abs();
    for target in targets() {
        assert_eq!(target.judge_with(&json!({"exp": longest})), None);
        for exp in [longest + 1, NOW_S + 86_400, 253_402_300_799, 253_402_300_800] {
            let refused = target.judge_with(&json!({"exp": exp}));
            assert_eq!(refused, Some(AnswerRefusal::Time), "{exp}");
        }
        // It ends before it began.
        let refused = target.judge_with(&json!({"iat": NOW_S + 10, "exp": NOW_S + 9}));
        assert_eq!(refused, Some(AnswerRefusal::Time));
    }
}

#[test]
fn a63_clocks_may_differ_by_so_much_and_no_more() {
    let (iat_skew, exp_skew) =
        (ANSWER_IAT_SKEW_MAX_S.unsigned_abs(), ANSWER_EXPIRY_SKEW_MAX_S.unsigned_abs());
    assert_eq!((iat_skew, exp_skew), (60, 30));
    for target in targets() {
        for accepted in [
            json!({"iat": NOW_S + 59}),
            json!({"iat": NOW_S + 60}),
            json!({"iat": NOW_S - 60}),
            json!({"iat": NOW_S - 40, "exp": NOW_S - 29}),
            json!({"iat": NOW_S - 40, "exp": NOW_S - 30}),
            json!({"nbf": NOW_S + 29}),
            json!({"nbf": NOW_S + 30}),
            json!({"nbf": 0}),
        ] {
            assert_eq!(target.judge_with(&accepted), None, "{accepted}");
        }
        for refused in [
            json!({"iat": NOW_S + 61}),
            json!({"iat": NOW_S - 61}),
            json!({"iat": 0}),
            json!({"iat": NOW_S - 40, "exp": NOW_S - 31}),
            json!({"exp": 0}),
            json!({"nbf": NOW_S + 31}),
        ] {
            assert_eq!(target.judge_with(&refused), Some(AnswerRefusal::Time), "{refused}");
        }
    }
}

/// What binds an answer to its question is the question's `jti`, repeated as `jti` or `txn`.
#[test]
fn a64_an_answer_to_another_question_is_refused() {
    for target in targets() {
        for other in [
            json!({"jti": null}),
            // Of another request, for example of the same user's previous login.
            json!({"jti": "request-0"}),
            json!({"jti": "request-0", "txn": "request-0"}),
            json!({"jti": "REQUEST-1"}),
            json!({"jti": "request-1 "}),
            json!({"jti": ""}),
        ] {
            assert_eq!(target.judge_with(&other), Some(AnswerRefusal::Binding), "{other}");
            let unbound = target.signer.sign(&testkit::answers::payload_with(&other));
            assert_eq!(target.judge_unbound(&unbound), None, "optional: {other}");
        }
        for odd in [
            json!({"jti": [REQUEST]}),
            json!({"jti": 1}),
            json!({"jti": {"jti": REQUEST}}),
            json!({"jti": null, "txn": [REQUEST]}),
            json!({"txn": 1}),
        ] {
            assert_eq!(target.judge_with(&odd), Some(AnswerRefusal::Binding), "{odd}");
            let unbound = target.signer.sign(&testkit::answers::payload_with(&odd));
            let refused = target.judge_unbound(&unbound);
            assert_eq!(refused, Some(AnswerRefusal::Binding), "optional: {odd}");
        }
        // Other ways to bind, which this contract does not have.
        for foreign in [
            json!({"jti": null, "nonce": REQUEST}),
            json!({"jti": null, "req_hash": "47DEQpj8HBSa"}),
            json!({"jti": null, "in_response_to": REQUEST}),
        ] {
            assert_eq!(target.judge_with(&foreign), Some(AnswerRefusal::Binding), "{foreign}");
            let unbound = target.signer.sign(&testkit::answers::payload_with(&foreign));
            let refused = target.judge_unbound(&unbound);
            assert_eq!(refused, Some(AnswerRefusal::Payload), "optional: {foreign}");
        }
    }
}

/// A `sub` may be missing: the documented sample has none.
#[test]
fn a65_an_answer_about_another_user_is_refused() {
    for target in targets() {
        for sub in [
            json!("user-2"),
            json!("USER-1"),
            json!("user-1 "),
            json!([USER]),
            json!({"sub": USER}),
            json!(""),
            json!(1),
        ] {
            let refused = target.judge_with(&json!({"sub": sub}));
            assert_eq!(refused, Some(AnswerRefusal::Subject), "{sub}");
        }
        assert_eq!(target.judge_text(with_text("sub", "null")), Some(AnswerRefusal::Subject));
        assert_eq!(target.judge_with(&json!({"sub": null})), None);
    }
}

#[test]
fn a66_an_action_is_read_to_the_letter() {
    for target in targets() {
        for action in [
            json!("ALLOW"),
            json!("Allow"),
            json!("allow "),
            json!(" allow"),
            json!("allow\u{0}"),
            json!("аllow"),
            json!(["allow"]),
            json!({"allow": true}),
            json!("permit"),
            json!(""),
            json!(true),
            json!(1),
            json!(null),
        ] {
            let refused = target.judge_with(&json!({"action": action}));
            assert_eq!(refused, Some(AnswerRefusal::Action), "{action}");
        }
        assert_eq!(target.judge_text(with_text("action", "null")), Some(AnswerRefusal::Action));
    }
}

#[test]
fn a66_a_member_given_twice_is_refused() {
    let action = r#""action":"allow""#;
    for target in targets() {
        for twice in [
            r#""action":"block","action":"allow""#,
            r#""action":"allow","action":"block""#,
            r#""action":"allow","action":"allow""#,
            r#""action":"block","\u0061ction":"allow""#,
            r#""action":"allow","custom_claims":{}"#,
            r#""action":"allow","iss":"https://system.example.com""#,
        ] {
            let refused = target.judge_text(payload().to_string().replace(action, twice));
            assert_eq!(refused, Some(AnswerRefusal::Payload), "{twice}");
        }
        let deep = with_text("custom_claims", r#"{"a":1,"a":2}"#);
        assert_eq!(target.judge_text(deep), Some(AnswerRefusal::Payload));
    }
}

#[test]
fn a69_members_that_the_contract_does_not_name_are_refused() {
    for target in targets() {
        for (name, value) in [
            ("admin", json!(true)),
            ("Action", json!("allow")),
            ("customClaims", json!({})),
            ("claims", json!({"tier": "gold"})),
            ("scope", json!("openid")),
            ("", json!(1)),
            ("__proto__", json!({"action": "allow"})),
            ("x", Value::Null),
        ] {
            let refused = target.judge_text(with_text(name, &value.to_string()));
            assert_eq!(refused, Some(AnswerRefusal::Payload), "{name}");
        }
    }
}

#[test]
fn a69_payloads_that_are_no_object_are_refused() {
    let deep = format!(r#"{{"iss":{}}}"#, "[".repeat(40) + &"]".repeat(40));
    for target in targets() {
        for payload in ["[]", "7", "\"allow\"", "null", "{", "{}x", "\u{feff}{}", " ", &deep] {
            let refused = target.judge_text(payload);
            assert_eq!(refused, Some(AnswerRefusal::Payload), "{payload}");
        }
        assert_eq!(target.judge_text("{}"), Some(AnswerRefusal::Issuer));
        assert_eq!(target.judge_text(""), Some(AnswerRefusal::Token), "a part is empty");
    }
}
