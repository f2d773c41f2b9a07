//! Webhook secrets, sealed and opened by the real adapter at the local KMS.

use std::sync::Arc;

use adapters::webhook_secrets::{WebhookSecret, WebhookSecretStore};
use domain::delivery::{OurFault, Unsigned};
use domain::subscription::{SealedSecret, SubscriptionKey};
use local::aws::{Endpoint, Fault, Service};
use local::clock::{Clock, TimeScale};
use local::template::{Settings, Stack};
use testkit::samples::{START, property, property_of, subscription_id};

const TEMPLATE: &str = "
Resources:
  MineKey: { Type: AWS::KMS::Key }
  OtherKey: { Type: AWS::KMS::Key }
";

fn owner() -> SubscriptionKey {
    SubscriptionKey { scope: property(), subscription_id: subscription_id("s1") }
}

struct Kms {
    endpoint: Endpoint,
    client: aws_sdk_kms::Client,
}

impl Kms {
    async fn start() -> Self {
        let clock = Clock::new(TimeScale::REAL);
        let endpoint = Endpoint::start(([127, 0, 0, 1], 0).into(), None, &clock);
        let endpoint = endpoint.await.expect("the endpoint starts");
        let stack = Stack::parse(TEMPLATE, &Settings::new(endpoint.account().clone()));
        endpoint.provision(&stack.expect("a template")).await.expect("keys");
        let limits = adapters::aws::CallLimits::DELIVERY;
        let config = adapters::aws::config(&local::environment(&endpoint), limits);
        let client = aws_sdk_kms::Client::new(&config.expect("a configuration"));
        Self { endpoint, client }
    }

    fn store(&self, key: &str) -> WebhookSecretStore {
        WebhookSecretStore::new(self.client.clone(), Some(key.to_owned()))
    }

    /// A secret of [`owner`], in the clear and sealed.
    async fn sealed(&self) -> (WebhookSecret, SealedSecret) {
        let secret = WebhookSecret::generate();
        let sealed = self.store("MineKey").seal(&secret, &owner(), START).await;
        (secret, sealed.expect("it is sealed"))
    }
}

fn code(opened: Result<Arc<adapters::webhook_secrets::WebhookKey>, Unsigned>) -> Option<Unsigned> {
    opened.err()
}

#[tokio::test]
async fn a_sealed_secret_signs_as_it_did_in_the_clear() {
    let kms = Kms::start().await;
    let (secret, sealed) = kms.sealed().await;
    let opened = kms.store("MineKey").open(&sealed).await.expect("it is opened");
    assert_eq!(opened.sign("id.1.{}"), secret.key().sign("id.1.{}"));
    kms.endpoint.stop().await.expect("it stops");
}

#[tokio::test]
async fn a85_what_was_sealed_for_another_row_or_under_another_key_is_unreadable() {
    let kms = Kms::start().await;
    let (_, sealed) = kms.sealed().await;
    let (_, second) = kms.sealed().await;
    let elsewhere = SubscriptionKey { scope: property_of("p2"), ..owner() };
    let other = SubscriptionKey { subscription_id: subscription_id("s2"), ..owner() };
    let mut cut = sealed.clone();
    cut.ciphertext.pop();
    for (bad, key) in [
        (SealedSecret { owner: elsewhere, ..sealed.clone() }, "MineKey"),
        (SealedSecret { owner: other, ..sealed.clone() }, "MineKey"),
        (SealedSecret { data_key: second.data_key, ..sealed.clone() }, "MineKey"),
        (SealedSecret { data_key: b"nonsense".to_vec(), ..sealed.clone() }, "MineKey"),
        (cut, "MineKey"),
        (sealed.clone(), "OtherKey"),
    ] {
        let opened = kms.store(key).open(&bad).await;
        assert_eq!(code(opened), Some(Unsigned::SecretUnreadable));
    }
    let without = WebhookSecretStore::new(kms.client.clone(), None);
    assert_eq!(code(without.open(&sealed).await), Some(Unsigned::SecretUnreadable));
    kms.endpoint.stop().await.expect("it stops");
}

#[tokio::test]
async fn f23_what_was_opened_goes_on_without_kms_and_what_was_not_is_our_fault() {
    let kms = Kms::start().await;
    let (secret, sealed) = kms.sealed().await;
    let (_, unseen) = kms.sealed().await;
    let store = kms.store("MineKey");
    assert!(store.open(&sealed).await.is_ok());
    kms.endpoint.faults().set(Fault::Down(Service::Kms));
    let opened = store.open(&sealed).await.expect("it is remembered");
    assert_eq!(opened.sign("x"), secret.key().sign("x"));
    let ours = Unsigned::Ours(OurFault::WebhookSecretsKey);
    assert_eq!(code(store.open(&unseen).await), Some(ours));
    assert_eq!(code(kms.store("MineKey").open(&sealed).await), Some(ours), "another's memory");
    kms.endpoint.faults().clear_all();
    assert!(kms.store("MineKey").open(&unseen).await.is_ok());
    // A key that is not there may be on its way back: an alarm, and no dead letter.
    assert_eq!(code(kms.store("GoneKey").open(&sealed).await), Some(ours));
    kms.endpoint.stop().await.expect("it stops");
}
