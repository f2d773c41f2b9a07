//! Subscriptions: defined in files, checked, shown, written on a condition, and served.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use adapters::aws::{self, CallLimits};
use adapters::rows::Rows;
use adapters::signing::SigningKeys;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{PropertyId, SubscriptionId};
use domain::scope::Scope;
use domain::subscription::{Change, SubscriptionKey};
use local::aws::{Fault, Service};
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::{Receiver, Reply};

use crate::stack::{Item, Said, Stack};

/// A folder of definitions that goes away with its test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("workflows-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("a path")
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Stack {
    /// A row of the sample property, as any client sees it.
    pub(crate) async fn row(&self, id: &str) -> Option<Item> {
        let get = self.local.clients().dynamodb.get_item().table_name("subscriptions");
        let get = get
            .key("pk", AttributeValue::S(samples::PROPERTY.to_owned()))
            .key("sk", AttributeValue::S(format!("SUBSCRIPTION#{id}")));
        get.send().await.expect("the table is read").item
    }

    async fn put_file(&self, file: &str, more: &[&str]) -> Said {
        self.workflows(&[&["subscriptions", "put", file], more].concat()).await
    }
}

/// What an operator's commands reach this stack with.
pub(crate) fn operator(stack: &Stack) -> aws::SdkConfig {
    let settings = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", stack.local.aws().url()),
    ];
    let settings: std::collections::BTreeMap<String, String> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    aws::config(&settings, CallLimits::OPERATOR).expect("settings")
}

fn definition(id: &str, endpoint: &str) -> String {
    format!("property: demo-property\nid: {id}\ncategory: user_data_change\nendpoint: {endpoint}\n")
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

const WHOSE: [&str; 4] = ["--property", "demo-property", "--subscription", "mine"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_is_the_documented_row_and_is_served() {
    let (stack, folder, receiver) =
        (Stack::start().await, Folder::new("put"), Receiver::start().await);
    let text = definition("mine", &receiver.url("/hook"))
        + "verification: none\neventTypes: [account/v1/userUpdated]\nretry: {attemptsMax: 3}\n";
    let file = folder.file("mine.yaml", &text);
    let said = stack.put_file(&file, &["--dry-run"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("create mine of PROPERTY#demo-property"), "{}", said.stdout);
    assert_eq!(stack.row("mine").await, None);

    let said = stack.put_file(&file, &["--output", "json"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.objects()[0]["answer"], "written");
    let retry = HashMap::from([("attemptsMax".to_owned(), AttributeValue::N("3".to_owned()))]);
    let row = Item::from([
        ("pk".to_owned(), s(samples::PROPERTY)),
        ("sk".to_owned(), s("SUBSCRIPTION#mine")),
        ("category".to_owned(), s("user_data_change")),
        ("endpoint".to_owned(), s(&receiver.url("/hook"))),
        ("enabled".to_owned(), AttributeValue::Bool(true)),
        ("verification".to_owned(), s("none")),
        ("eventTypes".to_owned(), AttributeValue::L(vec![s("account/v1/userUpdated")])),
        ("retry".to_owned(), AttributeValue::M(retry)),
    ]);
    assert_eq!(stack.row("mine").await, Some(row));
    stack.deliver(&["e1"]).await;
    assert_eq!(receiver.requests().len(), 1);

    let said = stack.put_file(&file, &[]).await;
    assert_eq!(said.code, 0, "nothing to overwrite, nothing to ask: {}", said.stderr);
    assert!(said.stdout.contains("1 as defined"), "{}", said.stdout);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_overwritten_is_shown_and_asked_about() {
    let (stack, folder) = (Stack::start().await, Folder::new("overwrite"));
    let mut row =
        samples::row(samples::PROPERTY, "mine", "user_data_change", "https://old.example.com/h");
    row.insert("createdBy".to_owned(), s("somebody"));
    row.insert("description".to_owned(), s("old"));
    stack.put("subscriptions", row.clone()).await;
    let file = folder.file("mine.yaml", &definition("mine", "https://new.example.com/h"));
    let said = stack.put_file(&file, &[]).await;
    assert_eq!(said.code, 2, "nobody is there to ask: {}", said.stderr);
    assert!(said.stdout.contains("\"https://old.example.com/h\" -> \"https://new.example.com/h\""));
    assert!(said.stdout.contains("- description: \"old\""), "{}", said.stdout);
    assert_eq!(stack.row("mine").await, Some(row.clone()));

    assert_eq!(stack.put_file(&file, &["--yes", "--offline"]).await.code, 0);
    row.insert("endpoint".to_owned(), s("https://new.example.com/h"));
    row.insert("verification".to_owned(), s("required"));
    row.remove("description");
    assert_eq!(stack.row("mine").await, Some(row), "what nobody knows stays");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_anything_wrong_writes_nothing_and_says_everything() {
    let (stack, folder) = (Stack::start().await, Folder::new("wrong"));
    folder.file("a.yaml", &definition("good", "https://good.example.com/h"));
    folder.file("b.yaml", &(definition("mine", "https://t.example.com/h") + "enabeld: true\n"));
    folder.file("c.json", r#"[{"property": "demo-property", "id": "good"}, 7]"#);
    folder.file("d.yml", &definition("good", "https://t.example.com/h"));
    folder.file("notes.md", "no definition");
    let said = stack.put_file(folder.path(), &["--yes"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    for complaint in [
        "b.yaml: enabeld: there is no such attribute; did you mean enabled?",
        "c.json, definition 1: attribute category: expected",
        "c.json, definition 2: expected a map of attributes",
        "d.yml: is defined in",
        "4 things are wrong; nothing was written",
    ] {
        assert!(said.stderr.contains(complaint), "{complaint}: {}", said.stderr);
    }
    let said = stack.put_file(&folder.file("broken.yaml", "a: ["), &[]).await;
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert_eq!(stack.row("good").await, None);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_or_a_key_set_that_will_not_do_is_told_before_it_is_needed() {
    let (stack, folder, receiver) =
        (Stack::start().await, Folder::new("checks"), Receiver::start().await);
    receiver.script("/empty", [Reply::status(200).body(r#"{"keys":[]}"#)]);
    receiver.script("/gone", [Reply::status(404)]);
    let enrich = |id: &str, jwks_uri: &str| {
        format!(
            "client: demo-client\nid: {id}\ncategory: enrich\nendpoint: {}\nresponse:\n  issuer: i\n  \
             alg: ES256\n  jwksUri: {jwks_uri}\n---\n",
            receiver.url("/ask")
        )
    };
    let text = definition("inside", "https://169.254.169.254/latest/meta-data?token=s3cret")
        + "---\n"
        + &enrich("empty", &receiver.url("/empty"))
        + &enrich("gone", &receiver.url("/gone"))
        + &enrich("plain", "http://keys.example.com/");
    let file = folder.file("all.yaml", text.trim_end_matches("---\n"));
    let said = stack.put_file(&file, &["--yes"]).await;
    assert_eq!(said.code, 2, "{}", said.stderr);
    for complaint in [
        "inside of PROPERTY#demo-property: endpoint: the URL must not point to",
        "empty of CLIENT#demo-client: response.jwksUri",
        "gone of CLIENT#demo-client: response.jwksUri",
        "plain of CLIENT#demo-client: response.jwksUri: the URL must begin with https://",
        "4 things are wrong",
    ] {
        assert!(said.stderr.contains(complaint), "{complaint}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
    assert_eq!(stack.row("inside").await, None);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_send_the_same_to_the_same_endpoint_are_told() {
    let (stack, folder) = (Stack::start().await, Folder::new("twins"));
    stack.subscribe("other", "https://t.example.com/h", 1).await;
    let file = folder.file("mine.yaml", &definition("mine", "https://t.example.com/h"));
    let said = stack.put_file(&file, &["--offline"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("more than once: other of"), "{}", said.stderr);
    stack.stop().await;
}

/// A row that somebody else changed after it was read is left as they left it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_editors_cannot_undo_each_other() {
    let stack = Stack::start().await;
    stack.subscribe("mine", "https://t.example.com/h", 1).await;
    let rows = Rows::new(&operator(&stack), "subscriptions".to_owned());
    let key = |id: &str| SubscriptionKey {
        scope: Scope::Property(PropertyId::parse("demo-property").expect("valid")),
        subscription_id: SubscriptionId::parse(id).expect("valid"),
    };
    let describe = |text: &str| {
        let after = Some(Value::from(text));
        [Change { attribute: "description".to_owned(), before: None, after }]
    };
    let first = rows.find(&key("mine")).await.expect("read").expect("there");
    let second = rows.find(&key("mine")).await.expect("read").expect("there");
    let write = async |seen, text| rows.write(&key("mine"), Some(seen), &describe(text)).await;
    // What the service writes meanwhile is no editor's.
    let troubled = stack.local.clients().dynamodb.update_item().table_name("subscriptions");
    troubled
        .key("pk", s(samples::PROPERTY))
        .key("sk", s("SUBSCRIPTION#mine"))
        .update_expression("SET troubledAt = :now")
        .expression_attribute_values(":now", AttributeValue::N("7".to_owned()))
        .send()
        .await
        .expect("written");
    assert_eq!(write(&first.seen, "first").await, Ok(true));
    assert_eq!(write(&second.seen, "second").await, Ok(false));
    assert_eq!(rows.delete(&second).await, Ok(false));
    assert_eq!(rows.write(&key("mine"), None, &describe("new")).await, Ok(false));
    let row = stack.row("mine").await.expect("there");
    assert_eq!((&row["description"], row.contains_key("troubledAt")), (&s("first"), true));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_is_listed_shown_switched_and_deleted() {
    let (stack, folder) = (Stack::start().await, Folder::new("life"));
    let endpoint = "https://t.example.com/h?token=s3cret";
    let file = folder.file("mine.yaml", &definition("mine", endpoint));
    assert_eq!(stack.put_file(&file, &["--offline"]).await.code, 0);

    let run = async |verb: &str, more: &[&str]| {
        stack.workflows(&[&["subscriptions", verb], &WHOSE[..], more].concat()).await
    };
    let said = run("get", &[]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let again = folder.file("again.yaml", &said.stdout);
    let said = stack.put_file(&again, &[]).await;
    assert!(said.stdout.contains("1 as defined"), "{} {}", said.stdout, said.stderr);

    let list = ["subscriptions", "list", "--property", "demo-property", "--output", "json"];
    let mine = |said: Said| {
        said.objects().into_iter().find(|row| row["subscriptionId"] == "mine").expect("listed")
    };
    let listed = mine(stack.workflows(&list).await);
    assert_eq!(listed["state"], "enabled");
    assert_eq!(listed["endpoint"], "https://t.example.com/h?…");

    assert_eq!(run("disable", &[]).await.code, 0);
    let listed = mine(stack.workflows(&list).await);
    assert_eq!(
        (&listed["state"], &listed["disabledReason"]),
        (&json!("disabled"), &json!("operator"))
    );
    let said = stack.put_file(&file, &[]).await;
    assert!(said.stdout.contains("1 as defined"), "a file that does not say leaves it off");
    assert_eq!(run("enable", &[]).await.code, 0);
    let row = stack.row("mine").await.expect("there");
    assert!(!row.contains_key("disabledAt") && row["enabled"] == AttributeValue::Bool(true));
    assert!(run("enable", &[]).await.stdout.contains("is so already"));

    assert_eq!(run("delete", &[]).await.code, 2, "it asks");
    assert_eq!(run("delete", &["--yes"]).await.code, 0);
    assert_eq!(stack.row("mine").await, None);
    for verb in ["get", "enable", "disable"] {
        let said = run(verb, &[]).await;
        assert_eq!(said.code, 3, "{verb}");
        assert!(said.stdout.contains("there is no such subscription"), "{verb}: {}", said.stdout);
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_reached_is_told_and_not_hammered() {
    let (stack, folder) = (Stack::start().await, Folder::new("down"));
    let file = folder.file("mine.yaml", &definition("mine", "https://t.example.com/h"));
    stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    for command in [vec!["subscriptions", "put", &file], vec!["apply", &file, "--yes"]] {
        let said = stack.workflows(&command).await;
        assert_eq!(said.code, 1, "{command:?}: {}", said.stderr);
        assert!(said.stderr.contains("the subscriptions table could not be read"));
    }
    stack.stop().await;
}

impl Stack {
    /// The key set that endpoints know us by.
    async fn key_set(&self) -> String {
        let get = self.local.clients().secrets.get_secret_value().secret_id("signing-keys");
        let secret = get.send().await.expect("a secret").secret_string.expect("text");
        SigningKeys::parse(&secret).expect("keys").published().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a24_an_endpoint_is_verified_as_it_is_put_or_gets_nothing() {
    let (stack, folder, receiver) =
        (Stack::start().await, Folder::new("verified"), Receiver::start().await);
    receiver.script("/echo", [Reply::status(202).echoing(&stack.key_set().await)]);
    receiver.script("/other", [Reply::status(200).body("I say yes to everything")]);
    let file = folder.file("mine.yaml", &definition("mine", &receiver.url("/echo")));
    let said = stack.put_file(&file, &[]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let row = stack.row("mine").await.expect("there");
    assert_eq!(row["verifiedEndpoint"], s(&receiver.url("/echo")));
    assert_eq!(row["verification"], s("required"));
    stack.deliver(&["e1"]).await;
    assert_eq!(receiver.requests().len(), 2, "its challenge from the command, and then the event");

    let file = folder.file("other.yaml", &definition("other", &receiver.url("/other")));
    let said = stack.put_file(&file, &["--output", "json"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert_eq!(said.objects()[0]["answer"], "written_unverified");
    assert!(said.stderr.contains("endpoint_unverified"), "{}", said.stderr);
    assert!(!said.stderr.contains("yes to everything"), "a50: {}", said.stderr);
    assert!(!stack.row("other").await.expect("there").contains_key("verifiedEndpoint"));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_sent_as_a_first_attempt_is_and_leaves_no_trace() {
    let (stack, receiver) = (Stack::start().await, Receiver::start().await);
    stack.subscribe("mine", &receiver.url("/hook"), 1).await;
    receiver.script("/hook", [Reply::status(202), Reply::status(500)]);
    let test = async |more: &[&str]| {
        stack.workflows(&[&["subscriptions", "test"], &WHOSE[..], more].concat()).await
    };
    let said = test(&["--output", "json"]).await;
    assert_eq!(
        (said.code, &said.objects()[0]["outcome"]),
        (0, &json!("http_202")),
        "{}",
        said.stderr
    );
    let request = &receiver.requests()[0];
    assert_eq!(request.header("content-type"), Some("application/secevent+jwt"));
    let said = test(&[]).await;
    assert_eq!(said.code, 3);
    assert!(said.stdout.contains("http_500"), "{}", said.stdout);
    assert!(stack.ledger().await.is_empty());

    let event = json!({"type": "userUpdated", "propertyId": "another", "sub": "u"}).to_string();
    let folder = Folder::new("sample");
    let said = test(&["--event", &folder.file("event.json", &event)]).await;
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("another property"), "{}", said.stderr);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_algorithm_that_the_stack_has_no_key_for_is_told_before_it_is_needed() {
    let (stack, folder) = (Stack::start().await, Folder::new("algorithm"));
    let definition = definition("mine", "https://t.example.com/h") + "signingAlg: RS256\n";
    let file = folder.file("mine.yaml", &definition);
    let said = stack.put_file(&file, &[]).await;
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("no current key for RS256"), "{}", said.stderr);
    assert_eq!(stack.row("mine").await, None);
    stack.stop().await;
}
