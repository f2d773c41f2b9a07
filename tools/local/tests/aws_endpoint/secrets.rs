//! The secret that holds the signing keys.

use aws_sdk_secretsmanager::primitives::Blob;

use crate::World;

#[tokio::test]
async fn a_secret_is_made_empty() {
    let world = World::new().await;
    let value = world.secrets.get_secret_value().secret_id("signing-keys").send().await;
    let error = value.expect_err("it has no value").into_service_error();
    assert!(error.is_resource_not_found_exception());
    let described = world.secrets.describe_secret().secret_id("signing-keys").send().await;
    assert_eq!(described.expect("it exists").name(), Some("signing-keys"));
    world.stop().await;
}

#[tokio::test]
async fn the_value_is_found_by_name_and_by_arn_and_the_old_one_by_its_stage() {
    let world = World::new().await;
    let arn = world.endpoint.account().secret_arn("signing-keys");
    for (id, value) in [("signing-keys", "old"), (arn.as_str(), "new")] {
        let put = world.secrets.put_secret_value().secret_id(id);
        put.secret_string(value).send().await.expect("it is stored");
        let described = world.secrets.describe_secret().secret_id(id).send().await;
        assert_eq!(described.expect("it exists").arn(), Some(arn.as_str()));
    }
    for id in ["signing-keys", arn.as_str()] {
        let value = world.secrets.get_secret_value().secret_id(id).send().await;
        let value = value.expect("it has a value");
        assert_eq!(value.secret_string(), Some("new"));
        assert_eq!(value.arn(), Some(arn.as_str()));
        assert!(value.created_date().is_some());
    }
    let listed = world.secrets.list_secrets().send().await.expect("secrets are listed");
    assert_eq!(listed.secret_list()[0].arn(), Some(arn.as_str()));
    let previous = world.secrets.get_secret_value().secret_id("signing-keys");
    let previous = previous.version_stage("AWSPREVIOUS").send().await;
    assert_eq!(previous.expect("it is kept").secret_string(), Some("old"));
    world.stop().await;
}

#[tokio::test]
async fn another_secret_is_made_with_text_and_not_with_bytes() {
    let world = World::new().await;
    let made = world.secrets.create_secret().name("a-b").secret_string("x").send().await;
    let arn = world.endpoint.account().secret_arn("a-b");
    assert_eq!(made.expect("it is made").arn(), Some(arn.as_str()));
    let value = world.secrets.get_secret_value().secret_id(arn).send().await;
    assert_eq!(value.expect("it has a value").secret_string(), Some("x"));

    let bytes = world.secrets.put_secret_value().secret_id("a-b");
    let bytes = bytes.secret_binary(Blob::new("x")).send().await;
    let error = bytes.expect_err("bytes would be lost").into_service_error();
    assert!(error.is_invalid_parameter_exception());
    world.stop().await;
}

#[tokio::test]
async fn a_deleted_secret_is_refused_until_it_is_restored() {
    let world = World::new().await;
    let twin = world.secrets.create_secret().name("signing-keys").send().await;
    let error = twin.expect_err("it is there").into_service_error();
    assert!(error.is_resource_exists_exception());

    let put = world.secrets.put_secret_value().secret_id("signing-keys");
    put.secret_string("x").send().await.expect("it is stored");
    let deleted = world.secrets.delete_secret().secret_id("signing-keys").send().await;
    assert!(deleted.expect("it is marked").deletion_date().is_some());
    let value = world.secrets.get_secret_value().secret_id("signing-keys").send().await;
    let error = value.expect_err("it is marked").into_service_error();
    assert!(error.is_invalid_request_exception());

    let restored = world.secrets.restore_secret().secret_id("signing-keys").send().await;
    restored.expect("it comes back");
    let value = world.secrets.get_secret_value().secret_id("signing-keys").send().await;
    assert_eq!(value.expect("it has its value").secret_string(), Some("x"));
    world.stop().await;
}

#[tokio::test]
async fn a_version_is_stored_once_and_never_changed() {
    let world = World::new().await;
    let token = "0123456789abcdef0123456789abcdef";
    let put = world.secrets.put_secret_value().secret_id("signing-keys");
    let put = put.client_request_token(token);
    for _ in 0..2 {
        put.clone().secret_string("mine").send().await.expect("the same once more is no change");
    }
    let error = put.secret_string("yours").send().await.expect_err("another value");
    assert!(error.into_service_error().is_resource_exists_exception());
    let value = world.secrets.get_secret_value().secret_id("signing-keys").send().await;
    let value = value.expect("it has a value");
    assert_eq!((value.secret_string(), value.version_id()), (Some("mine"), Some(token)));
    world.stop().await;
}
