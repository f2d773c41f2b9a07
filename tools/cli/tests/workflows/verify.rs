//! What a receiver got, checked: what is right, and what is wrong with it.

use aws_sdk_dynamodb::types::AttributeValue;
use local::samples;
use testkit::receiver::{Receiver, Request};

use crate::explain::file;
use crate::stack::{Said, Stack, workflows};

/// What a target of the stack is sent, in this format.
async fn received(stack: &Stack, receiver: &Receiver, format: &str) -> Request {
    let endpoint = receiver.url("/hook");
    let mut row = samples::row(samples::PROPERTY, "mine", "user_data_change", &endpoint);
    row.insert("format".to_owned(), AttributeValue::S(format.to_owned()));
    stack.put("subscriptions", row).await;
    stack.deliver(&["e1"]).await;
    receiver.wait_for(1).await.remove(0)
}

async fn verify(stack: &Stack, file: &str, more: &[&str]) -> Said {
    let url = stack.local.api_url().to_owned();
    stack.workflows(&[&["verify", file, "--url", &url], more].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_stack_verifies_and_nothing_personal_is_shown() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    let token = received(&stack, &receiver, "set").await;
    let text = String::from_utf8(token.body.to_vec()).expect("text");
    let path = file("token.txt", &text);
    let path = path.to_str().expect("a path");
    let audience = receiver.url("/hook");
    let said = verify(&stack, path, &["--audience", &audience]).await;
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("It verifies.") && said.stdout.contains("e1"), "{}", said.stdout);
    assert!(!said.stdout.contains("secret"), "{}", said.stdout);
    let shown = verify(&stack, path, &["--show-payload", "--output", "json"]).await;
    assert!(shown.stdout.contains("secret-sub-of-it"), "{}", shown.stdout);

    let (issuer, audience) = ("https://other.example", "https://other.example/hook");
    let said = verify(&stack, path, &["--issuer", issuer, "--audience", audience]).await;
    assert_eq!(said.code, 3);
    for words in
        ["It does not verify.", "payload iss: expected https://other.example", "payload aud"]
    {
        assert!(said.stdout.contains(words), "{}", said.stdout);
    }
    let (signed, signature) = text.rsplit_once('.').expect("parts");
    let forged = file("forged.txt", &format!("{signed}.A{}", &signature[1..]));
    let said = verify(&stack, forged.to_str().expect("a path"), &["--output", "json"]).await;
    let object = said.objects().remove(0);
    assert_eq!((said.code, &object["verifies"]), (3, &false.into()));
    let problem = "the signature does not verify: other bytes were signed, or by another key";
    assert!(object["problems"] == serde_json::json!([problem]) || signature.starts_with('A'));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_verifies_with_its_secret_from_a_file() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    let row = samples::row(samples::PROPERTY, "mine", "user_data_change", &receiver.url("/hook"));
    stack.put("subscriptions", row).await;
    let create = ["secrets", "create", "--property", "demo-property", "--subscription", "mine"];
    let secret = stack.workflows(&create).await.stdout;
    let get = stack.local.clients().dynamodb.update_item().table_name("subscriptions");
    let key = |text: &str| AttributeValue::S(text.to_owned());
    get.key("pk", key(samples::PROPERTY))
        .key("sk", key("SUBSCRIPTION#mine"))
        .update_expression("SET #format = :format")
        .expression_attribute_names("#format", "format")
        .expression_attribute_values(":format", key("standard_webhooks"))
        .send()
        .await
        .expect("it is written");
    stack.deliver(&["e1"]).await;
    let webhook = receiver.wait_for(1).await.remove(0);
    let body = file("webhook.json", std::str::from_utf8(&webhook.body).expect("text"));
    let secret = file("secret.txt", &secret);
    let [body, secret] = [&body, &secret].map(|path| path.to_str().expect("a path"));
    let header = |name: &str| webhook.header(name).expect(name).to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let signatures = header("webhook-signature");
    let headers = ["--webhook-id", &id, "--webhook-timestamp", &timestamp];
    let with = |signatures: &str| {
        let more = ["--webhook-signature", signatures, "--secret-file", secret];
        let all = [&["verify", body][..], &headers, &more].concat();
        workflows(&all)
    };
    let said = with(&signatures);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let v1a = signatures.split(' ').find(|one| one.starts_with("v1a,")).expect("a v1a");
    let more = [&headers[..], &["--webhook-signature", v1a]].concat();
    assert_eq!(verify(&stack, body, &more).await.code, 0);
    let said = with("v1,AQID");
    assert_eq!(said.code, 3);
    assert!(said.stdout.contains("no v1 signature verifies"), "{}", said.stdout);
    stack.stop().await;
}

#[test]
fn what_is_no_notification_is_told_by_what_it_is() {
    let keys = file("keys.json", r#"{"keys":[]}"#);
    let keys = keys.to_str().expect("a path");
    for (content, about) in [
        ("a.b.c.d.e", "it is encrypted"),
        ("{\"type\":1}", "plain JSON"),
        ("hello", "no compact JWS"),
    ] {
        let path = file("no-token.txt", content);
        let said = workflows(&["verify", path.to_str().expect("a path"), "--jwks", keys]);
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stdout.contains(about), "{}", said.stdout);
    }
    let path = file("no-token.txt", "x");
    let path = path.to_str().expect("a path");
    for (arguments, about) in [
        (vec!["verify", path], "say whose keys"),
        (vec!["verify", path, "--jwks", "http://keys.example.com/"], "plain text prove nothing"),
        (vec!["verify", path, "--jwks", path], "not a JWK set"),
        (vec!["verify", path, "--webhook-id", "dlv_1"], "--webhook-timestamp"),
        (
            vec![
                "verify",
                "-",
                "--secret-file",
                "-",
                "--webhook-id",
                "dlv_1",
                "--webhook-timestamp",
                "1",
                "--webhook-signature",
                "v1,",
            ],
            "either the body or the secret",
        ),
    ] {
        let said = workflows(&arguments);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(about), "{}", said.stderr);
    }
}
