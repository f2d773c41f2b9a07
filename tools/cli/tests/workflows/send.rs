//! Events that are posted, what is answered, and how they are followed to their targets.

use local::aws::{Fault, Service};
use serde_json::Value;
use testkit::receiver::{Receiver, Reply};

use crate::explain::file;
use crate::stack::{Said, Stack, workflows, workflows_with};

const EVENT: &str = r#"{"id":"sent-1","type":"userUpdated","propertyId":"demo-property",
    "sub":"secret-sub-of-it","data":{"note":"secret-data-of-it"}}"#;

async fn send(stack: &Stack, content: &str, more: &[&str]) -> Said {
    let path = file(&format!("send-{}.json", content.len()), content);
    let url = stack.local.api_url().to_owned();
    let path = path.to_str().expect("a path");
    let send = ["--output", "json", "send", path, "--url", &url];
    stack.workflows(&[&send, more].concat()).await
}

/// What was said last of a subscription.
fn last<'a>(said: &'a [Value], id: &str) -> &'a Value {
    said.iter().rfind(|it| it["subscriptionId"] == id).expect(id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_posted_and_followed_until_it_is_given_up_or_quiet() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    stack.subscribe("well", &receiver.url("/well"), 3).await;
    stack.subscribe("ill", &receiver.url("/ill"), 1).await;
    receiver.script("/ill", [Reply::status(500)]);
    let said = send(&stack, EVENT, &["--watch"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let objects = said.objects();
    assert_eq!(
        (&objects[0]["eventId"], &objects[0]["state"]),
        (&"sent-1".into(), &"accepted".into())
    );
    let ill = last(&objects, "ill");
    assert_eq!(ill["prospect"], "dead");
    assert_eq!(ill["ledger"]["reason"], "exhausted:http_500");
    assert_eq!(last(&objects, "well")["prospect"], "nothing_recorded");
    let reached = receiver.requests().iter().any(|request| request.path == "/well");
    assert!(reached, "the healthy target has it");
    let shown = [said.stdout, said.stderr].concat();
    assert!(!shown.contains("secret"), "{shown}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told_member_by_member_and_what_is_not_stored_by_id() {
    let stack = Stack::start().await;
    let said = send(&stack, r#"[{"id":"a","type":"userUpdated","subb":"secret"}]"#, &[]).await;
    assert_eq!(said.code, 3);
    let errors = said.objects()[0]["errors"].clone();
    let pointers: Vec<_> =
        errors.as_array().expect("a list").iter().map(|it| it["pointer"].clone()).collect();
    assert_eq!(pointers, ["/0/sub", "/0/propertyId", "/0/subb"]);
    assert!(!said.stdout.contains("secret"), "{}", said.stdout);

    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    let said = send(&stack, EVENT, &[]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let object = said.objects().remove(0);
    assert_eq!((&object["eventId"], &object["state"]), (&"sent-1".into(), &"not_stored".into()));
    assert!(said.stderr.contains("Repeat the command"), "{}", said.stderr);
    stack.stop().await;
}

#[test]
fn where_to_send_is_said_and_checked() {
    let path = file("where.json", EVENT);
    let path = path.to_str().expect("a path");
    for (arguments, about) in [
        (vec!["send", path], "WORKFLOWS_URL"),
        (vec!["send", path, "--url", "http://api.example.com"], "this machine alone"),
        (vec!["send", path, "--for", "5s"], "--watch"),
    ] {
        let said = workflows(&arguments);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(about), "{}", said.stderr);
    }
    let nobody = workflows_with(&["send", path], &[("WORKFLOWS_URL", "http://127.0.0.1:9")]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.stderr.contains("127.0.0.1 did not answer"), "{}", nobody.stderr);
}
