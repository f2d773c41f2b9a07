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

/// Key sets by their URLs. One that is not here cannot be had.
#[derive(Default)]
pub(super) struct ServedKeys(BTreeMap<String, Arc<KeySet>>);

impl ServedKeys {
    pub(super) fn of(&self, url: &str) -> Option<Arc<KeySet>> {
        self.0.get(url).cloned()
    }
}

impl World {
    /// Serves a key set of these keys behind a URL.
    pub fn serve_keys(&self, url: &str, keys: &[Value]) {
        let set = KeySet::from_json(&json!({ "keys": keys })).expect("a key set");
        self.lock().served_keys.0.insert(url.to_owned(), Arc::new(set));
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
        let sealed = sealed.map_err(|Failed| KeyUnusable)?;
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
        let served = self.call(Call::KeySet, |state| state.served_keys.of(url)).await;
        served.ok().flatten().ok_or(NoKeySet)
    }
}
