//! The JWE Compact Serialization (RFC 7516 §7.1) of what we encrypt: five base64url parts.
//!
//! Only the format; whoever encrypts brings keys, chance and arithmetic.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{CONTENT_ENCRYPTION, KeyEncryption};

/// An encrypted token as it goes over the wire. No `Debug`, as [`super::Compact`] has none.
#[derive(Clone, PartialEq, Eq)]
pub struct CompactJwe(String);

/// What of a header is not the same for all that we encrypt.
pub struct JweHeader<'a> {
    /// How the key of the content is encrypted.
    pub algorithm: KeyEncryption,
    /// The `kid` of whose key that is, where it has one.
    pub kid: Option<&'a str>,
    /// The media type of the content, without `application/`.
    pub content_type: &'a str,
    /// Our ephemeral public point, uncompressed, where the key is agreed on.
    pub ephemeral: Option<&'a [u8; 65]>,
}

#[derive(Serialize)]
struct Protected<'a> {
    alg: &'a str,
    enc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    cty: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    epk: Option<Ephemeral>,
}

#[derive(Serialize)]
struct Ephemeral {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
}

impl JweHeader<'_> {
    /// The first part: the header in base64url. Its octets are the additional authenticated data
    /// (RFC 7516 §5.1, steps 13 and 14).
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "texts always serialise")]
    pub fn protected(&self) -> String {
        let epk = self.ephemeral.map(|point| Ephemeral {
            kty: "EC",
            crv: "P-256",
            x: URL_SAFE_NO_PAD.encode(&point[1..33]),
            y: URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        let header = Protected {
            alg: self.algorithm.as_str(),
            enc: CONTENT_ENCRYPTION,
            kid: self.kid,
            cty: self.content_type,
            epk,
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).expect("texts always serialise"))
    }
}

impl CompactJwe {
    /// Of the first part as [`JweHeader::protected`] has made it, and the octets of the others:
    /// encrypted key, initialisation vector, ciphertext and tag.
    #[must_use]
    pub fn assemble(protected: String, others: [&[u8]; 4]) -> Self {
        let mut text = protected;
        for octets in others {
            text.push('.');
            URL_SAFE_NO_PAD.encode_string(octets, &mut text);
        }
        Self(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(header: &JweHeader<'_>) -> String {
        let octets = URL_SAFE_NO_PAD.decode(header.protected()).expect("base64url");
        String::from_utf8(octets).expect("text")
    }

    #[test]
    fn a_header_says_what_is_needed_to_open_and_no_more() {
        let mut point = [7; 65];
        point[0] = 4;
        let agreed = JweHeader {
            algorithm: KeyEncryption::EcdhEsA256Kw,
            kid: Some("k\"1"),
            content_type: "secevent+jwt",
            ephemeral: Some(&point),
        };
        let octets = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        assert_eq!(
            header(&agreed),
            format!(
                r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"k\"1","cty":"secevent+jwt","epk":{{"kty":"EC","crv":"P-256","x":"{octets}","y":"{octets}"}}}}"#
            )
        );
        let plain = JweHeader {
            algorithm: KeyEncryption::RsaOaep256,
            kid: None,
            content_type: "secevent+jwt",
            ephemeral: None,
        };
        let expected = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"secevent+jwt"}"#;
        assert_eq!(header(&plain), expected);
    }

    /// The parts of RFC 7516 appendix A.1.
    #[test]
    fn five_parts_are_put_together_as_in_rfc_7516_appendix_a1() {
        let parts = [
            "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05\
             kLzcSr4qKAq7YN7e9jwQRb23nfa6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lD\
             p5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vDxRfqNzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je818\
             60ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi6UklfCpIMfIjf7iGdXKHzg",
            "48V1_ALb6US04U3b",
            "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A",
            "XFBoMYUZodetZdvTiFvSkQ",
        ];
        let octets = parts.map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
        let protected = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ";
        let others = [&*octets[0], &*octets[1], &*octets[2], &*octets[3]];
        let token = CompactJwe::assemble(protected.to_owned(), others);
        assert_eq!(token.as_str(), format!("{protected}.{}", parts.join(".")));
        assert!(token.clone().into_string() == token.as_str());
    }
}
