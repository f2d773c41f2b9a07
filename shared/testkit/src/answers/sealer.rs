//! Encrypts an answer to us, as a target does that knows our key set.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::jose::concat_kdf;
use serde_json::{Value, json};

/// A compact JWE of this content, with ECDH-ES+A256KW and A256GCM, to this public JWK. The header
/// is patched before it is authenticated; `null` removes a member.
#[must_use]
pub fn seal(content: &[u8], jwk: &Value, patch: &Value) -> String {
    let octets = |name: &str| decode(jwk[name].as_str().expect("a coordinate"));
    let ours = UnparsedPublicKey::new(&ECDH_P256, [vec![4], octets("x"), octets("y")].concat());
    let ephemeral = PrivateKey::generate(&ECDH_P256).expect("a key");
    let point = ephemeral.compute_public_key().expect("a public key");
    let (x, y) = point.as_ref()[1..].split_at(32);
    let mut header = json!({
        "alg": "ECDH-ES+A256KW", "enc": "A256GCM", "cty": "JWT", "kid": jwk["kid"],
        "epk": {"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)},
    });
    let members = header.as_object_mut().expect("an object");
    members.extend(patch.as_object().expect("an object").clone());
    members.retain(|_, value| !value.is_null());

    let kek = agreement::agree(&ephemeral, ours, (), |secret| {
        Ok(concat_kdf(secret, "ECDH-ES+A256KW", [b"", b""], 256))
    });
    let kek = AesKek::new(&AES_256, &kek.expect("agreed")).expect("a key");
    let content_key: [u8; 32] = random();
    let mut wrapped = [0; 40];
    kek.wrap(&content_key, &mut wrapped).expect("wrapped");

    let protected = encode(header.to_string().as_bytes());
    let nonce: [u8; 12] = random();
    let key = UnboundKey::new(&AES_256_GCM, &content_key).expect("a key");
    let mut ciphertext = content.to_vec();
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(protected.as_bytes()),
            &mut ciphertext,
        )
        .expect("sealed");
    let (wrapped, nonce, tag) = (encode(&wrapped), encode(&nonce), encode(tag.as_ref()));
    format!("{protected}.{wrapped}.{nonce}.{}.{tag}", encode(&ciphertext))
}

fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).expect("the operating system gives randomness");
    octets
}

fn encode(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
