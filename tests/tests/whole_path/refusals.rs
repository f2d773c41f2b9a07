//! Bad input over real HTTP: which status, which pointer, and nothing enqueued.

use local::aws::{Fault, Service};
use serde_json::{Value, json};

use crate::support::{Stack, user_updated};

/// Status and pointers of what a body is answered.
async fn refused(stack: &Stack, body: impl Into<Vec<u8>>) -> (u16, Vec<String>) {
    let answer = stack.post("/v1/events", "application/json", body).await;
    if answer.status != 202 {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["status"], answer.status);
    }
    let pointers = answer.body["errors"].as_array().into_iter().flatten();
    let pointers = pointers.map(|error| error["pointer"].as_str().unwrap_or("?").to_owned());
    (answer.status, pointers.collect())
}

fn nested(levels: usize) -> String {
    // The event is level 1 and `data` level 2.
    let inner = levels - 2;
    format!(
        r#"{{"type":"userUpdated","propertyId":"p","sub":"u","data":{{"x":{}{}}}}}"#,
        "[".repeat(inner),
        "]".repeat(inner)
    )
}

fn of_size(bytes: usize) -> String {
    let mut event = user_updated("large");
    event["data"] = json!({"x": ""});
    let rest = bytes - event.to_string().len();
    event["data"]["x"] = json!("x".repeat(rest));
    let text = event.to_string();
    assert_eq!(text.len(), bytes);
    text
}

#[tokio::test]
async fn bad_input_is_refused_by_pointer_and_nothing_is_enqueued() {
    let stack = Stack::start().await;
    // With SQS down, whatever tried to enqueue something would be answered 503.
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    let case = |pointers: &[&str]| pointers.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let events = |count: usize| {
        let all: Vec<Value> = (0..count).map(|n| user_updated(&format!("e{n}"))).collect();
        json!(all).to_string()
    };
    let cases: Vec<(&str, Vec<u8>, u16, Vec<String>)> = vec![
        ("not JSON", b"{".to_vec(), 400, case(&[""])),
        ("no body", Vec::new(), 400, case(&[""])),
        ("a BOM", "\u{feff}{}".into(), 400, case(&[""])),
        ("not UTF-8", b"{\"type\":\"\xff\"}".to_vec(), 400, case(&[""])),
        ("a lone surrogate", br#"{"type":"\ud800"}"#.to_vec(), 400, case(&[""])),
        ("trailing garbage", b"{} {}".to_vec(), 400, case(&[""])),
        ("a member twice", br#"{"type":"login","data":{"a":1,"a":1}}"#.to_vec(), 400, case(&["/data/a"])),
        ("depth 33", nested(33).into(), 400, case(&[&format!("/data/x{}", "/0".repeat(30))])),
        ("10,000 levels", "[".repeat(10_000).into(), 400, case(&[&"/0".repeat(33)])),
        ("a string", b"\"event\"".to_vec(), 422, case(&[""])),
        ("an empty array", b"[]".to_vec(), 422, case(&[""])),
        ("101 events", events(101).into(), 422, case(&[""])),
        ("an unknown type", br#"{"type":"logout"}"#.to_vec(), 422, case(&["/type"])),
        ("no type", b"{}".to_vec(), 422, case(&["/type"])),
        ("no scope ID", br#"{"type":"userCreated","sub":"u"}"#.to_vec(), 422, case(&["/propertyId"])),
        ("a wrong member", br#"{"type":"forgotPassword","clientId":7}"#.to_vec(), 422, case(&["/clientId"])),
        ("an unknown member", br#"{"type":"newDevice","clientId":"c","kind":1}"#.to_vec(), 422, case(&["/kind"])),
        ("an ID twice", br#"[{"id":"a","type":"newDevice","clientId":"c"},{"id":"a","type":"newDevice","clientId":"c"}]"#.to_vec(), 422, case(&["/1/id"])),
        ("256 KiB and one", of_size(256 * 1024 + 1).into(), 413, case(&[""])),
        ("over 1 MiB", vec![b' '; 1024 * 1024 + 1], 413, case(&[""])),
    ];
    for (name, body, status, pointers) in cases {
        assert_eq!(refused(&stack, body).await, (status, pointers), "{name}");
    }
    assert_eq!(refused(&stack, events(1)).await.0, 503);
    stack.local.aws().faults().clear_all();
    for body in [nested(32), of_size(256 * 1024), events(100)] {
        assert_eq!(refused(&stack, body).await.0, 202);
    }
    stack.stop().await;
}

#[tokio::test]
async fn media_types_and_methods_that_are_not_served_are_refused() {
    let stack = Stack::start().await;
    let event = user_updated("e1").to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = stack.post("/v1/events", content_type, event.clone()).await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
    let with_charset = stack.post("/v1/events", "application/json; charset=utf-8", event).await;
    assert_eq!(with_charset.status, 202);
    assert_eq!(stack.get("/v1/events").await.status, 404);
    assert_eq!(stack.get("/health").await.body, json!({"status": "ok"}));
    let keys = stack.get("/.well-known/jwks.json").await;
    assert_eq!(keys.headers["cache-control"], "public, max-age=300");
    assert_eq!(keys.body["keys"][0]["alg"], "ES256");
    stack.stop().await;
}

#[tokio::test]
async fn a_login_request_that_is_wrong_is_refused_by_pointer() {
    let stack = Stack::start().await;
    let answer = stack.post_json("/v1/enrich/login", &json!({"clientId": "c", "colour": 1})).await;
    assert_eq!(answer.status, 422);
    let pointers: Vec<_> = answer.body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect();
    assert_eq!(pointers, ["/sub", "/colour"]);
    let nobody = json!({"clientId": "nobody-listens", "sub": "u1"});
    let answer = stack.post_json("/v1/enrich/login", &nobody).await;
    assert_eq!(answer.body["action"], "allow");
    assert_eq!(answer.body["reasons"], json!(["no_subscription"]));
    stack.stop().await;
}
