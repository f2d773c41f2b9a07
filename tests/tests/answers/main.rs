//! Every way in which an answer can lie, each named for the attack (rows A55 to A78), for each of
//! the five algorithms. What does not verify must be refused with a reason; that each reason is a
//! block, whatever the policy says, is shown in `decisions`.

mod bodies;
mod claims;
mod decisions;
mod encrypted;
mod fuzz;
mod headers;
mod keys;
mod members;
mod mutations;

use std::sync::LazyLock;

use domain::enrich::{Answer, AnswerRefusal, judge};
use domain::jose::{Algorithm, KeySet};
use domain::subscription::{AnswerRules, Binding};
use serde_json::Value;
use testkit::answers::{Signer, payload, payload_with, question, rules};

/// A target as its subscription knows it.
struct Target {
    signer: Signer,
    rules: AnswerRules,
    keys: KeySet,
}

impl Target {
    fn new(algorithm: Algorithm) -> Self {
        let signer = Signer::new(algorithm, "k1");
        let rules = rules(algorithm, &signer.jwks());
        let keys = KeySet::from_json(&signer.jwks()).expect("a key set");
        Self { signer, rules, keys }
    }

    /// The same target as a subscription with `binding: optional` knows it.
    fn judge_unbound(&self, body: &str) -> Option<AnswerRefusal> {
        let rules = AnswerRules { binding: Binding::Optional, ..self.rules.clone() };
        judge(body.as_bytes(), None, &rules, &self.keys, question()).err()
    }

    fn judge_reply(&self, body: &[u8], media_type: Option<&str>) -> Result<Answer, AnswerRefusal> {
        judge(body, media_type, &self.rules, &self.keys, question())
    }

    fn judge(&self, body: &str) -> Option<AnswerRefusal> {
        self.judge_reply(body.as_bytes(), Some("application/jwt")).err()
    }

    fn good(&self) -> String {
        self.signer.sign(&payload())
    }

    /// What a good payload comes to with some members changed; `null` removes a member.
    fn judge_with(&self, patch: &Value) -> Option<AnswerRefusal> {
        self.judge(&self.signer.sign(&payload_with(patch)))
    }

    /// What a payload comes to when it is signed as it is written.
    fn judge_text(&self, payload: impl AsRef<[u8]>) -> Option<AnswerRefusal> {
        let header = self.signer.header().to_string();
        self.judge(&self.signer.sign_text(&header, payload.as_ref()))
    }

    /// What a good payload comes to below another header.
    fn judge_header(&self, header: &str) -> Option<AnswerRefusal> {
        self.judge(&self.signer.sign_text(header, payload().to_string().as_bytes()))
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the target that signs with {}", self.signer.algorithm())
    }
}

/// One target an algorithm. Their keys are made once: those for RSA take their time.
fn targets() -> &'static [Target] {
    static TARGETS: LazyLock<Vec<Target>> =
        LazyLock::new(|| Algorithm::ALL.into_iter().map(Target::new).collect());
    &TARGETS
}

/// The same algorithms again, with keys that nobody has registered.
fn strangers() -> &'static [Target] {
    static STRANGERS: LazyLock<Vec<Target>> =
        LazyLock::new(|| Algorithm::ALL.into_iter().map(Target::new).collect());
    &STRANGERS
}

/// The documented answer with one member more, or another value of one that it has, as written.
fn with_text(name: &str, value: &str) -> String {
    let mut payload = payload();
    payload.as_object_mut().expect("an object").remove(name);
    payload.to_string().replacen('{', &format!(r#"{{"{name}":{value},"#), 1)
}
