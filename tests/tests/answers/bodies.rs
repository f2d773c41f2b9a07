//! Bodies that are not one compact token and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use domain::enrich::AnswerRefusal;
use serde_json::json;
use testkit::answers::payload;

use super::targets;

#[test]
fn a73_base64url_is_read_in_one_way_only() {
    for target in targets() {
        let good = target.good();
        let parts: Vec<&str> = good.split('.').collect();
        for part in 0..3 {
            let with = |text: String| {
                let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
                parts[part] = text;
                parts.join(".")
            };
            let text = parts[part];
            let octets = URL_SAFE_NO_PAD.decode(text).expect("base64url");
            let middle = text.len() / 2;
            let mut spoilt = vec![
                format!("{text}="),
                format!("{text}=="),
                format!("{text}\n"),
                format!(" {text}"),
                format!("{text}%3D"),
                format!("{}\r\n{}", &text[..middle], &text[middle..]),
                format!("{} {}", &text[..middle], &text[middle..]),
                format!("{}\u{0}{}", &text[..middle], &text[middle..]),
                format!("{}+{}", &text[..middle], &text[middle + 1..]),
                format!("{}/{}", &text[..middle], &text[middle + 1..]),
                format!("{}é{}", &text[..middle], &text[middle + 2..]),
                format!("{text}A"),
            ];
            // Whoever decodes leniently reads these as the same octets.
            spoilt.extend(
                [URL_SAFE.encode(&octets), STANDARD.encode(&octets), stray_bits(text)]
                    .into_iter()
                    .filter(|other| other != text),
            );
            for spoilt in spoilt {
                let refused = target.judge(&with(spoilt.clone()));
                assert!(refused.is_some(), "{spoilt:?}");
                // Four characters more are octets more, which only the signature can tell.
                let token = [Some(AnswerRefusal::Token), Some(AnswerRefusal::Signature)];
                assert!(token.contains(&refused), "{refused:?} of {spoilt:?}");
            }
        }
    }
}

/// The same octets with other bits in what the last character does not need.
fn stray_bits(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut octets = text.as_bytes().to_vec();
    if !octets.len().is_multiple_of(4) {
        let last = octets.pop().expect("not empty");
        let value = ALPHABET.iter().position(|byte| *byte == last).expect("of the alphabet");
        octets.push(ALPHABET[value ^ 1]);
    }
    String::from_utf8(octets).expect("ASCII")
}

#[test]
fn a74_other_numbers_of_parts_are_refused() {
    for target in targets() {
        let good = target.good();
        let parts: Vec<&str> = good.split('.').collect();
        for body in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "...".to_owned(),
            "....".to_owned(),
            parts[0].to_owned(),
            parts[..2].join("."),
            format!("{}..{}", parts[0], parts[2]),
            format!(".{}.{}", parts[1], parts[2]),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.{}", parts[2]),
            format!("{good}.{good}"),
            format!("{}.{}.{}.{}.{}", parts[0], parts[1], parts[1], parts[2], parts[2]),
            good.replace('.', ","),
            good.replace('.', "。"),
        ] {
            assert_eq!(target.judge(&body), Some(AnswerRefusal::Token), "{body:?}");
        }
    }
}

#[test]
fn a74_the_json_serialisation_is_refused() {
    for target in targets() {
        let good = target.good();
        let parts: Vec<&str> = good.split('.').collect();
        let signature = json!({
            "protected": parts[0], "signature": parts[2], "header": {"kid": "k1"},
        });
        for body in [
            json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]}),
            json!({"payload": parts[1], "signatures": [signature]}),
            json!({"payload": parts[1], "signatures": []}),
            json!(good),
            json!([good]),
            json!({"jwt": good}),
            payload(),
        ] {
            let refused = target.judge_reply(body.to_string().as_bytes(), Some("application/json"));
            assert_eq!(refused.err(), Some(AnswerRefusal::Token), "{body}");
        }
    }
}

#[test]
fn a74_a_token_in_a_token_is_refused() {
    for target in targets() {
        let good = target.good();
        assert_eq!(target.judge_text(&good), Some(AnswerRefusal::Payload));
        let mut header = target.signer.header();
        header["cty"] = "JWT".into();
        let nested = target.signer.sign_text(&header.to_string(), good.as_bytes());
        assert_eq!(target.judge(&nested), Some(AnswerRefusal::Payload));
        let quoted =
            target.signer.sign_text(&header.to_string(), json!(good).to_string().as_bytes());
        assert_eq!(target.judge(&quoted), Some(AnswerRefusal::Payload));
    }
}

#[test]
fn a78_a_token_with_something_around_it_is_refused() {
    for target in targets() {
        let good = target.good();
        for body in [
            format!("{good}\n"),
            format!("{good}\r\n"),
            format!("{good} "),
            format!("\n{good}"),
            format!("\u{feff}{good}"),
            format!("{good}\u{0}"),
            format!("{good}<html></html>"),
            format!("<!doctype html><p>{good}</p>"),
            format!("\"{good}\""),
            format!("Bearer {good}"),
            format!("jwt={good}"),
            format!("{good}\n{good}"),
        ] {
            assert_eq!(target.judge(&body), Some(AnswerRefusal::Token), "{body:?}");
        }
        for octets in [b"\xff\xfe".as_slice(), b"\x1f\x8b\x08", b"\0", &[0x80; 100]] {
            let refused = target.judge_reply(octets, Some("application/jwt")).err();
            assert_eq!(refused, Some(AnswerRefusal::Token));
        }
        let mut utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        utf16.splice(..0, [0xff, 0xfe]);
        assert_eq!(target.judge_reply(&utf16, None).err(), Some(AnswerRefusal::Token));
    }
}

#[test]
fn a78_a_reply_of_another_media_type_is_refused() {
    for target in targets() {
        let good = target.good();
        for media_type in [
            "text/html",
            "text/html; charset=utf-8",
            "application/xhtml+xml",
            "application/problem+json",
            "multipart/form-data",
            "application/jwt, text/html",
            "application/jwtx",
            "jwt",
            "",
            "\u{fffd}",
        ] {
            let refused = target.judge_reply(good.as_bytes(), Some(media_type)).err();
            assert_eq!(refused, Some(AnswerRefusal::ContentType), "{media_type}");
        }
        for media_type in [
            "application/jwt",
            "Application/JWT",
            "application/jose",
            "application/json; charset=utf-8",
            "application/octet-stream",
            "text/plain;charset=utf-8",
        ] {
            assert!(target.judge_reply(good.as_bytes(), Some(media_type)).is_ok(), "{media_type}");
        }
        assert!(target.judge_reply(good.as_bytes(), None).is_ok());
    }
}
