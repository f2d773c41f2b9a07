//! The secrets that standard webhooks are signed with: made, sealed, opened, used.
//!
//! Envelope encryption: a secret is sealed with AES-256-GCM under a data key of its own, the data
//! key by KMS. Both are bound to the subscription that the secret is for, the one by additional
//! data, the other by KMS's encryption context (`scope`, `subscription`), which `CloudTrail` shows;
//! so what is copied into another row opens nothing there.

mod kms;
mod rows;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::subscription::SubscriptionKey;
use zeroize::Zeroizing;

pub use kms::{NotSealed, WebhookSecretStore};
pub use rows::SecretRows;

/// What a receiver's library knows a secret by.
const PREFIX: &str = "whsec_";

/// A new secret's length; Standard Webhooks wants 24 to 64 bytes.
const SECRET_BYTES: usize = 32;

/// A secret in the clear, zeroed when it is let go. No `Display`, no `Debug`, no `Serialize`.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// A secret made ready to sign with. It has no `Debug`, and shows nothing.
pub struct WebhookKey(hmac::Key);

/// What was to be opened is not what was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not one that was sealed for this subscription")]
pub struct Unopened;

impl WebhookSecret {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> Self {
        let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
        aws_lc_rs::rand::fill(&mut secret).expect("the operating system gives randomness");
        Self(secret)
    }

    /// As a receiver is given it, once: `whsec_` and base64.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(PREFIX.to_owned());
        STANDARD.encode_string(&*self.0, &mut text);
        text
    }

    /// One as a receiver has it: `whsec_` and base64, or base64 alone. `None` when it is not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let octets = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).ok()?;
        (!octets.is_empty()).then(|| Self(Zeroizing::new(octets)))
    }

    /// Under a data key, for its owner alone: a nonce, and the secret with its tag.
    fn seal(&self, data_key: &[u8], owner: &SubscriptionKey) -> Option<Vec<u8>> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, data_key).ok()?);
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = nonce.to_vec();
        let mut secret = self.0.clone();
        let tag = key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound_to(owner)),
            &mut secret,
        );
        sealed.extend_from_slice(&secret);
        sealed.extend_from_slice(tag.ok()?.as_ref());
        Some(sealed)
    }

    /// What [`Self::seal`] has sealed.
    fn open(ciphertext: &[u8], data_key: &[u8], owner: &SubscriptionKey) -> Result<Self, Unopened> {
        let key = UnboundKey::new(&AES_256_GCM, data_key).map_err(|_| Unopened)?;
        let (nonce, sealed) = ciphertext.split_at_checked(NONCE_LEN).ok_or(Unopened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        let opened =
            LessSafeKey::new(key).open_in_place(nonce, Aad::from(bound_to(owner)), &mut secret);
        let length = opened.map_err(|_| Unopened)?.len();
        secret.truncate(length);
        Ok(Self(secret))
    }

    /// Ready to sign with.
    #[must_use]
    pub fn key(&self) -> WebhookKey {
        WebhookKey(hmac::Key::new(hmac::HMAC_SHA256, &self.0))
    }
}

impl WebhookKey {
    /// HMAC-SHA256 of a signing input.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC-SHA256 always has 32 octets")]
    pub fn sign(&self, signing_input: &str) -> [u8; 32] {
        let mac = hmac::sign(&self.0, signing_input.as_bytes());
        mac.as_ref().try_into().expect("HMAC-SHA256 has 32 octets")
    }

    /// Whether a MAC is that of a signing input.
    #[must_use]
    pub fn has_signed(&self, signing_input: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, signing_input, mac).is_ok()
    }
}

/// The additional data that a secret is sealed with. Neither part can hold a `/` before its end.
fn bound_to(owner: &SubscriptionKey) -> Vec<u8> {
    format!("{}/{}", owner.subscription_id, owner.scope.key()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::SubscriptionId;
    use domain::scope::Scope;

    fn owner(scope: &str, subscription: &str) -> SubscriptionKey {
        SubscriptionKey {
            scope: Scope::try_from(scope.to_owned()).expect("a scope"),
            subscription_id: SubscriptionId::parse(subscription).expect("an ID"),
        }
    }

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::parse(text).expect("a secret")
    }

    #[test]
    fn signatures_are_those_of_the_published_vectors() {
        // From the tests of Standard Webhooks' own libraries: Rust, and all the others.
        for (text, input, expected) in [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                r#"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553.{"email":"test@example.com","username":"test_user"}"#,
                "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#,
                "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            assert_eq!(STANDARD.encode(secret(text).key().sign(input)), expected);
            assert_eq!(*secret(text).reveal(), text);
            let mac = secret(text).key().sign(input);
            assert!(secret(text).key().has_signed(input.as_bytes(), &mac));
            assert!(!secret(text).key().has_signed(b"", &mac));
        }
    }

    #[test]
    fn a_new_secret_is_one_that_the_published_library_takes() {
        let secret = WebhookSecret::generate();
        let webhook = standardwebhooks::Webhook::new(&secret.reveal()).expect("a secret");
        let signed = webhook.sign("dlv_1", 1_795_428_000, b"{}").expect("a signature");
        let ours = STANDARD.encode(secret.key().sign("dlv_1.1795428000.{}"));
        assert_eq!(signed, format!("v1,{ours}"));
        assert_eq!(secret.0.len(), SECRET_BYTES);
        assert!(*secret.reveal() != *WebhookSecret::generate().reveal());
    }

    #[test]
    fn a85_a_sealed_secret_opens_for_its_owner_alone() {
        let (mine, data_key) = (owner("PROPERTY#p1", "s1"), [1; 32]);
        let secret = WebhookSecret::generate();
        let sealed = secret.seal(&data_key, &mine).expect("sealed");
        let opened = WebhookSecret::open(&sealed, &data_key, &mine).expect("opened");
        assert!(*opened.reveal() == *secret.reveal());
        for other in
            [owner("PROPERTY#p2", "s1"), owner("CLIENT#p1", "s1"), owner("PROPERTY#p1", "s2")]
        {
            assert_eq!(WebhookSecret::open(&sealed, &data_key, &other).err(), Some(Unopened));
        }
        assert_eq!(WebhookSecret::open(&sealed, &[2; 32], &mine).err(), Some(Unopened));
        for cut in [0, 1, NONCE_LEN, sealed.len() - 1] {
            let cut = WebhookSecret::open(&sealed[..cut], &data_key, &mine);
            assert_eq!(cut.err(), Some(Unopened));
        }
        for at in 0..sealed.len() {
            let mut spoilt = sealed.clone();
            spoilt[at] ^= 1;
            assert!(WebhookSecret::open(&spoilt, &data_key, &mine).is_err(), "{at}");
        }
        assert!(secret.seal(&data_key, &mine) != Some(sealed), "a nonce is used once");
    }
}
