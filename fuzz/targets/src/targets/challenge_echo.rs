//! Replies to a challenge: what counts as the echo by which an endpoint shows that it wants our
//! notifications.
//!
//! An attack is the body of a reply. One is an echo exactly if it is JSON that can be read in only
//! one way, an object, and its member `challenge` is the challenge to the letter; and then it is the
//! echo of no other challenge.

use domain::json::Text;
use domain::limits::JSON_DEPTH_MAX;
use domain::time::Timestamp;
use domain::verification::Challenge;
use serde_json::{Value, json};
use testkit::answers::oracle::single;

use crate::{Corpus, Target, Verdict, must};

/// See the module's head.
pub(super) struct ChallengeEcho {
    corpus: Corpus,
    challenge: Challenge,
    /// What its endpoint is asked to echo.
    text: String,
    /// Another endpoint's.
    other: Challenge,
}

const WORDS: [&str; 20] = [
    "null",
    "true",
    "0",
    "{}",
    "[]",
    r#""""#,
    r#""challenge""#,
    r#""\u0063hallenge""#,
    r#""Challenge""#,
    r#""data""#,
    r#""BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc""#,
    r#""\u0042wcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc""#,
    r#""CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg""#,
    r#"["BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"]"#,
    r#""\ud800""#,
    "\u{feff}",
    "\0",
    "\n",
    ":",
    ",",
];

impl ChallengeEcho {
    pub(super) fn new() -> Self {
        let at = Timestamp::from_ms(1_795_428_000_000);
        let (challenge, other) = (Challenge::new(at, [7; 42]), Challenge::new(at, [8; 42]));
        let text = text_of(&challenge);
        let echo = json!({ "challenge": text });
        let mut deep = json!([]);
        for _ in 0..JSON_DEPTH_MAX {
            deep = json!([deep]);
        }
        let seeds = [
            echo.to_string(),
            format!("\r\n\t{echo} "),
            json!({"more": [1, {"challenge": "not this one"}], "challenge": text}).to_string(),
            json!({"challenge": text_of(&other)}).to_string(),
            json!({"challenge": format!("{text} ")}).to_string(),
            json!({"challenge": &text[1..]}).to_string(),
            json!({"challenge": [text]}).to_string(),
            json!({"data": echo}).to_string(),
            json!([echo]).to_string(),
            json!({"challenge": text, "deep": deep}).to_string(),
            format!(r#"{{"challenge":"{text}","challenge":"{text}"}}"#),
            format!(r#"{{"challenge":"{text}","\u0063hallenge":null}}"#),
            format!("\u{feff}{echo}"),
            format!("{echo}{echo}"),
            json!(text).to_string(),
            text.clone(),
            format!("<html>{echo}</html>"),
            String::new(),
        ];
        Self { corpus: Corpus::new(seeds, WORDS), challenge, text, other }
    }
}

/// The challenge that an endpoint reads in what we send it.
fn text_of(challenge: &Challenge) -> String {
    let sent: Value = serde_json::from_str(&challenge.webhook_payload()).unwrap_or_default();
    sent["data"]["challenge"].as_str().unwrap_or_default().to_owned()
}

impl Target for ChallengeEcho {
    fn name(&self) -> &'static str {
        "challenge_echo"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let is_echo = self.challenge.is_echoed_by(octets);
        let is_of_other = self.other.is_echoed_by(octets);
        must(!(is_echo && is_of_other), "one reply, and it echoes two challenges")?;
        let said =
            single(octets).and_then(|reply| Some(reply.as_object()?.get("challenge")?.clone()));
        let says_it = said.as_ref().is_some_and(|said| *said == *self.text);
        must(says_it || !is_echo, "an echo that does not say the challenge, once")?;
        let is_readable = Text::check(octets, JSON_DEPTH_MAX).is_ok();
        must(!says_it || is_echo || !is_readable, "the challenge was said, and is no echo")?;
        Ok(match said {
            _ if is_echo => "taken".into(),
            _ if is_of_other => "refused: another's".into(),
            Some(Value::String(_)) => "refused: another text".into(),
            Some(_) => "refused: no text".into(),
            None if is_readable => "refused: says nothing".into(),
            None => "refused: no JSON".into(),
        })
    }
}
