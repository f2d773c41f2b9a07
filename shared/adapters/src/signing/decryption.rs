//! The keys that others encrypt to: kept in the same secret, published in the same JWK Set with
//! `"use":"enc"`.
//!
//! `current` is published; `next` and `previous` only decrypt, so that every environment knows a
//! key before anyone encrypts to it, and as long as somebody may still do so. What opens here is
//! still to be verified: who encrypted it, encryption does not say.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{
    KeyPairComponents, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
    PublicKeyComponents,
};
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::enrich::NotOpened;
use domain::jose::{KeyEncryption, Sealed, SealedKey, concat_kdf};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::InvalidKeys;
use super::jwk::{Status, thumbprint_of_p256};

/// The members of a key that may be published.
const PUBLIC: [&str; 9] = ["kty", "crv", "x", "y", "n", "e", "alg", "kid", "use"];

/// The keys to decrypt with. No `Debug` and no `Serialize`.
#[derive(Default)]
pub(super) struct DecryptionKeys {
    keys: Vec<DecryptionKey>,
    published: Vec<Value>,
}

struct DecryptionKey {
    kid: String,
    status: Status,
    private: Private,
}

enum Private {
    Agreement(PrivateKey),
    Rsa(OaepPrivateDecryptingKey),
}

/// What is read of a JWK besides the key itself. No `Debug`.
#[derive(Deserialize)]
struct Described {
    kid: String,
    alg: String,
    status: Status,
}

impl DecryptionKeys {
    /// Takes the keys for encryption out of a private JWK Set.
    pub(super) fn take(set: &mut Value) -> Result<Self, InvalidKeys> {
        let keys = set.get_mut("keys").and_then(Value::as_array_mut).ok_or(InvalidKeys::Shape)?;
        let mut taken = Self::default();
        for jwk in keys.extract_if(.., |key| key.get("use").is_some_and(|usage| usage == "enc")) {
            taken.add(&jwk)?;
        }
        for (_, algorithm) in KeyEncryption::CHOICES {
            let is_current = |key: &&DecryptionKey| {
                key.private.algorithm() == algorithm && key.status == Status::Current
            };
            if taken.keys.iter().filter(is_current).count() > 1 {
                return Err(InvalidKeys::CurrentDecryption);
            }
        }
        Ok(taken)
    }

    fn add(&mut self, jwk: &Value) -> Result<(), InvalidKeys> {
        let Described { kid, alg, status } =
            Described::deserialize(jwk).map_err(|_| InvalidKeys::Shape)?;
        let members = jwk.as_object().ok_or(InvalidKeys::Shape)?;
        let private = Private::read(&alg, members)?;
        if kid.is_empty() || kid.len() > 128 || self.keys.iter().any(|key| key.kid == kid) {
            return Err(InvalidKeys::Shape);
        }
        if status == Status::Current {
            let is_public = |(name, _): &(&String, &Value)| PUBLIC.contains(&name.as_str());
            let public: Map<String, Value> = members
                .iter()
                .filter(is_public)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            self.published.push(public.into());
        }
        self.keys.push(DecryptionKey { kid, status, private });
        Ok(())
    }

    /// The public parts to be published.
    pub(super) fn published(&self) -> &[Value] {
        &self.published
    }

    /// Opens what is encrypted to one of these keys. Without a `kid`, the current one is meant.
    pub(super) fn open(&self, sealed: Sealed) -> Result<Vec<u8>, NotOpened> {
        let algorithm = sealed.algorithm();
        let mut keys =
            self.keys.iter().filter(|key| key.private.algorithm() == algorithm).peekable();
        if keys.peek().is_none() {
            return Err(NotOpened::NoKey);
        }
        let key = keys.find(|key| match &sealed.kid {
            Some(kid) => key.kid == *kid,
            None => key.status == Status::Current,
        });
        let key = key.ok_or(NotOpened::Refused)?;
        open_with(&key.private, sealed).ok_or(NotOpened::Refused)
    }
}

impl Private {
    fn read(algorithm: &str, jwk: &Map<String, Value>) -> Result<Self, InvalidKeys> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str).ok_or(InvalidKeys::Shape);
        let octets =
            |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).map_err(|_| InvalidKeys::Shape);
        let chosen = KeyEncryption::CHOICES.into_iter().find(|(name, _)| *name == algorithm);
        match (chosen.ok_or(InvalidKeys::Shape)?.1, text("kty")?) {
            (KeyEncryption::EcdhEsA256Kw, "EC") if text("crv")? == "P-256" => {
                let private = PrivateKey::from_private_key(&ECDH_P256, &octets("d")?)
                    .map_err(|_| InvalidKeys::Pair)?;
                let public = private.compute_public_key().map_err(|_| InvalidKeys::Pair)?;
                let declared = [vec![4], octets("x")?, octets("y")?].concat();
                if public.as_ref() != declared {
                    return Err(InvalidKeys::Pair);
                }
                Ok(Self::Agreement(private))
            }
            (KeyEncryption::RsaOaep256, "RSA") => {
                let pair = RsaKeyPair::from_components(&KeyPairComponents {
                    public_key: PublicKeyComponents { n: octets("n")?, e: octets("e")? },
                    d: octets("d")?,
                    p: octets("p")?,
                    q: octets("q")?,
                    dP: octets("dp")?,
                    dQ: octets("dq")?,
                    qInv: octets("qi")?,
                });
                let private = pair.map_err(|_| InvalidKeys::Pair)?.as_der();
                let private = private.map_err(|_| InvalidKeys::Pair)?;
                PrivateDecryptingKey::from_pkcs8(private.as_ref())
                    .ok()
                    .and_then(|key| OaepPrivateDecryptingKey::new(key).ok())
                    .map(Self::Rsa)
                    .ok_or(InvalidKeys::Pair)
            }
            _ => Err(InvalidKeys::Shape),
        }
    }

    fn algorithm(&self) -> KeyEncryption {
        match self {
            Self::Agreement(_) => KeyEncryption::EcdhEsA256Kw,
            Self::Rsa(_) => KeyEncryption::RsaOaep256,
        }
    }
}

/// RFC 7516 §5.2. Nobody is told at which step it failed.
fn open_with(private: &Private, sealed: Sealed) -> Option<Vec<u8>> {
    let mut content_key = [0; 1024];
    let content_key: &[u8] = match (private, &sealed.key) {
        (Private::Agreement(private), SealedKey::Agreed { point, parties, wrapped }) => {
            // A point off the curve is refused here, before it has met the key.
            let wrapping = agreement::agree(
                private,
                UnparsedPublicKey::new(&ECDH_P256, point),
                (),
                |secret| Ok(wrapping_key(secret, parties)),
            );
            let kek = AesKek::new(&AES_256, &wrapping.ok()?).ok()?;
            kek.unwrap(wrapped, &mut content_key).ok()?
        }
        (Private::Rsa(private), SealedKey::Encrypted(encrypted)) => {
            let place = content_key.get_mut(..private.min_output_size())?;
            private.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, place, None).ok()?
        }
        (Private::Agreement(_), SealedKey::Encrypted(_))
        | (Private::Rsa(_), SealedKey::Agreed { .. }) => return None,
    };
    open_content(content_key, sealed)
}

fn open_content(key: &[u8], sealed: Sealed) -> Option<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let mut content = sealed.ciphertext;
    let opened = key.open_in_place(nonce, Aad::from(sealed.protected.as_bytes()), &mut content);
    let octets = opened.ok()?.len();
    content.truncate(octets);
    Some(content)
}

fn wrapping_key(secret: &[u8], [u, v]: &[Vec<u8>; 2]) -> [u8; 32] {
    concat_kdf(secret, KeyEncryption::EcdhEsA256Kw.as_str(), [u, v], 256)
}

/// A new private JWK for ECDH-ES+A256KW, current, to be put into the secret.
pub(super) fn generate() -> Value {
    let private = PrivateKey::generate(&ECDH_P256).expect("the operating system gives randomness");
    let public = private.compute_public_key().expect("a private key has a public one");
    let (x, y) = public.as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let d = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&private)
        .expect("a private key has octets");
    json!({
        "kty": "EC", "crv": "P-256", "alg": KeyEncryption::EcdhEsA256Kw.as_str(), "use": "enc",
        "kid": thumbprint_of_p256(&x, &y), "x": x, "y": y, "d": URL_SAFE_NO_PAD.encode(d.as_ref()),
        "status": "current",
    })
}

#[cfg(test)]
mod tests;
