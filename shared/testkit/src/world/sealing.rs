//! Encryption to targets' keys, and the key sets that they serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::egress::GuardedUrl;
use domain::jose::{Compact, CompactJwe, EncryptionKey, EncryptionMaterial, KeySet, NoKeySet};
use domain::sealing::{KeyUnusable, Ports};
use domain::time::Deadline;
use serde_json::{Value, json};

use super::World;
use super::faults::Call;
use super::ports::Failed;
use crate::answers::seal;

/// What is known of targets' keys.
#[derive(Default)]
pub(super) struct TargetKeys {
    /// Key sets by their URLs. One that is not here cannot be had.
    served: BTreeMap<String, Arc<KeySet>>,
    /// How often a token could not be encrypted to a key, by its name.
    unusable: BTreeMap<String, usize>,
}

impl TargetKeys {
    pub(super) fn of(&self, url: &str) -> Option<Arc<KeySet>> {
        self.served.get(url).cloned()
    }
}

impl World {
    /// Serves a key set of these keys behind a URL.
    pub fn serve_keys(&self, url: &str, keys: &[Value]) {
        let set = KeySet::from_json(&json!({ "keys": keys })).expect("a key set");
        self.lock().target_keys.served.insert(url.to_owned(), Arc::new(set));
    }

    /// How often it was said that a key cannot be used, by the key's name.
    #[must_use]
    pub fn unusable_keys(&self) -> BTreeMap<String, usize> {
        self.lock().target_keys.unusable.clone()
    }

    fn note_unusable(&self, key: &EncryptionKey) -> KeyUnusable {
        let name = key.kid().unwrap_or_default().to_owned();
        *self.lock().target_keys.unusable.entry(name).or_default() += 1;
        KeyUnusable
    }
}

impl Ports for World {
    fn seal(&self, token: Compact, key: &EncryptionKey) -> Result<CompactJwe, KeyUnusable> {
        let EncryptionMaterial::P256(point) = key.material() else { return Err(KeyUnusable) };
        let coordinate = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let jwk = json!({"x": coordinate(&point[1..33]), "y": coordinate(&point[33..])});
        let patch = json!({"cty": "secevent+jwt", "kid": key.kid()});
        let sealed =
            self.take_effect(Call::Seal, |_| seal(token.as_str().as_bytes(), &jwk, &patch));
        let sealed = sealed.map_err(|Failed| self.note_unusable(key))?;
        let (protected, others) = sealed.split_once('.').expect("five parts");
        let others: Vec<Vec<u8>> = others
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"))
            .collect();
        let others = std::array::from_fn(|index| others[index].as_slice());
        Ok(CompactJwe::assemble(protected.to_owned(), others))
    }

    async fn encryption_keys(
        &self,
        url: &GuardedUrl,
        _deadline: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        let url = url.url().as_str();
        let served = self.call(Call::KeySet, |state| state.target_keys.of(url)).await;
        served.ok().flatten().ok_or(NoKeySet)
    }
}
