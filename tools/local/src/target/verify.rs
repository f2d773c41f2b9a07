//! How a receiver verifies a notification: key set over HTTP, signature, issuer, audience, type.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::Mutex;

/// Verifies notifications of one issuer.
pub struct Verifier {
    jwks_url: String,
    issuer: String,
    http: reqwest::Client,
    keys: Mutex<Option<JwkSet>>,
}

/// A notification that verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The token's payload.
    pub payload: Value,
    /// The key that signed it.
    pub kid: String,
}

impl Verified {
    /// The name of the one member of `events`.
    #[must_use]
    pub fn event_type(&self) -> Option<String> {
        self.payload["events"].as_object()?.keys().next().cloned()
    }
}

/// Why a notification is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It was not looked at: the path is out of service.
    #[error("the target is out of service")]
    OutOfService,
    /// The body is no token with a `kid`.
    #[error("the body is not a JWS with a kid")]
    NoToken,
    /// The `typ` is not `secevent+jwt`.
    #[error("the token is not a security event token")]
    NoEvent,
    /// The key set could not be fetched.
    #[error("the key set could not be fetched")]
    NoKeys,
    /// The key set does not hold the key.
    #[error("the key set has no key of that kid")]
    UnknownKey,
    /// Signature, issuer or audience are wrong.
    #[error("the token does not verify: {0}")]
    Invalid(#[from] jsonwebtoken::errors::Error),
}

impl Verifier {
    /// Trusts the keys behind this URL to speak for this issuer.
    ///
    /// # Panics
    ///
    /// When the HTTP client cannot be built, for want of TLS roots.
    #[must_use]
    pub fn new(jwks_url: String, issuer: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build();
        let http = http.expect("an HTTP client can be built");
        Self { jwks_url, issuer, http, keys: Mutex::new(None) }
    }

    /// Verifies a token that was posted to this URL.
    pub async fn verify(&self, token: &str, audience: &str) -> Result<Verified, Refused> {
        let header = decode_header(token).map_err(|_| Refused::NoToken)?;
        if header.typ.as_deref() != Some("secevent+jwt") {
            return Err(Refused::NoEvent);
        }
        let kid = header.kid.ok_or(Refused::NoToken)?;
        let key = self.key(&kid).await?;
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[audience]);
        // A security event token has no `exp` (RFC 8417 §2.2).
        rules.set_required_spec_claims(&["iss", "aud"]);
        let payload = decode::<Value>(token, &key, &rules)?.claims;
        Ok(Verified { payload, kid })
    }

    /// The key of this `kid`; a key set that does not know it is fetched again.
    async fn key(&self, kid: &str) -> Result<DecodingKey, Refused> {
        let mut keys = self.keys.lock().await;
        if keys.as_ref().is_none_or(|keys| keys.find(kid).is_none()) {
            *keys = Some(self.fetch().await.map_err(|_| Refused::NoKeys)?);
        }
        let jwk = keys.as_ref().and_then(|keys| keys.find(kid)).ok_or(Refused::UnknownKey)?;
        Ok(DecodingKey::from_jwk(jwk)?)
    }

    async fn fetch(&self) -> Result<JwkSet, Box<dyn std::error::Error + Send + Sync>> {
        let reply = self.http.get(&self.jwks_url).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&reply.bytes().await?)?)
    }
}
