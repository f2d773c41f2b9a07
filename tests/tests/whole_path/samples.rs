//! The files of `events/`: each goes through its real handler, and its answer is on record.

use std::path::{Path, PathBuf};

use domain::event::Event;
use domain::event_type::EventType;
use local::functions::Name;
use serde_json::{Value, json};

use crate::support::Stack;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name)
}

/// The JSON files of a folder by their names.
fn files(name: &str) -> Vec<(String, Value)> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .expect("a folder of samples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file");
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (stem, serde_json::from_str(&text).expect("JSON"))
        })
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!files.is_empty(), "{name}");
    files
}

/// What differs from run to run, under names that say what it was.
fn without_chance(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "decisionId" => *member = "<decision ID>".into(),
                    "elapsedMs" => *member = "<milliseconds>".into(),
                    "iat" | "toe" => *member = member.as_u64().map(|_| "<seconds>").into(),
                    "aud" => *member = "<the endpoint>".into(),
                    "etag" | "kid" | "x" | "y" => *member = format!("<{name}>").into(),
                    _ => without_chance(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_chance),
        _ => {}
    }
}

/// An HTTP answer with its JSON body taken apart, for reading.
fn readable(mut answer: Value) -> Value {
    let body = answer.get("body").and_then(Value::as_str).map(str::to_owned);
    if let Some(body) = body.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
        answer["body"] = body;
    }
    without_chance(&mut answer);
    answer
}

async fn snapshot(name: Name, folder: &str) {
    let stack = Stack::start().await;
    for (file, payload) in files(folder) {
        let mut news = stack.local.target().news();
        stack.forget_logins().await;
        let mut seen = match stack.invoke(name, payload).await {
            Ok(answer) => json!({ "answer": readable(answer) }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        let mut arrived = Vec::new();
        while let Ok(received) = news.try_recv() {
            let mut received = serde_json::to_value(received).expect("JSON");
            without_chance(&mut received);
            if file.starts_with("cognito") {
                // Its logins have no ID of their own; ours is made of the time, too.
                received["payload"]["jti"] = "<request ID>".into();
                received["deliveryId"] = "<delivery ID>".into();
            }
            arrived.push(received);
        }
        if name != Name::Ingest {
            // What the sample target had got by then, and believed.
            arrived.sort_by_key(|received| received["payload"]["jti"].to_string());
            seen["received"] = arrived.into();
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_suffix => "" }, {
            insta::assert_json_snapshot!(format!("{folder}__{file}"), seen);
        });
    }
    stack.stop().await;
}

#[tokio::test]
async fn every_ingest_payload_has_its_answer() {
    snapshot(Name::Ingest, "ingest").await;
}

#[tokio::test]
async fn every_delivery_payload_has_its_answer() {
    snapshot(Name::Delivery, "delivery").await;
}

#[tokio::test]
async fn every_enrich_payload_has_its_answer() {
    snapshot(Name::Enrich, "enrich").await;
}

#[tokio::test]
async fn every_sweeper_payload_has_its_answer() {
    snapshot(Name::Sweeper, "sweeper").await;
}

#[test]
fn there_is_a_request_and_a_payload_for_every_event_type() {
    for kind in EventType::ALL {
        for path in ["requests", "ingest", "delivery"] {
            let file = folder(path).join(format!("{}.json", kind.name()));
            assert!(file.exists(), "{} is missing", file.display());
        }
    }
}

#[test]
fn payload_bodies_and_request_bodies_are_the_same() {
    let request = |name: &str| {
        let all = files("requests");
        all.into_iter().find(|(file, _)| file == name).expect("a request").1
    };
    let body = |payload: &Value| -> Value {
        serde_json::from_str(payload["body"].as_str().expect("a body")).expect("JSON")
    };
    let payload = |folder: &str, name: &str| {
        files(folder).into_iter().find(|(file, _)| file == name).expect("a payload").1
    };
    let mut every = Vec::new();
    for kind in EventType::ALL {
        let name = kind.name();
        assert_eq!(body(&payload("ingest", name)), request(name), "ingest/{name}");
        every.push(request(name));
    }
    assert!(same_elements(&body(&payload("ingest", "all-types")), &json!(every)));
    for (http, direct) in [
        ("http-login", "enrich-login"),
        ("http-login-block", "enrich-login-block"),
        ("http-login-challenge", "enrich-login-challenge"),
    ] {
        assert_eq!(body(&payload("enrich", http)), request(direct), "enrich/{http}");
    }
    assert_eq!(payload("enrich", "direct-login"), request("enrich-login"));
}

fn same_elements(a: &Value, b: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts: Vec<_> =
            value.as_array().expect("an array").iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    sorted(a) == sorted(b)
}

#[test]
fn queue_messages_are_what_ingest_makes_of_the_requests() {
    for kind in EventType::ALL {
        let name = kind.name();
        let delivery =
            files("delivery").into_iter().find(|(file, _)| file == name).expect("a file").1;
        let body = delivery["Records"][0]["body"].as_str().expect("a body").to_owned();
        let message: Value = serde_json::from_str(&body).expect("JSON");
        let queued = &message["EventsV1"]["events"][0];
        let request =
            files("requests").into_iter().find(|(file, _)| file == name).expect("a file").1;
        assert_eq!(
            ingested(&request, queued["acceptedAt"].as_u64().expect("a time")),
            *queued,
            "{name}"
        );
    }
}

/// What ingest puts on the queue for a request that it accepts at this time.
fn ingested(request: &Value, accepted_at_ms: u64) -> Value {
    use domain::event::Arrival;
    use domain::event_type::{EventTypeNames, Source};
    use domain::json::{Object, Pointer, Problems, Text};
    use domain::time::Timestamp;
    let text = request.to_string();
    let text = Text::check(text.as_bytes(), 32).expect("well-formed");
    let mut problems = Problems::default();
    let arrival = Arrival {
        source: Source::NextIdentity,
        accepted_at: Timestamp::from_ms(accepted_at_ms),
        names: &EventTypeNames::default(),
        dice: [0; 10],
    };
    let event = Object::read(text, Pointer::root(), &mut problems)
        .and_then(|object| Event::parse(object, arrival, &mut problems))
        .expect("a valid request");
    serde_json::to_value(event).expect("JSON")
}
