//! Canaries: words that are put where nothing may leak from, and looked for everywhere else.
//!
//! A leak is seldom so kind as to print a word as it stands. It is looked for in the forms in which
//! text travels: in any case, in Base64 of both alphabets wherever in the encoded text it stands, in
//! hexadecimal, percent-encoded, with JSON's escapes, and as the list of numbers that `Debug` makes
//! of bytes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter words would be found by chance.
const BYTES_MIN: usize = 12;

/// A word and its forms.
pub struct Canary {
    place: String,
    /// As they stand; of these the case counts.
    exact: Vec<String>,
    /// In lower case.
    folded: Vec<String>,
}

impl Canary {
    /// What was put at this place.
    #[must_use]
    pub fn new(place: &str, put: impl AsRef<[u8]>) -> Self {
        let put = put.as_ref();
        assert!(put.len() >= BYTES_MIN, "{place}: a word of {} bytes proves nothing", put.len());
        let exact = (0..3).flat_map(|shift| [base64(put, shift, false), base64(put, shift, true)]);
        let each = |form: fn(u8) -> String, between: &str| {
            put.iter().map(|byte| form(*byte)).collect::<Vec<_>>().join(between)
        };
        let mut folded = vec![
            each(|byte| format!("{byte:02x}"), ""),
            each(|byte| format!("%{byte:02x}"), ""),
            each(|byte| format!("\\u{byte:04x}"), ""),
            each(|byte| byte.to_string(), ", "),
            each(|byte| byte.to_string(), ","),
        ];
        if let Ok(text) = std::str::from_utf8(put) {
            folded.push(text.to_lowercase());
        }
        Self { place: place.to_owned(), exact: exact.collect(), folded }
    }

    /// Whether a text holds it, in whatever form.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.is_in_either(text, &text.to_lowercase())
    }

    fn is_in_either(&self, text: &str, folded: &str) -> bool {
        self.exact.iter().any(|form| text.contains(form))
            || self.folded.iter().any(|form| folded.contains(form))
    }
}

/// Where the canaries were put that this text holds, each with the line that holds it.
#[must_use]
pub fn sightings(canaries: &[Canary], text: &str) -> Vec<String> {
    let folded = text.to_lowercase();
    let seen = canaries.iter().filter(|canary| canary.is_in_either(text, &folded));
    seen.map(|canary| {
        let line = text.lines().find(|line| canary.is_in(line)).unwrap_or("over several lines");
        format!("{}: {line}", canary.place)
    })
    .collect()
}

/// What is left of a word in Base64 when `shift` bytes of something else stand before it and
/// anything at all behind it: the characters that it alone decides.
fn base64(put: &[u8], shift: usize, url_safe: bool) -> String {
    let bytes = [&vec![0; shift], put].concat();
    let encoded =
        if url_safe { URL_SAFE_NO_PAD.encode(&bytes) } else { STANDARD_NO_PAD.encode(&bytes) };
    let before = (shift * 8).div_ceil(6);
    let behind = usize::from(bytes.len() % 3 != 0);
    encoded[before..encoded.len() - behind].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "canary4711word";

    #[test]
    fn it_is_found_in_every_form_and_wherever_it_stands() {
        let canary = Canary::new("here", WORD);
        for form in [
            "CANARY4711Word",
            "63616E61727934373131776F7264",
            "%63%61%6E%61%72%79%34%37%31%31%77%6F%72%64",
            r"\u0063\u0061\u006e\u0061\u0072\u0079\u0034\u0037\u0031\u0031\u0077\u006f\u0072\u0064",
            &format!("{:?}", WORD.as_bytes()),
        ] {
            assert!(canary.is_in(&format!("before {form} after")), "{form}");
        }
        for before in 0..6 {
            for after in 0..6 {
                let text = format!("{}{WORD}{}", "<".repeat(before), "?".repeat(after));
                assert!(canary.is_in(&STANDARD_NO_PAD.encode(&text)), "{text}");
                assert!(canary.is_in(&URL_SAFE_NO_PAD.encode(&text)), "{text}");
            }
        }
        assert!(!canary.is_in("canary4711") && !canary.is_in("word"));
    }

    #[test]
    fn bytes_that_are_no_text_are_found_too() {
        let key: Vec<u8> = (200..232).collect();
        let canary = Canary::new("key", &key);
        assert!(canary.is_in(&format!("{key:?}")));
        assert!(canary.is_in(&URL_SAFE_NO_PAD.encode(&key)));
        assert!(!canary.is_in(&URL_SAFE_NO_PAD.encode(&key[1..])));
    }

    #[test]
    fn a_sighting_names_the_place_and_shows_the_line() {
        let canaries =
            [Canary::new("the body", WORD), Canary::new("the header", "another9876word")];
        let text = format!("one\n{{\"x\":\"{WORD}\"}}\nthree");
        assert_eq!(sightings(&canaries, &text), [format!("the body: {{\"x\":\"{WORD}\"}}")]);
        assert!(sightings(&canaries, "nothing").is_empty());
    }
}
