//! What `explain` says, before an event is posted and after.

use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::{Receiver, Reply};

use crate::stack::{Said, Stack, workflows};
use crate::subscriptions::Folder;

/// The event that [`Stack::deliver`] delivers, as it would be posted.
const EVENT: &str = r#"{"id":"e1","type":"userUpdated","propertyId":"demo-property",
    "sub":"secret-sub-of-it","data":{"note":"secret-data-of-it"}}"#;

/// A file of this content.
pub(crate) fn file(name: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, content).expect("a file is written");
    path
}

async fn explain(stack: &Stack, arguments: &[&str]) -> Said {
    stack.workflows(&[&["--output", "json", "explain"], arguments].concat()).await
}

/// What is said of a subscription.
fn of<'a>(said: &'a [Value], id: &str) -> &'a Value {
    said.iter().find(|it| it["subscriptionId"] == id).expect(id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_says_who_would_get_an_event_and_who_got_it() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    stack.subscribe("well", &receiver.url("/well"), 3).await;
    stack.subscribe("ill", &receiver.url("/ill"), 3).await;
    receiver.script("/ill", [Reply::status(500)]);
    let with = |id: &str, name: &str, value: AttributeValue| {
        let mut row = samples::row(samples::PROPERTY, id, "user_data_change", &receiver.url("/no"));
        row.insert(name.to_owned(), value);
        row
    };
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let types = AttributeValue::L(vec![text("userDeleted")]);
    stack.put("subscriptions", with("other-types", "eventTypes", types)).await;
    let mut off = with("off", "enabled", AttributeValue::Bool(false));
    off.insert("disabledReason".to_owned(), text("gone"));
    stack.put("subscriptions", off).await;
    stack.put("subscriptions", with("odd", "retry", text("often"))).await;

    let path = file("event.json", EVENT);
    let path = path.to_str().expect("a path");
    let before = explain(&stack, &[path]).await;
    assert_eq!(before.code, 0, "{}", before.stderr);
    let counts = "The event is for 3 of 5 subscriptions; 1 row cannot be read.";
    assert!(before.stderr.contains(counts), "{}", before.stderr);
    let said = before.objects();
    assert_eq!(said[0]["type"], "account/v1/userUpdated");
    assert_eq!(said[0]["intake"], json!({"state": "not_known"}));
    assert_eq!(of(&said, "well")["prospect"], "nothing_recorded");
    assert_eq!(of(&said, "other-types")["clause"], "event_type");
    assert_eq!(of(&said, "off")["disabledReason"], "gone");
    assert_eq!(of(&said, "odd")["why"], "attribute retry: expected a map");
    assert_eq!(of(&said, "users")["matches"], true);

    stack.deliver(&["e1"]).await;
    for arguments in [vec![path], vec!["--event", "e1", "--property", "demo-property"]] {
        let after = explain(&stack, &arguments).await;
        let said = after.objects();
        assert_eq!(of(&said, "well")["prospect"], "nothing_recorded");
        let ill = of(&said, "ill");
        assert_eq!(ill["prospect"], "waiting");
        assert_eq!(
            (&ill["ledger"]["attempt"], &ill["ledger"]["lastOutcome"]),
            (&json!(1), &json!("http_500"))
        );
        let shown = [after.stdout, after.stderr].concat();
        assert!(!shown.contains("secret"), "{shown}");
    }
    let table = stack.workflows(&["explain", path]).await;
    for words in [
        "nothing is recorded: delivered, or not attempted yet",
        "the subscription is disabled, by us: gone",
        "1 attempt, the last came to http_500",
        "the row cannot be read: attribute retry: expected a map",
    ] {
        assert!(table.stdout.contains(words), "{}", table.stdout);
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_nobody_or_cannot_be_read_is_said_so() {
    let stack = Stack::start().await;
    let nobody = file("nobody.json", &EVENT.replace("demo-property", "p9"));
    let said = explain(&stack, &[nobody.to_str().expect("a path")]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let unknown = explain(&stack, &["--event", "e9", "--property", "demo-property"]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (3, ""));
    let bad = file("bad.json", r#"[{"type":"userUpdated","subb":"secret"},{"type":"nothing"}]"#);
    let said = explain(&stack, &[bad.to_str().expect("a path")]).await;
    assert_eq!(said.code, 2);
    for words in
        ["/0/subb: is not known here", "/0/propertyId: is required", "/1/type: is no event"]
    {
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
    assert!(!said.stderr.contains("secret"));
    stack.stop().await;
    assert_eq!(workflows(&["explain", "/nowhere.json"]).code, 2);
    assert_eq!(workflows(&["--local", "explain", "--event", "e1"]).code, 2);
    assert_eq!(workflows(&["explain"]).code, 2);
}

/// Before a deploy: no stack is reached for, which the endpoint that nobody listens on shows.
#[test]
fn an_event_is_foretold_from_a_folder_of_definitions() {
    let folder = Folder::new("foretold");
    let definition = |id: &str, more: &str| {
        format!(
            "property: demo-property\nid: {id}\ncategory: user_data_change\n\
             endpoint: https://t.example.com/{id}\n{more}"
        )
    };
    folder.file("a.yaml", &definition("all", ""));
    folder.file("b.yaml", &definition("created", "eventTypes: [userCreated]\n"));
    let event =
        json!({"id": "e1", "type": "userUpdated", "propertyId": "demo-property", "sub": "u"});
    let file = folder.file("event.txt", &event.to_string());
    let said = workflows(&[
        "--endpoint-url",
        "http://127.0.0.1:9",
        "explain",
        &file,
        "--definitions",
        folder.path(),
    ]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("nothing was looked up"), "{}", said.stdout);
    assert!(said.stdout.contains("not among eventTypes"), "{}", said.stdout);
    assert!(said.stderr.contains("for 1 of 2 subscriptions"), "{}", said.stderr);
}
