//! Webhook secrets: sealed with nothing but their owner's name, which is what is checked.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use domain::delivery::{OurFault, Unsigned};
use domain::notification::Signature;
use domain::subscription::{Format, SealedSecret, SubscriptionKey, WebhookSecrets};
use domain::time::Timestamp;
use domain::webhook_secrets::{Found, Ports};

use super::faults::Call;
use super::ports::Failed;
use super::{State, World};

/// The seed of the deployment's Ed25519 key, where it has one.
const ED25519_SEED: [u8; 32] = [7; 32];

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&ED25519_SEED).expect("32 octets")
}

/// What a data key holds here: whose secret it opens.
fn seal(owner: &SubscriptionKey) -> Vec<u8> {
    format!("{}/{}", owner.scope.key(), owner.subscription_id).into_bytes()
}

/// A secret as somebody would write it down who knows how the world seals.
#[must_use]
pub fn sealed(owner: &SubscriptionKey, secret: &[u8], now: Timestamp) -> SealedSecret {
    SealedSecret {
        owner: owner.clone(),
        ciphertext: secret.to_vec(),
        data_key: seal(owner),
        created_at: now,
        expires_at: None,
    }
}

/// A secret as a receiver is given it.
#[must_use]
pub fn whsec(secret: &[u8]) -> String {
    use base64::Engine as _;
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(secret))
}

impl World {
    /// Gives the deployment an Ed25519 key, and says its public part.
    #[must_use]
    pub fn give_ed25519_key(&self) -> Vec<u8> {
        use aws_lc_rs::signature::KeyPair as _;
        self.lock().has_ed25519_key = true;
        ed25519().public_key().as_ref().to_vec()
    }

    pub(super) async fn sign_webhook_with(
        &self,
        secrets: &[&SealedSecret],
        input: &str,
    ) -> Result<Vec<Signature>, Unsigned> {
        let sign = |state: &mut State| {
            let mut signatures = Vec::new();
            for secret in secrets {
                if secret.data_key != seal(&secret.owner) {
                    return Err(Unsigned::SecretUnreadable);
                }
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.ciphertext);
                let mac = hmac::sign(&key, input.as_bytes());
                signatures.push(Signature::V1(mac.as_ref().try_into().expect("32 octets")));
            }
            if state.has_ed25519_key {
                let signature = ed25519().sign(input.as_bytes());
                let signature = signature.as_ref().try_into().expect("64 octets");
                signatures.push(Signature::V1a(signature));
            }
            Ok(signatures)
        };
        let signed = self.call(Call::SignWebhook, sign).await;
        signed.unwrap_or(Err(OurFault::WebhookSecretsKey.into()))
    }
}

impl Ports for World {
    type Secret = Vec<u8>;

    fn now(&self) -> Timestamp {
        self.seen_now()
    }

    async fn find(&self, owner: &SubscriptionKey) -> Result<Found, OurFault> {
        let find = |state: &mut State| {
            let row = state.subscriptions.row(&owner.scope, owner.subscription_id.as_str());
            let Some(row) = row.cloned() else { return Found::Nothing };
            let format = Format::of_attribute(row.get("format"));
            match WebhookSecrets::of_row(owner, row) {
                Ok(secrets) => Found::Row { secrets: Box::new(secrets), format },
                Err(problem) => Found::Unreadable(problem),
            }
        };
        self.call(Call::FindSecrets, find).await.map_err(|Failed| OurFault::Subscriptions)
    }

    async fn make(
        &self,
        owner: &SubscriptionKey,
        now: Timestamp,
    ) -> Result<(Vec<u8>, SealedSecret), OurFault> {
        let make = |state: &mut State| {
            let secret: Vec<u8> = (0..4).flat_map(|_| state.roll().to_be_bytes()).collect();
            let sealed = sealed(owner, &secret, now);
            (secret, sealed)
        };
        self.call(Call::MakeSecret, make).await.map_err(|Failed| OurFault::WebhookSecretsKey)
    }

    async fn write(
        &self,
        owner: &SubscriptionKey,
        before: &WebhookSecrets,
        after: &WebhookSecrets,
    ) -> Result<bool, OurFault> {
        let write = |state: &mut State| {
            let (before, after) = (before.to_attribute(), after.to_attribute());
            state.subscriptions.exchange(owner, "webhookSecrets", before.as_ref(), after)
        };
        self.call(Call::WriteSecrets, write).await.map_err(|Failed| OurFault::Subscriptions)
    }
}
