//! The key that webhook secrets are sealed under, and keys that sign.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};

use crate::World;

const ALIAS: &str = "alias/webhook-secrets";

/// A data key of this context, in the clear and encrypted.
async fn data_key(world: &World, scope: &str) -> (Blob, Blob) {
    let made = world.kms.generate_data_key().key_id(ALIAS).key_spec(DataKeySpec::Aes256);
    let made = made.encryption_context("scope", scope).send().await.expect("it is made");
    let arn = world.endpoint.account().kms_key_arn("WebhookSecretsKey");
    assert_eq!(made.key_id(), Some(arn.as_str()));
    (made.plaintext.expect("a data key"), made.ciphertext_blob.expect("encrypted"))
}

#[tokio::test]
async fn a85_a_data_key_is_decrypted_under_its_own_context_alone() {
    let world = World::new().await;
    let (plaintext, blob) = data_key(&world, "PROPERTY#a").await;
    assert_eq!(plaintext.as_ref().len(), 32);
    let arn = world.endpoint.account().kms_key_arn("WebhookSecretsKey");
    for key_id in [Some(arn.as_str()), Some("WebhookSecretsKey"), Some(ALIAS), None] {
        let decrypt = world.kms.decrypt().set_key_id(key_id.map(str::to_owned));
        let decrypt = decrypt.ciphertext_blob(blob.clone());
        let decrypted = decrypt.encryption_context("scope", "PROPERTY#a").send().await;
        assert_eq!(decrypted.expect("it is decrypted").plaintext, Some(plaintext.clone()));
    }
    let none = world.kms.decrypt().ciphertext_blob(blob);
    for other in [none.clone().encryption_context("scope", "PROPERTY#b"), none] {
        let decrypted = other.send().await;
        let error = decrypted.expect_err("another context").into_service_error();
        assert!(error.is_invalid_ciphertext_exception());
    }
    let (other, _) = data_key(&world, "PROPERTY#a").await;
    assert_ne!(other, plaintext, "each is new");
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_ciphertext_and_a_key_that_is_not_there_are_told_as_aws_tells_them() {
    let world = World::new().await;
    let (_, blob) = data_key(&world, "PROPERTY#a").await;
    let mut spoilt = blob.clone().into_inner();
    *spoilt.last_mut().expect("octets") ^= 1;
    for bad in [b"".to_vec(), b"nonsense".to_vec(), blob.as_ref()[..20].to_vec(), spoilt] {
        let decrypt = world.kms.decrypt().ciphertext_blob(Blob::new(bad));
        let decrypted = decrypt.encryption_context("scope", "PROPERTY#a").send().await;
        let error = decrypted.expect_err("no ciphertext").into_service_error();
        assert!(error.is_invalid_ciphertext_exception(), "{error:?}");
    }
    let made = world.kms.generate_data_key().key_id("alias/none");
    let error = made.key_spec(DataKeySpec::Aes256).send().await.expect_err("no such key");
    assert!(error.into_service_error().is_not_found_exception());
    world.stop().await;
}

#[tokio::test]
async fn what_was_encrypted_in_one_run_is_decrypted_in_the_next() {
    let first = World::new().await;
    let (plaintext, blob) = data_key(&first, "PROPERTY#a").await;
    first.stop().await;
    let second = World::new().await;
    let decrypt = second.kms.decrypt().ciphertext_blob(blob);
    let decrypted = decrypt.encryption_context("scope", "PROPERTY#a").send().await;
    assert_eq!(decrypted.expect("it is decrypted").plaintext, Some(plaintext));
    second.stop().await;
}

#[tokio::test]
async fn keys_that_sign_are_made_shown_and_used_for_their_own_algorithm_alone() {
    let world = World::new().await;
    let message = b"header.payload";
    let digest = digest(&SHA256, message);
    for (spec, algorithm, other, verified_by) in [
        (
            KeySpec::EccNistP256,
            SigningAlgorithmSpec::EcdsaSha256,
            SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
            &ECDSA_P256_SHA256_ASN1 as &dyn VerificationAlgorithm,
        ),
        (
            KeySpec::Rsa2048,
            SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
            SigningAlgorithmSpec::EcdsaSha256,
            &RSA_PKCS1_2048_8192_SHA256,
        ),
    ] {
        let made =
            world.kms.create_key().key_usage(KeyUsageType::SignVerify).key_spec(spec.clone());
        let made = made.send().await.expect("it is made").key_metadata.expect("a key");
        let arn = made.arn().expect("an ARN");
        let public = world.kms.get_public_key().key_id(arn).send().await.expect("it is shown");
        assert_eq!(public.key_spec(), Some(&spec));
        let info = public.public_key().expect("a key").as_ref();
        let sign = world.kms.sign().key_id(arn).signing_algorithm(algorithm);
        for (kind, message_octets) in
            [(MessageType::Digest, digest.as_ref()), (MessageType::Raw, &message[..])]
        {
            let signed = sign.clone().message_type(kind).message(Blob::new(message_octets));
            let signature = signed.send().await.expect("it is signed").signature.expect("one");
            let key = UnparsedPublicKey::new(verified_by, info);
            key.verify(message, signature.as_ref()).expect("it verifies");
        }
        let wrong = sign
            .clone()
            .message_type(MessageType::Digest)
            .message(Blob::new(&digest.as_ref()[1..]));
        assert!(wrong.send().await.is_err(), "31 octets");
        let wrong = sign.signing_algorithm(other).message(Blob::new(message));
        let error = wrong.send().await.expect_err("another algorithm").into_service_error();
        assert!(error.is_invalid_key_usage_exception(), "{error:?}");
    }
    let other = world.kms.get_public_key().key_id(ALIAS).send().await;
    let error = other.expect_err("a symmetric key").into_service_error();
    assert!(error.is_invalid_key_usage_exception());
    world.stop().await;
}
