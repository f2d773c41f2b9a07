//! Encryption that everybody can see through, and key sets that come, or do not, by script.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::World;
use crate::egress::GuardedUrl;
use crate::enrich::NoKeySet;
use crate::jose::{Compact, CompactJwe, EncryptionKey, KeySet};
use crate::sealing::{KeyUnusable, Ports};
use crate::time::Deadline;

/// What targets' key sets come to.
#[derive(Default)]
pub(super) enum Keys {
    /// This set, so long after it is asked for.
    Served(u64, KeySet),
    /// None before the deadline.
    #[default]
    Hanging,
}

/// A key that can be encrypted to.
pub(in super::super) fn jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "e1", "use": "enc", "alg": "ECDH-ES+A256KW",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// The payload of a question, sealed or not.
pub(super) fn payload(body: &str) -> Value {
    let part = |text: &str, index| {
        let part = text.split('.').nth(index).expect("a part");
        URL_SAFE_NO_PAD.decode(part).expect("base64url")
    };
    let token = if is_sealed(body) {
        String::from_utf8(part(body, 3)).expect("a token")
    } else {
        body.to_owned()
    };
    serde_json::from_slice(&part(&token, 1)).expect("JSON")
}

/// Whether a question is encrypted: of five parts.
pub(super) fn is_sealed(body: &str) -> bool {
    body.split('.').count() == 5
}

impl World {
    /// Targets' key sets come so long after they are asked for, with these keys.
    pub(in super::super) fn serve_keys(&self, after_ms: u64, keys: &[Value]) {
        let set = KeySet::from_json(&json!({ "keys": keys })).expect("a key set");
        self.lock().encryption_keys = Keys::Served(after_ms, set);
    }
}

impl Ports for World {
    fn seal(&self, token: Compact, key: &EncryptionKey) -> Result<CompactJwe, KeyUnusable> {
        if key.kid() == Some("refused") {
            return Err(KeyUnusable);
        }
        let others: [&[u8]; 4] = [b"key", b"nonce", token.as_str().as_bytes(), b"tag"];
        Ok(CompactJwe::assemble("e30".to_owned(), others))
    }

    async fn encryption_keys(
        &self,
        _url: &GuardedUrl,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        let served = match &self.lock().encryption_keys {
            Keys::Served(after_ms, keys) => Some((*after_ms, Arc::new(keys.clone()))),
            Keys::Hanging => None,
        };
        let Some((after_ms, keys)) = served else {
            self.sleep_until(deadline.moment()).await;
            return Err(NoKeySet);
        };
        let at = super::Ports::now(self).plus_ms(after_ms);
        self.sleep_until(at.min(deadline.moment())).await;
        if at > deadline.moment() { Err(NoKeySet) } else { Ok(keys) }
    }
}
