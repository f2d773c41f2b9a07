//! Other people's vectors, our own opening, and what was changed on the way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::enrich::NotOpened;
use domain::jose::{Algorithm, Sealed, SealedKey, Unverified};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::signing::SigningKeys;

/// Private keys of both kinds, which open what is encrypted to them.
struct Recipient {
    keys: SigningKeys,
    jwks: Vec<Value>,
}

impl Recipient {
    fn new() -> Self {
        let known: Value =
            serde_json::from_str(include_str!("../signing/decryption/known_answers.json"))
                .expect("JSON");
        let jwks = known["keys"].as_array().expect("keys").clone();
        let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
        set["keys"].as_array_mut().expect("an array").extend_from_slice(&jwks);
        Self { keys: SigningKeys::parse(&set.to_string()).expect("valid keys"), jwks }
    }

    /// Both public keys.
    fn public(&self) -> [EncryptionKey; 2] {
        let read = |jwk: &Value| {
            let mut jwk = jwk.as_object().expect("an object").clone();
            jwk.retain(|name, _| {
                !["d", "p", "q", "dp", "dq", "qi", "status"].contains(&name.as_str())
            });
            EncryptionKey::read(&jwk).expect("a public key")
        };
        [read(&self.jwks[0]), read(&self.jwks[1])]
    }

    fn open(&self, token: &str) -> Result<Vec<u8>, NotOpened> {
        taken_apart(token).map_or(Err(NotOpened::Refused), |sealed| self.keys.open(sealed))
    }
}

fn octets(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&octets(token.split('.').next().expect("a header"))).expect("JSON")
}

/// A token in its parts, by another reader than the one for answers, which takes no `secevent+jwt`.
fn taken_apart(token: &str) -> Option<Sealed> {
    let [protected, key, nonce, ciphertext, tag] =
        <[&str; 5]>::try_from(token.split('.').collect::<Vec<_>>()).ok()?;
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let header: Value = serde_json::from_slice(&part(protected)?).ok()?;
    let key = match header["alg"].as_str()? {
        "ECDH-ES+A256KW" => {
            let [x, y] = ["x", "y"].map(|name| part(header["epk"][name].as_str().unwrap_or("")));
            SealedKey::Agreed {
                point: [vec![4], x?, y?].concat().try_into().ok()?,
                parties: [Vec::new(), Vec::new()],
                wrapped: part(key)?.try_into().ok()?,
            }
        }
        "RSA-OAEP-256" => SealedKey::Encrypted(part(key)?),
        _ => return None,
    };
    Some(Sealed {
        protected: protected.to_owned(),
        kid: header["kid"].as_str().map(str::to_owned),
        key,
        nonce: part(nonce)?.try_into().ok()?,
        ciphertext: [part(ciphertext)?, part(tag)?].concat(),
    })
}

fn token(payload: &str) -> Compact {
    let keys = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
    keys.sign(Algorithm::Es256, payload).expect("a key")
}

#[test]
fn what_is_sealed_opens_to_the_token_byte_for_byte_and_the_token_verifies() {
    let recipient = Recipient::new();
    let signer = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
    let published = KeySet::parse(signer.published().as_bytes()).expect("a key set");
    for key in recipient.public() {
        let token = signer.sign(Algorithm::Es256, r#"{"jti":"e1"}"#).expect("a key");
        let sealed = seal(&token, &key).expect("sealed");
        let opened = recipient.open(sealed.as_str()).expect("opens");
        assert_eq!(opened, token.as_str().as_bytes());
        let opened = String::from_utf8(opened).expect("text");
        let unverified = Unverified::parse(&opened, &[TYP]).expect("a token");
        let verifying = published.find(unverified.kid.as_deref(), Algorithm::Es256).expect("ours");
        assert_eq!(unverified.verify(verifying).as_deref(), Some(&br#"{"jti":"e1"}"#[..]));
    }
}

#[test]
fn a_header_names_the_key_and_what_is_inside_and_asks_for_nothing_else() {
    let [ec, rsa] = Recipient::new().public();
    let sealed = header(seal(&token("{}"), &ec).expect("sealed").as_str());
    let members: Vec<_> = sealed.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["alg", "cty", "enc", "epk", "kid"]);
    assert_eq!((&sealed["alg"], &sealed["enc"]), (&json!("ECDH-ES+A256KW"), &json!("A256GCM")));
    assert_eq!((&sealed["cty"], &sealed["kid"]), (&json!("secevent+jwt"), &json!("ec-1")));
    let members: Vec<_> = sealed["epk"].as_object().expect("an object").keys().collect();
    assert_eq!(members, ["crv", "kty", "x", "y"]);
    let sealed = header(seal(&token("{}"), &rsa).expect("sealed").as_str());
    let expected =
        json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "secevent+jwt", "kid": "rsa-1"});
    assert_eq!(sealed, expected);
}

#[test]
fn nothing_is_used_twice() {
    let recipient = Recipient::new();
    let token = token("{}");
    for key in recipient.public() {
        let [first, second] = [(); 2].map(|()| {
            let sealed = seal(&token, &key).expect("sealed");
            sealed.as_str().split('.').map(str::to_owned).collect::<Vec<_>>()
        });
        // The header of a key that is not agreed on has nothing fresh in it.
        let from = usize::from(key.algorithm() == KeyEncryption::RsaOaep256);
        for part in from..5 {
            assert_ne!(first[part], second[part], "part {part}");
        }
    }
}

#[test]
fn a_key_is_wrapped_as_in_rfc_3394_section_4_6() {
    let kek: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).expect("small"));
    let key: [u8; 32] = std::array::from_fn(|index| {
        // 00112233…EEFF, then 00010203…0E0F.
        let index = u8::try_from(index).expect("small");
        if index < 16 { index * 0x11 } else { index - 16 }
    });
    let wrapped = wrap(&Zeroizing::new(key), &kek).expect("wrapped");
    assert_eq!(
        wrapped,
        [
            0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4, 0xcb, 0xcc, 0xb3, 0x5c, 0xfb, 0x87,
            0xf8, 0x26, 0x3f, 0x57, 0x86, 0xe2, 0xd8, 0x0e, 0xd3, 0x26, 0xcb, 0xc7, 0xf0, 0xe7,
            0x1a, 0x99, 0xf4, 0x3b, 0xfb, 0x98, 0x8b, 0x9b, 0x7a, 0x02, 0xdd, 0x21
        ]
    );
}

#[test]
fn content_is_encrypted_as_in_rfc_7516_appendix_a1() {
    let key = [
        177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110,
        91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
    ];
    let nonce = octets("48V1_ALb6US04U3b").try_into().expect("12 octets");
    let (ciphertext, tag) = encrypt_content(
        &Zeroizing::new(key),
        nonce,
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
        "The true sign of intelligence is not knowledge but imagination.",
    );
    let expected =
        "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A";
    assert_eq!(URL_SAFE_NO_PAD.encode(ciphertext), expected);
    assert_eq!(URL_SAFE_NO_PAD.encode(tag), "XFBoMYUZodetZdvTiFvSkQ");
}

/// The keys of RFC 7518 appendix C: Bob's own agreement, and ours with him, give one wrapping key.
#[test]
fn the_target_of_rfc_7518_appendix_c_agrees_on_the_same_key() {
    let bob = json!({
        "kty": "EC", "crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    });
    let key = EncryptionKey::read(bob.as_object().expect("an object")).expect("a key");
    let EncryptionMaterial::P256(point) = key.material() else { unreachable!("a point") };
    let content_key = Zeroizing::new([7; 32]);
    let (wrapped, ephemeral) = agree(&content_key, point).expect("agreed");
    let d = octets("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let d = PrivateKey::from_private_key(&ECDH_P256, &d).expect("a key");
    let ephemeral = UnparsedPublicKey::new(&ECDH_P256, ephemeral.expect("a point"));
    let wrapping = agreement::agree(&d, ephemeral, (), |secret| {
        Ok(concat_kdf(secret, "ECDH-ES+A256KW", [b"", b""], 256))
    });
    let mut unwrapped = [0; 32];
    let kek = AesKek::new(&AES_256, &wrapping.expect("agreed")).expect("a key");
    kek.unwrap(&wrapped, &mut unwrapped).expect("unwrapped");
    assert_eq!(unwrapped, [7; 32]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sealed_opens_to_itself_and_not_at_all_once_a_bit_has_flipped(
        payload in ".{0,300}",
        part in 0_usize..5,
        at: Index,
        bit in 0_u8..8,
    ) {
        let recipient = Recipient::new();
        let token = token(&payload);
        for key in recipient.public() {
            let sealed = seal(&token, &key).expect("sealed");
            let opened = recipient.open(sealed.as_str());
            prop_assert_eq!(opened.as_deref(), Ok(token.as_str().as_bytes()));
            let mut parts: Vec<Vec<u8>> = sealed.as_str().split('.').map(octets).collect();
            let at = at.index(parts[part].len());
            parts[part][at] ^= 1 << bit;
            let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            prop_assert!(recipient.open(&parts.join(".")).is_err(), "part {}, octet {}", part, at);
        }
    }
}
