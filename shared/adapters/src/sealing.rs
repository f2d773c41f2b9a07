//! Encrypts signed tokens to targets' keys: RFC 7516, as far as [`domain::jose`] names it.
//!
//! Two ways to encrypt a key, one to encrypt content, no compression. Each token has a content key,
//! an initialisation vector and, where the key is agreed on, an ephemeral key of its own, so nothing
//! is ever used twice, however often an attempt is repeated. What is encrypted is a token that was
//! signed; who wrote it, encryption does not say.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use domain::egress::GuardedUrl;
use domain::jose::{
    Compact, CompactJwe, EncryptionKey, EncryptionMaterial, JweHeader, KeyEncryption, KeySet,
    NoKeySet, concat_kdf,
};
use domain::notification::TYP;
use domain::sealing::{KeyUnusable, Ports};
use domain::time::Deadline;
use zeroize::Zeroizing;

use crate::key_sets::KeySets;

/// A key for the content of one token.
type ContentKey = Zeroizing<[u8; 32]>;

impl Ports for KeySets {
    fn seal(&self, token: Compact, key: &EncryptionKey) -> Result<CompactJwe, KeyUnusable> {
        seal(&token, key)
    }

    async fn encryption_keys(
        &self,
        url: &GuardedUrl,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        self.for_encryption(url, deadline).await.map_err(|_| NoKeySet)
    }
}

/// The token, encrypted to this key (RFC 7516 §5.1).
///
/// # Panics
///
/// When the operating system has no randomness to give.
pub fn seal(token: &Compact, key: &EncryptionKey) -> Result<CompactJwe, KeyUnusable> {
    let content_key: ContentKey = Zeroizing::new(random());
    let (encrypted_key, ephemeral) = match key.material() {
        EncryptionMaterial::P256(point) => agree(&content_key, point),
        EncryptionMaterial::Rsa { modulus, exponent } => {
            encrypt(&content_key, modulus, exponent).map(|encrypted| (encrypted, None))
        }
    }
    .map_err(|Unspecified| KeyUnusable)?;
    let header = JweHeader {
        algorithm: key.algorithm(),
        kid: key.kid(),
        content_type: TYP,
        ephemeral: ephemeral.as_ref(),
    };
    let protected = header.protected();
    let nonce: [u8; 12] = random();
    let (ciphertext, tag) = encrypt_content(&content_key, nonce, &protected, token.as_str());
    Ok(CompactJwe::assemble(protected, [&encrypted_key, &nonce, &ciphertext, &tag]))
}

/// ECDH-ES+A256KW (RFC 7518 §4.6): the wrapped key, and the ephemeral point for the header.
fn agree(
    content_key: &ContentKey,
    point: &[u8; 65],
) -> Result<(Vec<u8>, Option<[u8; 65]>), Unspecified> {
    let ephemeral = PrivateKey::generate(&ECDH_P256)?;
    let public = ephemeral.compute_public_key()?;
    let target = UnparsedPublicKey::new(&ECDH_P256, point);
    let wrapping = agreement::agree(&ephemeral, target, Unspecified, |secret| {
        Ok(Zeroizing::new(concat_kdf(secret, KeyEncryption::EcdhEsA256Kw.as_str(), [&[]; 2], 256)))
    })?;
    let public = public.as_ref().try_into().map_err(|_| Unspecified)?;
    Ok((wrap(content_key, &wrapping)?, Some(public)))
}

/// AES-256 key wrap (RFC 3394 §2.2.1).
fn wrap(content_key: &ContentKey, wrapping: &[u8; 32]) -> Result<Vec<u8>, Unspecified> {
    let mut wrapped = vec![0; 40];
    AesKek::new(&AES_256, wrapping)?.wrap(&content_key[..], &mut wrapped)?;
    Ok(wrapped)
}

/// RSA-OAEP-256 (RFC 7518 §4.3).
fn encrypt(
    content_key: &ContentKey,
    modulus: &[u8],
    exponent: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    let key: PublicEncryptingKey = PublicKeyComponents { n: modulus, e: exponent }.try_into()?;
    let key = OaepPublicEncryptingKey::new(key)?;
    let mut encrypted = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, &content_key[..], &mut encrypted, None)?;
    Ok(encrypted)
}

/// A256GCM (RFC 7518 §5.3): ciphertext and tag. The header is authenticated as it is written.
fn encrypt_content(
    key: &ContentKey,
    nonce: [u8; 12],
    protected: &str,
    content: &str,
) -> (Vec<u8>, [u8; 16]) {
    let key = UnboundKey::new(&AES_256_GCM, &key[..]).expect("32 octets are a key");
    let mut ciphertext = content.as_bytes().to_vec();
    let tag = LessSafeKey::new(key).seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(protected.as_bytes()),
        &mut ciphertext,
    );
    let tag = tag.expect("an event is shorter than 64 GiB");
    (ciphertext, tag.as_ref().try_into().expect("a tag has 16 octets"))
}

fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).expect("the operating system gives randomness");
    octets
}

#[cfg(test)]
mod tests;
