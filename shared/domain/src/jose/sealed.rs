//! The JWE Compact Serialization (RFC 7516 §7.1) of what is encrypted to us: five base64url parts.
//!
//! Only the format: two ways to encrypt a key, one to encrypt content, no compression. What a
//! header may say is a list of its own: everything else is refused before any work is done, so
//! that no header can ask for a million rounds or a gigabyte. Keys and their arithmetic live in the
//! adapters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::json::{Object, Pointer, Problems, Text};

/// How the key of the content is encrypted (RFC 7518 §4). Not `RSA1_5`, not with passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyEncryption {
    /// Agreed on with an ephemeral key on P-256, and wrapped with AES-256.
    EcdhEsA256Kw,
    /// RSAES-OAEP with SHA-256.
    RsaOaep256,
}

impl KeyEncryption {
    /// All of them, by their names.
    pub const CHOICES: [(&str, Self); 2] = [
        (Self::EcdhEsA256Kw.as_str(), Self::EcdhEsA256Kw),
        (Self::RsaOaep256.as_str(), Self::RsaOaep256),
    ];

    /// Its registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
            Self::RsaOaep256 => "RSA-OAEP-256",
        }
    }
}

/// The one way to encrypt content: AES-256 in Galois/Counter Mode (RFC 7518 §5.3).
pub const CONTENT_ENCRYPTION: &str = "A256GCM";

/// Something encrypted to one of our keys, taken apart. Nothing in it is to be believed yet.
pub struct Sealed {
    /// The header as it is written: the additional authenticated data.
    pub protected: String,
    /// Which of our keys is meant.
    pub kid: Option<String>,
    /// The encrypted key of the content.
    pub key: SealedKey,
    /// Initialisation vector.
    pub nonce: [u8; 12],
    /// The encrypted content, and its tag of 16 octets.
    pub ciphertext: Vec<u8>,
}

/// An encrypted key, and what is needed to decrypt it.
pub enum SealedKey {
    /// See [`KeyEncryption::EcdhEsA256Kw`].
    Agreed {
        /// The sender's ephemeral point, uncompressed (SEC 1 §2.3.3). Not known to lie on the curve.
        point: [u8; 65],
        /// `apu` and `apv`.
        parties: [Vec<u8>; 2],
        /// The key, wrapped (RFC 3394).
        wrapped: [u8; 40],
    },
    /// See [`KeyEncryption::RsaOaep256`].
    Encrypted(Vec<u8>),
}

/// Why something is not even decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealRefusal {
    /// Three parts: not encrypted.
    #[error("not encrypted")]
    Clear,
    /// Not five parts of canonical base64url, of the right lengths.
    #[error("not five parts of canonical base64url")]
    Parts,
    /// The header is no JSON object that can be read in only one way.
    #[error("the header is not a JSON object")]
    Header,
    /// The header holds something else than these algorithms need: `zip`, `crit`, `p2c`, `jku` …
    #[error("the header holds a parameter that is not known")]
    Parameter,
    /// Another `alg` or `enc` than the registered ones.
    #[error("the token is encrypted in another way")]
    Algorithm,
    /// The `typ` or `cty` says that a JWT in a JWT is something else.
    #[error("the token is of another type")]
    Type,
}

impl Sealed {
    /// Takes a compact token apart that should be encrypted in this way.
    pub fn parse(token: &str, algorithm: KeyEncryption) -> Result<Self, SealRefusal> {
        let parts: Vec<&str> = token.splitn(6, '.').collect();
        let [protected, key, nonce, content, tag] = parts[..] else {
            let is_clear = parts.len() == 3;
            return Err(if is_clear { SealRefusal::Clear } else { SealRefusal::Parts });
        };
        let header = decode(protected)?;
        let text = Text::check(&header, 4).map_err(|_| SealRefusal::Header)?;
        let mut problems = Problems::default();
        let mut header =
            Object::read(text, Pointer::root(), &mut problems).ok_or(SealRefusal::Header)?;
        let kid = string(&mut header, "kid")?;
        for (name, expected) in [("alg", algorithm.as_str()), ("enc", CONTENT_ENCRYPTION)] {
            if string(&mut header, name)?.as_deref() != Some(expected) {
                return Err(SealRefusal::Algorithm);
            }
        }
        for name in ["typ", "cty"] {
            if string(&mut header, name)?.is_some_and(|name| !is_jwt(&name)) {
                return Err(SealRefusal::Type);
            }
        }
        let key = decode(key)?;
        let key = match algorithm {
            KeyEncryption::EcdhEsA256Kw => SealedKey::Agreed {
                point: ephemeral_point(&mut header)?,
                parties: [party(&mut header, "apu")?, party(&mut header, "apv")?],
                wrapped: key.try_into().map_err(|_| SealRefusal::Parts)?,
            },
            KeyEncryption::RsaOaep256 => SealedKey::Encrypted(key),
        };
        if !header.into_rest().is_empty() {
            return Err(SealRefusal::Parameter);
        }
        let nonce = decode(nonce)?.try_into().map_err(|_| SealRefusal::Parts)?;
        let tag: [u8; 16] = decode(tag)?.try_into().map_err(|_| SealRefusal::Parts)?;
        let mut ciphertext = decode(content)?;
        ciphertext.extend_from_slice(&tag);
        Ok(Self { protected: protected.to_owned(), kid, key, nonce, ciphertext })
    }

    /// How its key is encrypted.
    #[must_use]
    pub fn algorithm(&self) -> KeyEncryption {
        match self.key {
            SealedKey::Agreed { .. } => KeyEncryption::EcdhEsA256Kw,
            SealedKey::Encrypted(_) => KeyEncryption::RsaOaep256,
        }
    }
}

/// The Concat KDF (NIST SP 800-56A §5.8.1, RFC 7518 §4.6.2), one round of SHA-256: of an agreed
/// secret, the algorithm that the key is for, `apu` and `apv`, a key of at most 256 bits.
#[must_use]
pub fn concat_kdf(secret: &[u8], algorithm: &str, parties: [&[u8]; 2], bits: u32) -> [u8; 32] {
    // Texts here are shorter than 2^32 octets.
    let length = |octets: &[u8]| u32::try_from(octets.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut hash = Sha256::new();
    hash.update(1u32.to_be_bytes());
    hash.update(secret);
    for octets in [algorithm.as_bytes(), parties[0], parties[1]] {
        hash.update(length(octets));
        hash.update(octets);
    }
    hash.update(bits.to_be_bytes());
    hash.finalize().into()
}

fn decode(part: &str) -> Result<Vec<u8>, SealRefusal> {
    if part.is_empty() {
        return Err(SealRefusal::Parts);
    }
    URL_SAFE_NO_PAD.decode(part).map_err(|_| SealRefusal::Parts)
}

fn string(object: &mut Object<'_>, name: &str) -> Result<Option<String>, SealRefusal> {
    let read = |raw: &RawValue| serde_json::from_str(raw.get()).map_err(|_| SealRefusal::Header);
    object.take_member(name).map(read).transpose()
}

/// `JWT`, in any case and with or without `application/` (RFC 7515 §4.1.9, RFC 7519 §5.2).
fn is_jwt(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("application/").unwrap_or(&name) == "jwt"
}

fn party(header: &mut Object<'_>, name: &str) -> Result<Vec<u8>, SealRefusal> {
    let text = string(header, name)?.unwrap_or_default();
    URL_SAFE_NO_PAD.decode(text).map_err(|_| SealRefusal::Header)
}

/// `epk` (RFC 7518 §4.6.1.1): a public key on P-256 and nothing else.
fn ephemeral_point(header: &mut Object<'_>) -> Result<[u8; 65], SealRefusal> {
    let mut problems = Problems::default();
    let raw = header.take_member("epk").ok_or(SealRefusal::Header)?;
    let mut key =
        Object::read_raw(raw, Pointer::root(), &mut problems).ok_or(SealRefusal::Header)?;
    for (name, expected) in [("kty", "EC"), ("crv", "P-256")] {
        if string(&mut key, name)?.as_deref() != Some(expected) {
            return Err(SealRefusal::Algorithm);
        }
    }
    let mut point = [4; 65];
    for (name, place) in [("x", 1..33), ("y", 33..65)] {
        let text = string(&mut key, name)?.ok_or(SealRefusal::Header)?;
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealRefusal::Header)?;
        let octets: [u8; 32] = octets.try_into().map_err(|_| SealRefusal::Header)?;
        point[place].copy_from_slice(&octets);
    }
    if key.into_rest().is_empty() { Ok(point) } else { Err(SealRefusal::Parameter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header over parts of the right lengths.
    fn token(header: &str, key_bytes: usize) -> String {
        let part = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        let header = URL_SAFE_NO_PAD.encode(header);
        format!("{header}.{}.{}.{}.{}", part(key_bytes), part(12), part(5), part(16))
    }

    fn ecdh(header: &str) -> Option<SealRefusal> {
        Sealed::parse(&token(header, 40), KeyEncryption::EcdhEsA256Kw).err()
    }

    fn rsa(header: &str) -> Option<SealRefusal> {
        Sealed::parse(&token(header, 256), KeyEncryption::RsaOaep256).err()
    }

    const EPK: &str = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}"#;

    #[test]
    fn the_derived_key_is_that_of_rfc_7518_appendix_c() {
        let secret = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = concat_kdf(&secret, "A128GCM", [b"Alice", b"Bob"], 128);
        assert_eq!(URL_SAFE_NO_PAD.encode(&key[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn what_is_sealed_as_it_was_agreed_is_taken_apart() {
        let header =
            format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"k1","epk":{EPK}}}"#);
        assert_eq!(ecdh(&header), None);
        for more in [
            r#""typ":"JWT","cty":"JWT","#,
            r#""cty":"jwt","#,
            r#""cty":"application/jwt","apu":"QWxpY2U","apv":"Qm9i","#,
        ] {
            assert_eq!(ecdh(&header.replacen('{', &format!("{{{more}"), 1)), None, "{more}");
        }
        assert_eq!(rsa(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}"#), None);
        let sealed = Sealed::parse(&token(&header, 40), KeyEncryption::EcdhEsA256Kw);
        let sealed = sealed.expect("sealed");
        assert_eq!(sealed.kid.as_deref(), Some("k1"));
        assert_eq!((sealed.ciphertext.len(), sealed.nonce), (5 + 16, [7; 12]));
        assert_eq!(sealed.algorithm(), KeyEncryption::EcdhEsA256Kw);
    }

    #[test]
    fn a75_what_is_sealed_in_another_way_is_refused_on_its_header() {
        use SealRefusal::{Algorithm, Header, Parameter, Type};
        let sealed = |alg: &str, enc: &str| format!(r#"{{"alg":"{alg}","enc":"{enc}"}}"#);
        for alg in [
            "RSA1_5",
            "RSA-OAEP",
            "RSA-OAEP-512",
            "dir",
            "A256KW",
            "A256GCMKW",
            "ECDH-ES",
            "ECDH-ES+A128KW",
            "PBES2-HS512+A256KW",
            "none",
            "",
            "rsa-oaep-256",
        ] {
            assert_eq!(rsa(&sealed(alg, "A256GCM")), Some(Algorithm), "{alg}");
            assert_eq!(ecdh(&sealed(alg, "A256GCM")), Some(Algorithm), "{alg}");
        }
        for enc in ["A128GCM", "A192GCM", "A256CBC-HS512", "A128CBC-HS256", "none", "a256gcm"] {
            assert_eq!(rsa(&sealed("RSA-OAEP-256", enc)), Some(Algorithm), "{enc}");
        }
        assert_eq!(ecdh(&sealed("RSA-OAEP-256", "A256GCM")), Some(Algorithm));
        assert_eq!(rsa(r#"{"alg":"RSA-OAEP-256"}"#), Some(Algorithm));
        assert_eq!(rsa(r#"{"enc":"A256GCM"}"#), Some(Algorithm));
        let good = sealed("RSA-OAEP-256", "A256GCM");
        for (member, refusal) in [
            (r#""zip":"DEF""#, Parameter),
            (r#""p2c":2147483648,"p2s":"AQID""#, Parameter),
            (r#""crit":["exp"]"#, Parameter),
            (r#""crit":[]"#, Parameter),
            (r#""jku":"https://x.example/""#, Parameter),
            (r#""jwk":{}"#, Parameter),
            (r#""x5c":[]"#, Parameter),
            (r#""iv":"AQID","tag":"AQID""#, Parameter),
            (r#""epk":{}"#, Parameter),
            (r#""x":null"#, Parameter),
            (r#""cty":"at+jwt""#, Type),
            (r#""cty":"""#, Type),
            (r#""typ":"secevent+jwt""#, Type),
            (r#""kid":["k1"]"#, Header),
            (r#""kid":null"#, Header),
            (r#""cty":null"#, Header),
            (r#""alg":"RSA1_5""#, Header),
        ] {
            let header = good.replacen('{', &format!("{{{member},"), 1);
            assert_eq!(rsa(&header), Some(refusal), "{member}");
        }
        for header in ["", "[]", "{", "null", "{}x"] {
            assert!(rsa(header).is_some(), "{header}");
        }
    }

    #[test]
    fn a75_an_ephemeral_key_is_a_public_key_on_p_256_and_nothing_else() {
        use SealRefusal::{Algorithm, Header, Parameter};
        let with =
            |epk: &str| ecdh(&format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{epk}}}"#));
        for (from, to, refusal) in [
            (r#""EC""#, r#""OKP""#, Algorithm),
            (r#""P-256""#, r#""P-384""#, Algorithm),
            (r#""P-256""#, r#""X25519""#, Algorithm),
            (r#""kty""#, r#""d":"AQID","kty""#, Parameter),
            (r#""x":"gI"#, r#""x":"AAgI"#, Header),
            (r#""x":"#, r#""z":"#, Header),
        ] {
            assert_eq!(with(&EPK.replacen(from, to, 1)), Some(refusal), "{to}");
        }
        for epk in ["null", "[]", "{}", "7", "\"x\""] {
            assert!(with(epk).is_some(), "{epk}");
        }
        assert_eq!(ecdh(r#"{"alg":"ECDH-ES+A256KW","enc":"A256GCM"}"#), Some(Header));
        let apu = format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","apu":"=","epk":{EPK}}}"#);
        assert_eq!(ecdh(&apu), Some(Header));
    }

    #[test]
    fn a74_a75_other_forms_are_refused() {
        let header = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#;
        let good = token(header, 256);
        let refusal = |token: &str| Sealed::parse(token, KeyEncryption::RsaOaep256).err();
        assert_eq!(refusal(&good), None);
        assert_eq!(refusal("e30.e30.AQID"), Some(SealRefusal::Clear));
        let parts: Vec<&str> = good.split('.').collect();
        let mut bad = vec![
            String::new(),
            parts[..4].join("."),
            format!("{good}.{}", parts[4]),
            format!("{good}\n"),
            format!("{good}="),
            format!(r#"{{"protected":"{}","recipients":[{{}},{{}}]}}"#, parts[0]),
        ];
        for part in 0..5 {
            let mut without = parts.clone();
            without[part] = "";
            bad.push(without.join("."));
        }
        for (part, bytes) in [(2, 11), (2, 16), (4, 4), (4, 15), (4, 17)] {
            let mut other = parts.clone();
            let text = URL_SAFE_NO_PAD.encode(vec![7; bytes]);
            other[part] = &text;
            bad.push(other.join("."));
        }
        for bad in bad {
            assert_eq!(refusal(&bad), Some(SealRefusal::Parts), "{bad:?}");
        }
        let short =
            token(&format!(r#"{{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{EPK}}}"#), 39);
        let refused = Sealed::parse(&short, KeyEncryption::EcdhEsA256Kw).err();
        assert_eq!(refused, Some(SealRefusal::Parts));
    }

    proptest::proptest! {
        #[test]
        fn noise_is_refused_without_a_panic(noise in ".{0,80}", header: Vec<u8>) {
            let token = token(&String::from_utf8_lossy(&header), 40);
            for (_, algorithm) in KeyEncryption::CHOICES {
                proptest::prop_assert!(Sealed::parse(&noise, algorithm).is_err());
                proptest::prop_assert!(Sealed::parse(&token, algorithm).is_err());
            }
        }
    }
}
