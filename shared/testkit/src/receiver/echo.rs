//! A receiver's part of the handshake: it verifies what it is asked, and echoes the challenge.

use domain::jose::{Algorithm, KeySet, Unverified};
use domain::notification::TYP;
use domain::verification::CHALLENGE_TYPE;
use serde_json::{Value, json};

/// What to say to a challenge; `None` to whatever is none, or none of who has these keys.
pub(super) fn echo(body: &[u8], keys: &KeySet) -> Option<String> {
    let token = Unverified::parse(std::str::from_utf8(body).ok()?, &[TYP]).ok()?;
    let key = keys.find(token.kid.as_deref(), Algorithm::Es256)?.clone();
    let payload: Value = serde_json::from_slice(&token.verify(&key)?).ok()?;
    let challenge = payload["events"][CHALLENGE_TYPE]["challenge"].as_str()?;
    Some(json!({ "challenge": challenge }).to_string())
}
