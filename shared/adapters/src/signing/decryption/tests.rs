//! Other people's vectors, what another implementation encrypted, and what nobody did.

use domain::jose::KeySet;

use super::*;
use crate::signing::SigningKeys;

/// Made with jwcrypto 1.6.1 for Python, which has nothing in common with what decrypts here.
const KNOWN_ANSWERS: &str = include_str!("known_answers.json");

fn known() -> Value {
    serde_json::from_str(KNOWN_ANSWERS).expect("JSON")
}

/// A secret with these keys for encryption beside one that signs.
fn secret(keys: &[Value]) -> String {
    let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
    set["keys"].as_array_mut().expect("an array").extend_from_slice(keys);
    set.to_string()
}

fn known_keys() -> SigningKeys {
    let known = known();
    SigningKeys::parse(&secret(known["keys"].as_array().expect("keys"))).expect("valid keys")
}

fn open(keys: &SigningKeys, token: &str, algorithm: KeyEncryption) -> Result<Vec<u8>, NotOpened> {
    keys.open(Sealed::parse(token, algorithm).expect("well-formed"))
}

fn octets(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

#[test]
fn what_another_implementation_encrypted_is_opened() {
    let (known, keys) = (known(), known_keys());
    let payload = known["payload"].as_str().expect("a payload").as_bytes();
    for (name, algorithm) in [
        ("ecdh", KeyEncryption::EcdhEsA256Kw),
        ("ecdhParties", KeyEncryption::EcdhEsA256Kw),
        ("rsa", KeyEncryption::RsaOaep256),
    ] {
        let token = known[name].as_str().expect("a token");
        assert_eq!(open(&keys, token, algorithm).as_deref(), Ok(payload), "{name}");
    }
}

#[test]
fn the_content_of_rfc_7516_appendix_a1_is_opened() {
    let key = [
        177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110,
        91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
    ];
    let ciphertext = "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji\
        SdiwkIr3ajwQzaBtQD_A";
    let tag = "XFBoMYUZodetZdvTiFvSkQ";
    let sealed = Sealed {
        protected: "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ".to_owned(),
        kid: None,
        key: SealedKey::Encrypted(Vec::new()),
        nonce: octets("48V1_ALb6US04U3b").try_into().expect("12 octets"),
        ciphertext: [octets(ciphertext), octets(tag)].concat(),
    };
    let opened = open_content(&key, sealed).expect("opens");
    assert_eq!(opened, b"The true sign of intelligence is not knowledge but imagination.");
}

#[test]
fn the_key_of_rfc_7518_appendix_c_is_agreed_on() {
    let bob = json!({
        "kty": "EC", "crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    });
    let bob = Private::read("ECDH-ES+A256KW", bob.as_object().expect("an object"));
    let Ok(Private::Agreement(bob)) = bob else { panic!("not a key for agreement") };
    let x = octets("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0");
    let y = octets("SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps");
    let alice = UnparsedPublicKey::new(&ECDH_P256, [vec![4], x, y].concat());
    let key = agreement::agree(&bob, alice, (), |secret| {
        Ok(concat_kdf(secret, "A128GCM", [b"Alice", b"Bob"], 128))
    });
    let key = key.expect("agreed");
    assert_eq!(URL_SAFE_NO_PAD.encode(&key[..16]), "VqqN6vgjbSBcIijNcacQGg");
}

#[test]
fn a75_what_was_changed_does_not_open() {
    let (known, keys) = (known(), known_keys());
    for (name, algorithm) in
        [("ecdh", KeyEncryption::EcdhEsA256Kw), ("rsa", KeyEncryption::RsaOaep256)]
    {
        let token = known[name].as_str().expect("a token");
        let parts: Vec<Vec<u8>> = token.split('.').map(octets).collect();
        for part in 1..5 {
            for at in [0, parts[part].len() / 2, parts[part].len() - 1] {
                let mut parts = parts.clone();
                parts[part][at] ^= 1;
                let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
                let opened = open(&keys, &parts.join("."), algorithm);
                assert_eq!(opened, Err(NotOpened::Refused), "{name}: part {part}, octet {at}");
            }
        }
        // The same header in other words is another header.
        let header = String::from_utf8(parts[0].clone()).expect("text");
        let header = URL_SAFE_NO_PAD.encode(header.replacen('{', "{ ", 1));
        let rest = token.split_once('.').expect("five parts").1;
        let opened = open(&keys, &format!("{header}.{rest}"), algorithm);
        assert_eq!(opened, Err(NotOpened::Refused), "{name}");
    }
}

#[test]
fn a75_a_point_off_the_curve_does_not_meet_the_key() {
    let (known, keys) = (known(), known_keys());
    let token = known["ecdh"].as_str().expect("a token");
    let mut sealed = Sealed::parse(token, KeyEncryption::EcdhEsA256Kw).expect("well-formed");
    let SealedKey::Agreed { point, .. } = &mut sealed.key else { panic!("agreed on") };
    point[64] ^= 1;
    assert_eq!(keys.open(sealed).err(), Some(NotOpened::Refused));
}

#[test]
fn a_key_is_found_by_its_name_or_else_is_the_current_one() {
    let known = known();
    let of = |name: &str| known[name].as_str().expect("a token");
    let with = |status: &str, kid: &str| {
        let mut key = known["keys"][0].clone();
        key["status"] = status.into();
        key["kid"] = kid.into();
        SigningKeys::parse(&secret(&[key])).expect("valid keys")
    };
    let payload = of("payload").as_bytes();
    let ecdh = KeyEncryption::EcdhEsA256Kw;
    for status in ["next", "current", "previous"] {
        assert_eq!(
            open(&with(status, "ec-1"), of("ecdh"), ecdh).as_deref(),
            Ok(payload),
            "{status}"
        );
    }
    let other = with("current", "ec-2");
    assert_eq!(open(&other, of("ecdh"), ecdh), Err(NotOpened::Refused));
    // We do not have what the target needs: that is not the target's doing.
    let rsa = KeyEncryption::RsaOaep256;
    assert_eq!(open(&other, of("rsa"), rsa), Err(NotOpened::NoKey));
    let none = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
    assert_eq!(open(&none, of("ecdh"), ecdh), Err(NotOpened::NoKey));

    let mut nameless = Sealed::parse(of("ecdh"), ecdh).expect("well-formed");
    nameless.kid = None;
    assert_eq!(other.open(nameless).as_deref(), Ok(payload), "the current one is meant");
    let mut nameless = Sealed::parse(of("ecdh"), ecdh).expect("well-formed");
    nameless.kid = None;
    assert_eq!(with("next", "ec-1").open(nameless), Err(NotOpened::Refused));
}

#[test]
fn current_keys_are_published_without_what_is_private() {
    let known = known();
    let mut keys = known["keys"].as_array().expect("keys").clone();
    let mut next: Value =
        serde_json::from_str(&SigningKeys::generate_for_encryption()).expect("JSON");
    next["status"] = "next".into();
    keys.push(next.clone());
    let keys = SigningKeys::parse(&secret(&keys)).expect("valid keys");
    let published: Value = serde_json::from_str(keys.published()).expect("JSON");
    let published = published["keys"].as_array().expect("keys");
    let for_encryption = published.iter().filter(|key| key["use"] == "enc");
    let kids: Vec<_> = for_encryption.map(|key| key["kid"].as_str()).collect();
    assert_eq!(kids, [Some("ec-1"), Some("rsa-1")]);
    for key in published {
        for private in ["d", "p", "q", "dp", "dq", "qi", "status"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
    // Whoever verifies what we sign is not led astray by them.
    let read = KeySet::parse(keys.published().as_bytes()).expect("a key set");
    assert!(read.find(Some("ec-1"), domain::jose::Algorithm::Es256).is_none());
    assert!(read.find(None, domain::jose::Algorithm::Es256).is_some());
}

#[test]
fn a_damaged_key_for_encryption_is_refused() {
    let known = known();
    let parse = |key: Value| SigningKeys::parse(&secret(&[key])).err();
    for (index, name, value, error) in [
        (0, "d", json!("AQ"), InvalidKeys::Pair),
        (0, "x", known["keys"][0]["y"].clone(), InvalidKeys::Pair),
        (0, "crv", json!("P-384"), InvalidKeys::Shape),
        (0, "alg", json!("ECDH-ES"), InvalidKeys::Shape),
        (0, "alg", json!("RSA-OAEP-256"), InvalidKeys::Shape),
        (0, "status", json!("revoked"), InvalidKeys::Shape),
        (0, "kid", json!(""), InvalidKeys::Shape),
        (1, "alg", json!("RSA1_5"), InvalidKeys::Shape),
        (1, "d", json!("AQ"), InvalidKeys::Pair),
        (1, "p", known["keys"][1]["q"].clone(), InvalidKeys::Pair),
        (1, "qi", json!(7), InvalidKeys::Shape),
    ] {
        let mut key = known["keys"][index].clone();
        key[name] = value;
        assert_eq!(parse(key), Some(error), "{name}");
    }
    let key = known["keys"][0].clone();
    let mut twin = key.clone();
    assert_eq!(
        SigningKeys::parse(&secret(&[key.clone(), twin.clone()])).err(),
        Some(InvalidKeys::Shape)
    );
    twin["kid"] = "ec-2".into();
    let two = SigningKeys::parse(&secret(&[key, twin])).err();
    assert_eq!(two, Some(InvalidKeys::CurrentDecryption));
}
