//! Claims that a target may not set.

use domain::enrich::AnswerRefusal;
use domain::limits::CLAIMS_BYTES_MAX;
use serde_json::json;
use testkit::answers::payload;

use super::{targets, with_text};

/// An object below an allowed name, which the row would let pass, is none of the values that the
/// contract knows.
#[test]
fn a67_claims_that_are_not_the_target_s_to_set_are_refused() {
    let reserved = [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "azp",
        "nonce",
        "auth_time",
        "acr",
        "amr",
        "at_hash",
        "c_hash",
        "s_hash",
        "sid",
        "scope",
        "client_id",
        "cnf",
        "act",
        "may_act",
        "events",
        "typ",
        "token_use",
    ];
    for target in targets() {
        let judge = |claims: &str| target.judge_text(with_text("custom_claims", claims));
        for name in reserved {
            for written in [
                name.to_owned(),
                name.to_uppercase(),
                format!("{name} "),
                format!("\\t{name}"),
                format!("\\u00{:02x}{}", name.as_bytes()[0], &name[1..]),
                name.replace('s', "ſ"),
                name.replace('k', "\u{212a}"),
            ] {
                let refused = judge(&format!(r#"{{"tier":"gold","{written}":"x"}}"#));
                assert_eq!(refused, Some(AnswerRefusal::ReservedClaim), "{written}");
            }
        }
        assert_eq!(judge(r#"{"profile":{"sub":"admin"}}"#), Some(AnswerRefusal::Claims));
        for allowed in ["subject", "https://x.example/sub", "x.sub", "scopes", "audience"] {
            assert_eq!(judge(&format!(r#"{{"{allowed}":"x"}}"#)), None, "{allowed}");
        }
    }
}

#[test]
fn a68_claims_beyond_the_contract_are_refused() {
    let many = |n: usize| {
        let members: Vec<_> = (0..n).map(|n| format!(r#""k{n}":1"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    // Eight strings and what separates them, filled up to a size in bytes.
    let sized = |bytes: usize| {
        let full: Vec<_> = (0..8).map(|n| format!(r#""k{n}":"{}""#, "x".repeat(1_000))).collect();
        let mut text = format!("{{{},\"k\":\"", full.join(","));
        text.push_str(&"x".repeat(bytes - text.len() - 2));
        text + "\"}"
    };
    let refused = [
        "null".to_owned(),
        "[]".to_owned(),
        r#"[{"tier":"gold"}]"#.to_owned(),
        r#""tier""#.to_owned(),
        "true".to_owned(),
        many(33),
        sized(CLAIMS_BYTES_MAX + 1),
        format!(r#"{{"k":"{}"}}"#, "x".repeat(1_025)),
        format!(r#"{{"k":[{}]}}"#, vec!["1"; 33].join(",")),
        r#"{"k":[[["deep"]]]}"#.to_owned(),
        r#"{"k":{"a":{"b":{"c":1}}}}"#.to_owned(),
        r#"{"k":null}"#.to_owned(),
        r#"{"k":[null]}"#.to_owned(),
        r#"{"k":1.5}"#.to_owned(),
        r#"{"k":1e3}"#.to_owned(),
        r#"{"k":9223372036854775808}"#.to_owned(),
        r#"{"k":"\u0000"}"#.to_owned(),
        r#"{"k":"\u001b[2J"}"#.to_owned(),
        r#"{"k":"\u202egnp.exe"}"#.to_owned(),
        r#"{"k":"\u2066x"}"#.to_owned(),
        r#"{"k":"\u061cx"}"#.to_owned(),
        r#"{"k":["x","\u200fx"]}"#.to_owned(),
        r#"{"__proto__":"x"}"#.to_owned(),
        r#"{"\u005f_proto__":"x"}"#.to_owned(),
        r#"{"":"x"}"#.to_owned(),
        r#"{"a b":"x"}"#.to_owned(),
        r#"{"a\u0000":"x"}"#.to_owned(),
        r#"{"a<script>":"x"}"#.to_owned(),
        format!(r#"{{"{}":"x"}}"#, "k".repeat(129)),
    ];
    let no_json = [
        r#"{"k":NaN}"#,
        r#"{"k":Infinity}"#,
        r#"{"k":1e400}"#,
        r#"{"k":"\ud800"}"#,
        r#"{"k":'x'}"#,
        "{\"k\":\"\u{0}\"}",
        r#"{"k":1,}"#,
    ];
    for target in targets() {
        for claims in &refused {
            let answer = target.judge_text(with_text("custom_claims", claims));
            assert_eq!(answer, Some(AnswerRefusal::Claims), "{claims}");
        }
        for claims in no_json {
            let answer = target.judge_text(with_text("custom_claims", claims));
            assert_eq!(answer, Some(AnswerRefusal::Payload), "{claims}");
        }
        for accepted in [many(32), sized(CLAIMS_BYTES_MAX), format!(r#"{{"k":{}}}"#, i64::MIN)] {
            assert_eq!(target.judge_text(with_text("custom_claims", &accepted)), None);
        }
        let mut invalid = payload().to_string().replace("gold", "g*ld").into_bytes();
        let at = invalid.iter().position(|byte| *byte == b'*').expect("the star");
        for octet in [0xff, 0xc0, 0x80] {
            invalid[at] = octet;
            assert_eq!(target.judge_text(&invalid), Some(AnswerRefusal::Payload), "{octet:x}");
        }
        let huge = json!({"k": "x".repeat(1024 * 1024)}).to_string();
        let answer = target.judge_text(with_text("custom_claims", &huge));
        assert_eq!(answer, Some(AnswerRefusal::TooLarge));
    }
}
