//! The JWS Compact Serialization (RFC 7515 §7.1): three base64url parts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{Algorithm, Key};
use crate::json::{Object, Pointer, Problems, Text};

/// A signed token as it goes over the wire. The bytes that were signed are the bytes in it.
///
/// No `Debug`: a notification may hold personal data, and any token is a credential to someone.
#[derive(Clone, PartialEq, Eq)]
pub struct Compact(String);

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

/// `BASE64URL(header) . BASE64URL(payload)`: what a signer signs (RFC 7515 §5.1).
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "three strings always serialise")]
pub fn signing_input(algorithm: Algorithm, kid: &str, typ: &str, payload: &str) -> String {
    let header = Header { alg: algorithm.as_str(), kid, typ };
    let header = serde_json::to_vec(&header).expect("three strings always serialise");
    let mut input = URL_SAFE_NO_PAD.encode(header);
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    input
}

impl Compact {
    /// The token of a signing input and its signature.
    #[must_use]
    pub fn assemble(mut signing_input: String, signature: &[u8]) -> Self {
        signing_input.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
        Self(signing_input)
    }

    /// The token's text: ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The token's text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A token taken apart; nothing in it is to be believed yet.
pub struct Unverified<'a> {
    signing_input: &'a str,
    signature: &'a str,
    payload: Vec<u8>,
    /// The `alg` that the token claims for itself.
    pub algorithm: Option<Algorithm>,
    /// The `kid`, where there is one.
    pub kid: Option<String>,
}

/// Why a token is not even looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRefusal {
    /// Not three parts of canonical base64url without padding (RFC 4648 §3.5, RFC 7515 §2).
    #[error("not three parts of canonical base64url")]
    Parts,
    /// The header is no JSON object that can be read in only one way.
    #[error("the header is not a JSON object")]
    Header,
    /// The header asks for a key, a certificate, an extension or a compression of its own choice
    /// (`jku`, `jwk`, `x5u`, `x5c`, `crit`, `b64`, `zip`).
    #[error("the header holds a parameter that is not taken from a token")]
    Parameter,
    /// The `typ` says that the token is something else.
    #[error("the token is of another type")]
    Type,
}

/// Header parameters by which a token would choose how it is verified.
const REFUSED: [&str; 9] = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "zip"];

impl<'a> Unverified<'a> {
    /// Takes a compact token apart. `types` are the media types it may call itself (compared
    /// without case and without `application/`, RFC 7515 §4.1.9); a missing `typ` is let pass.
    pub fn parse(token: &'a str, types: &[&str]) -> Result<Self, HeaderRefusal> {
        Self::read(token, types, &[]).map(|(token, _)| token)
    }

    /// Takes a Security Event Token apart: it must say that it is one (RFC 8417 §2.3, RFC 8725
    /// §3.11), or a token for another purpose could stand in its place. A `jku` is passed over:
    /// its signer may name a key set, and we go to the one that we know.
    pub fn parse_set(token: &'a str) -> Result<Self, HeaderRefusal> {
        match Self::read(token, &["secevent+jwt"], &["jku"])? {
            (token, true) => Ok(token),
            (_, false) => Err(HeaderRefusal::Type),
        }
    }

    /// The token, and whether it has a `typ`.
    fn read(
        token: &'a str,
        types: &[&str],
        passed_over: &[&str],
    ) -> Result<(Self, bool), HeaderRefusal> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HeaderRefusal::Parts);
        };
        let signing_input = &token[..header.len() + 1 + payload.len()];
        let header = decode(header)?;
        let payload = decode(payload)?;
        decode(signature)?;
        let text = Text::check(&header, 4).map_err(|_| HeaderRefusal::Header)?;
        let mut problems = Problems::default();
        let mut object =
            Object::read(text, Pointer::root(), &mut problems).ok_or(HeaderRefusal::Header)?;
        let mut refused = REFUSED.iter().filter(|name| !passed_over.contains(name));
        if refused.any(|name| object.take_member(name).is_some()) {
            return Err(HeaderRefusal::Parameter);
        }
        let mut string = |name: &str| {
            let value: Option<String> =
                object.take_member(name).map(|raw| serde_json::from_str(raw.get())).transpose()?;
            Ok(value)
        };
        let malformed = |_: serde_json::Error| HeaderRefusal::Header;
        let algorithm = string("alg").map_err(malformed)?.and_then(|name| Algorithm::parse(&name));
        let kid = string("kid").map_err(malformed)?;
        let typ = string("typ").map_err(malformed)?;
        let has_typ = typ.is_some();
        if let Some(typ) = typ {
            let typ = typ.to_ascii_lowercase();
            let typ = typ.strip_prefix("application/").unwrap_or(&typ);
            if !types.contains(&typ) {
                return Err(HeaderRefusal::Type);
            }
        }
        Ok((Self { signing_input, signature, payload, algorithm, kid }, has_typ))
    }

    /// The payload as it came. Not a word of it is proven: good for finding out whose key to try.
    #[must_use]
    pub fn claimed(&self) -> &[u8] {
        &self.payload
    }

    /// Gives the payload out if the key's signature is on it.
    #[must_use]
    pub fn verify(self, key: &Key) -> Option<Vec<u8>> {
        let verified = jsonwebtoken::crypto::verify(
            self.signature,
            self.signing_input.as_bytes(),
            key.decoding_key(),
            key.algorithm().of_library(),
        );
        matches!(verified, Ok(true)).then_some(self.payload)
    }
}

/// Decodes canonical base64url only: no padding, no stray bits, no other alphabet.
fn decode(part: &str) -> Result<Vec<u8>, HeaderRefusal> {
    if part.is_empty() {
        return Err(HeaderRefusal::Parts);
    }
    URL_SAFE_NO_PAD.decode(part).map_err(|_| HeaderRefusal::Parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendix A.3: ES256.
    const RFC7515_A3: &str = "eyJhbGciOiJFUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const RFC7515_A3_KEY: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

    fn key() -> Key {
        let keys = KeySet::parse(RFC7515_A3_KEY.as_bytes()).expect("a key set");
        keys.find(None, Algorithm::Es256).expect("one key").clone()
    }

    use super::super::KeySet;

    #[test]
    fn the_example_of_rfc_7515_a3_verifies_and_its_mutations_do_not() {
        let token = Unverified::parse(RFC7515_A3, &["jwt"]).expect("well-formed");
        assert_eq!(token.algorithm, Some(Algorithm::Es256));
        let payload = token.verify(&key()).expect("verifies");
        assert!(payload.starts_with(b"{\"iss\":\"joe\""));

        let other_payload = RFC7515_A3.replacen("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJqb2Uj", 1);
        let token = Unverified::parse(&other_payload, &["jwt"]).expect("well-formed");
        assert!(token.verify(&key()).is_none());
    }

    #[test]
    fn a_signing_input_is_the_first_two_parts() {
        let input = signing_input(Algorithm::Es256, "k1", "secevent+jwt", "{}");
        let compact = Compact::assemble(input.clone(), &[1, 2, 3]);
        assert_eq!(compact.as_str(), format!("{input}.AQID"));
        let header = decode(input.split('.').next().expect("a header")).expect("base64url");
        assert_eq!(header, br#"{"alg":"ES256","kid":"k1","typ":"secevent+jwt"}"#);
    }

    #[test]
    fn a59_a60_a_security_event_token_says_so_and_chooses_no_more_than_others() {
        let refusal = |header: &str| {
            let token = format!("{}.e30.AQID", URL_SAFE_NO_PAD.encode(header));
            Unverified::parse_set(&token).err()
        };
        for good in [
            r#"{"alg":"RS256","typ":"secevent+jwt","kid":"k1"}"#,
            r#"{"alg":"RS256","typ":"application/SecEvent+JWT"}"#,
            r#"{"alg":"RS256","typ":"secevent+jwt","jku":"https://attacker.example/keys"}"#,
            r#"{"alg":"RS256","typ":"secevent+jwt","jku":""}"#,
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
        for typ in ["", r#","typ":"JWT""#, r#","typ":"at+jwt""#, r#","typ":"jose""#] {
            let header = format!(r#"{{"alg":"RS256"{typ}}}"#);
            assert_eq!(refusal(&header), Some(HeaderRefusal::Type), "{header}");
        }
        for name in REFUSED.into_iter().filter(|name| *name != "jku") {
            let header = format!(r#"{{"alg":"RS256","typ":"secevent+jwt","{name}":false}}"#);
            assert_eq!(refusal(&header), Some(HeaderRefusal::Parameter), "{name}");
        }
    }

    #[test]
    fn a59_a60_a73_a74_tokens_that_choose_their_own_rules_are_refused() {
        let token = |header: &str| format!("{}.e30.AQID", URL_SAFE_NO_PAD.encode(header));
        let refusal = |token: &str| Unverified::parse(token, &["jwt"]).err();
        for name in REFUSED {
            let header = format!(r#"{{"alg":"ES256","{name}":["x"]}}"#);
            assert_eq!(refusal(&token(&header)), Some(HeaderRefusal::Parameter), "{name}");
        }
        assert_eq!(
            refusal(&token(r#"{"alg":"ES256","crit":null}"#)),
            Some(HeaderRefusal::Parameter)
        );
        for typ in ["at+jwt", "logout+jwt", "secevent+jwt", "jose"] {
            let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
            assert_eq!(refusal(&token(&header)), Some(HeaderRefusal::Type), "{typ}");
        }
        for good in [r#"{"alg":"ES256"}"#, r#"{"typ":"JWT"}"#, r#"{"typ":"application/jwt"}"#] {
            assert_eq!(refusal(&token(good)), None, "{good}");
        }
        for header in [
            "[]",
            "{",
            r#"{"alg":"ES256","alg":"none"}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":null}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","kid":7}"#,
            r#"{"alg":"ES256","typ":null}"#,
            r#"{"alg":"ES256","typ":["JWT"]}"#,
        ] {
            assert_eq!(refusal(&token(header)), Some(HeaderRefusal::Header), "{header}");
        }
        for bad in [
            "",
            "e30.e30",
            "e30.e30.AQID.e30",
            "e30.e30.AQID.a.b",
            "e30=.e30.AQID",
            "e30. e30.AQID",
            "e30.e30.AQID\n",
            "e30.e31.AQID",
            "e3+.e30.AQID",
            "e30.e30.",
            "{\"payload\":\"e30\"}",
        ] {
            assert_eq!(refusal(bad), Some(HeaderRefusal::Parts), "{bad:?}");
        }
    }
}
