//! Properties (L11): whatever is done to a right answer, it is not believed any more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::answers::{payload, payload_with};

use super::{Target, targets};

fn target() -> impl Strategy<Value = &'static Target> {
    (0..targets().len()).prop_map(|index| &targets()[index])
}

/// What can be done to a text without knowing what it means.
#[derive(Clone, Debug)]
enum Spoil {
    Flip { at: usize, bit: u8 },
    Replace { at: usize, with: u8 },
    Remove { at: usize, octets: usize },
    Insert { at: usize, with: Vec<u8> },
    Repeat { at: usize, octets: usize },
    Cut { keep: usize },
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = 0usize..2_000;
    prop_oneof![
        (at.clone(), 0u8..8).prop_map(|(at, bit)| Spoil::Flip { at, bit }),
        (at.clone(), any::<u8>()).prop_map(|(at, with)| Spoil::Replace { at, with }),
        (at.clone(), 1usize..40).prop_map(|(at, octets)| Spoil::Remove { at, octets }),
        (at.clone(), vec(any::<u8>(), 1..8)).prop_map(|(at, with)| Spoil::Insert { at, with }),
        (at.clone(), 1usize..40).prop_map(|(at, octets)| Spoil::Repeat { at, octets }),
        at.prop_map(|keep| Spoil::Cut { keep }),
    ]
}

impl Spoil {
    fn apply(&self, octets: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let len = octets.len();
        match self {
            Self::Flip { at, bit } => octets[at % len] ^= 1 << bit,
            Self::Replace { at, with } => octets[at % len] = *with,
            Self::Remove { at, octets: n } => {
                let at = at % len;
                octets.drain(at..len.min(at + n));
            }
            Self::Insert { at, with } => {
                let at = at % len;
                octets.splice(at..at, with.iter().copied());
            }
            Self::Repeat { at, octets: n } => {
                let at = at % len;
                let again = octets[at..len.min(at + n)].to_vec();
                octets.splice(at..at, again);
            }
            Self::Cut { keep } => octets.truncate(keep % len),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn l11_no_spoilt_token_is_believed(target in target(), spoils in vec(spoil(), 1..4)) {
        let good = target.good().into_bytes();
        let mut body = good.clone();
        for spoil in &spoils {
            spoil.apply(&mut body);
        }
        prop_assume!(body != good);
        prop_assert!(target.judge_reply(&body, None).is_err());
    }

    #[test]
    fn l11_no_token_with_a_spoilt_part_is_believed(
        target in target(), part in 0usize..3, spoils in vec(spoil(), 1..4),
    ) {
        let good = target.good();
        let mut parts: Vec<Vec<u8>> =
            good.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url")).collect();
        let before = parts[part].clone();
        for spoil in &spoils {
            spoil.apply(&mut parts[part]);
        }
        prop_assume!(parts[part] != before);
        let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        prop_assert!(target.judge(&parts.join(".")).is_some());
    }

    #[test]
    fn l11_no_mixture_of_two_right_tokens_is_believed(
        target in target(), other in target(), from_other in 1usize..7,
    ) {
        let one = target.good();
        let two = other.signer.sign(&payload_with(&json!({"action": "block"})));
        let parts: Vec<&str> = one
            .split('.')
            .zip(two.split('.'))
            .enumerate()
            .map(|(part, (one, two))| if from_other & (1 << part) == 0 { one } else { two })
            .collect();
        // The header alone may be the same in both, and so may be the whole of it.
        let mixed = parts.join(".");
        prop_assume!(mixed != one && mixed != two);
        prop_assert!(target.judge(&mixed).is_some() && other.judge(&mixed).is_some());
    }

    #[test]
    fn l11_no_part_that_is_written_anew_is_believed(
        target in target(), part in 0usize..2, way in 0usize..4,
    ) {
        let good = target.good();
        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        let octets = URL_SAFE_NO_PAD.decode(&parts[part]).expect("base64url");
        let value: Value = serde_json::from_slice(&octets).expect("JSON");
        let members: Vec<String> = value
            .as_object()
            .expect("an object")
            .iter()
            .rev()
            .map(|(name, value)| format!("{}:{value}", json!(name)))
            .collect();
        let text = match way {
            0 => format!("{{{}}}", members.join(",")),
            1 => serde_json::to_string_pretty(&value).expect("JSON"),
            2 => format!(" {value}"),
            _ => value.to_string().replacen('"', "\"\\u00", 1).replacen("\\u00a", "\\u0061", 1),
        };
        prop_assume!(text.as_bytes() != octets);
        parts[part] = URL_SAFE_NO_PAD.encode(text);
        prop_assert!(target.judge(&parts.join(".")).is_some());
    }

    #[test]
    fn l11_what_one_target_signed_is_not_believed_of_another(a in target(), b in target()) {
        prop_assume!(!std::ptr::eq(a, b));
        prop_assert!(a.judge(&b.good()).is_some());
    }

    #[test]
    fn noise_is_refused_without_a_panic(target in target(), noise: Vec<u8>, text in ".{0,80}") {
        prop_assert!(target.judge_reply(&noise, None).is_err());
        prop_assert!(target.judge(&text).is_some());
        prop_assert!(target.judge_reply(&noise, Some(&text)).is_err());
        // Three parts, so that it comes to the header.
        let parts = format!("{}.e30.AQID", URL_SAFE_NO_PAD.encode(&noise));
        prop_assert!(target.judge(&parts).is_some());
    }

    #[test]
    fn signed_noise_is_refused_without_a_panic(target in target(), noise: Vec<u8>, text in ".{0,80}") {
        prop_assert!(target.judge_text(&noise).is_some());
        prop_assert!(target.judge_text(&text).is_some());
        let with_noise = payload().to_string().replace("\"gold\"", &text);
        let judged = target.judge_text(&with_noise);
        // Only what is the same claim in other words is believed.
        let same = serde_json::from_str::<Value>(&with_noise).is_ok();
        prop_assert!(judged.is_some() || same);
    }
}
