//! A target with a private key: it opens what is encrypted to it.
//!
//! What opens here takes the token apart by itself, and shares nothing with what seals it but the
//! cryptographic library and the key derivation, whose vector is RFC 7518's.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::jose::concat_kdf;
use serde_json::{Value, json};

/// A target that holds a key on P-256.
pub struct Recipient {
    private: PrivateKey,
    kid: String,
}

/// What was encrypted, and the header that said how.
pub struct Opened {
    /// The protected header.
    pub header: Value,
    /// The content.
    pub content: String,
}

impl Opened {
    /// The payload of the token that is the content. Its signature is not looked at.
    #[must_use]
    pub fn payload(&self) -> Value {
        let payload = self.content.split('.').nth(1).expect("a token of three parts");
        serde_json::from_slice(&decode(payload).expect("base64url")).expect("JSON")
    }
}

impl Recipient {
    /// With a new key of this name.
    #[must_use]
    pub fn new(kid: &str) -> Self {
        let private = PrivateKey::generate(&ECDH_P256).expect("a key");
        Self { private, kid: kid.to_owned() }
    }

    /// Its public JWK, as it stands in a row or in a key set.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let public = self.private.compute_public_key().expect("a public key");
        let (x, y) = public.as_ref()[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "enc", "alg": "ECDH-ES+A256KW", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    /// Opens a compact JWE; `None` when it is not encrypted to this key, or not at all.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<Opened> {
        let parts: Vec<&str> = token.split('.').collect();
        let [protected, key, nonce, ciphertext, tag] = parts[..] else { return None };
        let header: Value = serde_json::from_slice(&decode(protected)?).ok()?;
        let [x, y] = ["x", "y"].map(|name| header["epk"][name].as_str().and_then(decode));
        let point = UnparsedPublicKey::new(&ECDH_P256, [vec![4], x?, y?].concat());
        let kek = agreement::agree(&self.private, point, (), |secret| {
            Ok(concat_kdf(secret, "ECDH-ES+A256KW", [b"", b""], 256))
        });
        let kek = AesKek::new(&AES_256, &kek.ok()?).ok()?;
        let mut content_key = [0; 32];
        kek.unwrap(&decode(key)?, &mut content_key).ok()?;
        let mut content = [decode(ciphertext)?, decode(tag)?].concat();
        let nonce = Nonce::try_assume_unique_for_key(&decode(nonce)?).ok()?;
        let content_key = UnboundKey::new(&AES_256_GCM, &content_key).ok()?;
        let opened = LessSafeKey::new(content_key).open_in_place(
            nonce,
            Aad::from(protected.as_bytes()),
            &mut content,
        );
        let content = String::from_utf8(opened.ok()?.to_vec()).ok()?;
        Some(Opened { header, content })
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
