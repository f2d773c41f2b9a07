//! The target: verifies nothing, takes its time, allows every login in a properly signed answer.
//!
//! `POST /decide/<algorithm>` answers after a while, and says in its claims how long it held the
//! question; `GET /question/<algorithm>` is the first question it was asked, for who wants to ask the
//! same; `PUT /hold/<milliseconds>` changes its mind about how long it takes; `GET /jwks.json` are its
//! keys and `GET /connections` how many connections there have been.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adapters::clock;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use axum::serve::{Listener as _, ListenerExt as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::jose::{Algorithm, Compact, signing_input};
use serde_json::{Value, json};
use testkit::tls::{Identity, TlsListener};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::WELL_MS;
use crate::Failure;

/// The `iss` of its answers.
pub(super) const ISSUER: &str = "https://target.example.com";

/// The claim that says for how many microseconds it held a question.
const HELD: &str = "held_us";

/// The server. Dropping it stops it.
pub(super) struct Target {
    url: String,
    server: JoinHandle<()>,
}

struct Shared {
    ed25519: Ed25519KeyPair,
    rsa: RsaKeyPair,
    hold_ms: AtomicU64,
    connections: AtomicUsize,
    /// The first question by the algorithm that its answer is signed with.
    questions: Mutex<BTreeMap<String, Value>>,
}

impl Target {
    pub(super) async fn start(identity: &Identity) -> Result<Self, Failure> {
        let listener = TlsListener::bind(identity).await;
        let url = format!("https://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            ed25519: Ed25519KeyPair::generate()?,
            rsa: RsaKeyPair::generate(KeySize::Rsa2048)?,
            hold_ms: AtomicU64::new(WELL_MS),
            connections: AtomicUsize::default(),
            questions: Mutex::default(),
        });
        let counting = Arc::clone(&shared);
        let listener = listener.tap_io(move |_| {
            counting.connections.fetch_add(1, Ordering::Relaxed);
        });
        let router = Router::new()
            .route("/decide/{algorithm}", post(decide))
            .route("/question/{algorithm}", get(question))
            .route("/hold/{milliseconds}", put(hold))
            .route("/jwks.json", get(jwks))
            .route("/connections", get(connections))
            .with_state(shared);
        let serve = async move {
            // Nobody is left to tell when it ends.
            let _ = axum::serve(listener, router).await;
        };
        Ok(Self { url, server: tokio::spawn(serve) })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn questions(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims as a JWT; `None` for an algorithm that it has no key for.
    fn sign(&self, algorithm: &str, claims: &Value) -> Option<String> {
        let algorithm = Algorithm::parse(algorithm)?;
        let input = signing_input(algorithm, algorithm.as_str(), "JWT", &claims.to_string());
        let signature = match algorithm {
            Algorithm::EdDsa => self.ed25519.sign(input.as_bytes()).as_ref().to_vec(),
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                let (random, message) = (SystemRandom::new(), input.as_bytes());
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                signature
            }
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Ps256 => return None,
        };
        Some(Compact::assemble(input, &signature).into_string())
    }

    /// Its public keys, each called like its algorithm.
    fn jwks(&self) -> Value {
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let rsa = self.rsa.public_key();
        let modulus = rsa.modulus().big_endian_without_leading_zero();
        let exponent = rsa.exponent().big_endian_without_leading_zero();
        let ed25519 = self.ed25519.public_key().as_ref();
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": encode(ed25519)},
            {"kty": "RSA", "alg": "RS256", "kid": "RS256", "n": encode(modulus), "e": encode(exponent)},
        ]})
    }
}

async fn decide(
    State(shared): State<Arc<Shared>>,
    Path(algorithm): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let arrived = Instant::now();
    let text = std::str::from_utf8(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let asked = payload_of(text).ok_or(StatusCode::BAD_REQUEST)?;
    let remember = || remembered(&headers, text);
    shared.questions().entry(algorithm.clone()).or_insert_with(remember);
    let hold = Duration::from_millis(shared.hold_ms.load(Ordering::Relaxed));
    // This is its slowness, and nobody's wait for something to happen.
    sleep_until(arrived + hold).await;
    let held_us = u64::try_from(arrived.elapsed().as_micros()).unwrap_or(u64::MAX);
    let claims = json!({
        "iss": ISSUER, "iat": clock::now().as_s(), "jti": asked["jti"], "action": "allow",
        "custom_claims": { HELD: held_us },
    });
    let answer = shared.sign(&algorithm, &claims).ok_or(StatusCode::NOT_FOUND)?;
    Ok(([(header::CONTENT_TYPE, "application/jwt")], answer).into_response())
}

/// A question as it came, without what belongs to its connection.
fn remembered(headers: &HeaderMap, body: &str) -> Value {
    let of_the_question = |name: &str| name != "host" && name != "content-length";
    let headers: BTreeMap<&str, &str> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .filter(|(name, _)| of_the_question(name))
        .collect();
    json!({ "headers": headers, "body": body })
}

async fn question(
    State(shared): State<Arc<Shared>>,
    Path(algorithm): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    shared.questions().get(&algorithm).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn hold(State(shared): State<Arc<Shared>>, Path(milliseconds): Path<u64>) {
    shared.hold_ms.store(milliseconds, Ordering::Relaxed);
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.jwks())
}

async fn connections(State(shared): State<Arc<Shared>>) -> String {
    shared.connections.load(Ordering::Relaxed).to_string()
}

/// The payload of a compact JWS.
fn payload_of(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// For how long a question was held, by the answer to it.
pub(super) fn held_by_answer(token: &str) -> Option<Duration> {
    held_by_claims(&payload_of(token)?["custom_claims"])
}

/// The same, by an answer's custom claims.
pub(super) fn held_by_claims(claims: &Value) -> Option<Duration> {
    claims[HELD].as_u64().map(Duration::from_micros)
}
