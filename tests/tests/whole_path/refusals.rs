//! Bad input over real HTTP: which status, which pointer, and nothing enqueued.

use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Fault, Service};
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::{Gate, Receiver, Reply};

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

/// A login of the sample client, with these members changed.
fn login(changes: &Value) -> Value {
    let mut login: Value = serde_json::from_str(samples::LOGINS[0].body).expect("a sample");
    let changes = changes.as_object().expect("an object").clone();
    login.as_object_mut().expect("an object").extend(changes);
    login
}

#[tokio::test]
async fn a_login_request_of_any_bad_kind_is_refused_and_no_target_is_asked() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let with = |member: &str, value: Value| login(&json!({ member: value })).to_string();
    let twice = r#"{"clientId":"c","sub":"u","data":{"user":{"email":"a","email":"b"}}}"#;
    let deep = format!(
        r#"{{"clientId":"c","sub":"u","data":{{"x":{}{}}}}}"#,
        "[".repeat(31),
        "]".repeat(31)
    );
    let cases: Vec<(&str, String, u16, &[&str])> = vec![
        ("nothing", String::new(), 400, &[""]),
        ("a member twice", twice.to_owned(), 400, &["/data/user/email"]),
        (
            "depth 33",
            deep,
            400,
            &["/data/x/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"],
        ),
        ("1 MiB", with("data", json!({"x": "x".repeat(1024 * 1024)})), 413, &[""]),
        ("an array", "[]".to_owned(), 422, &[""]),
        ("no client ID", with("clientId", Value::Null), 422, &["/clientId"]),
        ("no sub", with("sub", Value::Null), 422, &["/sub"]),
        ("an empty client ID", with("clientId", "".into()), 422, &["/clientId"]),
        ("a sub that is a number", with("sub", 7.into()), 422, &["/sub"]),
        ("a request ID with a dot", with("requestId", "a.b".into()), 422, &["/requestId"]),
        ("an unknown member", with("colour", "blue".into()), 422, &["/colour"]),
        ("data that is a text", with("data", "x".into()), 422, &["/data"]),
        ("a deadline in words", with("deadline", "soon".into()), 422, &["/deadline"]),
        ("a negative deadline", with("deadline", (-1).into()), 422, &["/deadline"]),
        ("a broken deadline", with("deadline", 1.5.into()), 422, &["/deadline"]),
        (
            "a deadline of year 10000",
            with("deadline", "10000-01-01T00:00:00Z".into()),
            422,
            &["/deadline"],
        ),
    ];
    for (name, body, status, pointers) in cases {
        let answer = stack.post("/v1/enrich/login", "application/json", body).await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
        let errors = answer.body["errors"].as_array().expect("errors");
        let said: Vec<_> = errors.iter().map(|error| &error["pointer"]).collect();
        assert_eq!(said, pointers, "{name}");
    }
    let answer = stack.post("/v1/enrich/login", "text/plain", login(&json!({})).to_string()).await;
    assert_eq!(answer.status, 415);
    assert!(news.try_recv().is_err(), "a target was asked");
    stack.stop().await;
}

#[tokio::test]
async fn a80_a_caller_s_deadline_shortens_a_login_s_time_and_never_lengthens_it() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    for past in [json!(0), json!(1_795_428_000), json!("1999-12-31T23:59:59Z")] {
        let answer = stack.post_json("/v1/enrich/login", &login(&json!({"deadline": past}))).await;
        assert_eq!(answer.status, 200, "{past}");
        assert_eq!(answer.body["action"], "challenge", "{past}");
        // Nobody is asked; in the little time that is left, the policy may not even be found.
        let reasons = [json!(["timeout"]), json!(["subscriptions_unavailable"])];
        assert!(reasons.contains(&answer.body["reasons"]), "{past}: {}", answer.body);
        assert_eq!(answer.body["degraded"], true, "{past}");
        assert_eq!(answer.body["custom_claims"], json!({}), "{past}");
    }
    assert!(news.try_recv().is_err(), "a target was asked after the deadline");

    // A far one changes nothing: the budget ends first, also with a target that never answers.
    let hangs = Receiver::start().await;
    let never = Gate::closed();
    hangs.script("/enrich", [Reply::status(200).behind(&never)]);
    let client = "CLIENT#slow-client";
    let mut row = samples::row(client, "slow", "enrich", &hangs.url("/enrich"));
    row.insert(
        "response".to_owned(),
        samples::response("https://slow.example", &hangs.url("/keys")),
    );
    row.insert("timeoutMs".to_owned(), AttributeValue::N("200".to_owned()));
    stack.put_row(row).await;
    for far in [json!("9999-12-31T23:59:59Z"), json!(253_402_300_799_000_u64), json!(u64::MAX)] {
        let answer = stack.post_json("/v1/enrich/login", &login(&json!({"deadline": far}))).await;
        assert_eq!(answer.body["action"], "allow", "{far}");
        let slow = login(&json!({"deadline": far, "clientId": "slow-client"}));
        let answer = stack.post_json("/v1/enrich/login", &slow).await;
        assert_eq!(answer.body["reasons"], json!(["timeout"]), "{far}");
        assert!(answer.body["elapsedMs"].as_u64().expect("a number") < 1_000, "{far}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn a80_a_deadline_in_a_header_is_nothing_that_we_know() {
    let stack = Stack::start().await;
    for header in ["0", "253402300799000", "soon", ""] {
        let url = format!("{}/v1/enrich/login", stack.local.api_url());
        let request = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let request = request.post(url).header("content-type", "application/json");
        let request = request.header("x-deadline", header).header("webhook-deadline", header);
        let answer = request.body(samples::LOGINS[0].body).send().await.expect("an answer");
        let answer: Value =
            serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
        assert_eq!(answer["action"], "allow", "{header:?}");
        assert_eq!(answer["degraded"], false, "{header:?}");
    }
    stack.stop().await;
}
