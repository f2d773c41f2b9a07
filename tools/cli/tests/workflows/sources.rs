//! Sources: defined in files, checked, shown, written on a condition, and believed by the listener.

use adapters::rows::Rows;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::CaptureApplicationId;
use domain::subscription::Change;
use local::aws::{Fault, Service};
use local::functions::Name;
use local::samples;
use serde_json::{Value, json};
use testkit::akamai::{ISSUER, LISTENER, MEDIA_TYPE, PATH, claims, event, signer, token};
use testkit::receiver::{Receiver, Reply};

use crate::stack::{Item, Said, Stack};
use crate::subscriptions::{Folder, operator};

const APPLICATION: &str = "mine-application";
const WHICH: [&str; 2] = ["--application", APPLICATION];

impl Stack {
    /// A source's row, as any client sees it.
    async fn source(&self, application: &str) -> Option<Item> {
        let get = self.local.clients().dynamodb.get_item().table_name("subscriptions");
        let pk = format!("SOURCE#akamai_identity_cloud#{application}");
        let get = get.key("pk", AttributeValue::S(pk));
        let get = get.key("sk", AttributeValue::S("CONFIG".to_owned()));
        get.send().await.expect("the table is read").item
    }

    async fn put_source(&self, file: &str, more: &[&str]) -> Said {
        self.workflows(&[&["sources", "put", file], more].concat()).await
    }

    /// What the listener answers to an event of the application.
    async fn post_set(&self, id: &str) -> Value {
        let mut updated = event("entityUpdated", id);
        updated["captureApplicationId"] = APPLICATION.into();
        let body = token(&signer(), &claims(&json!({"entityUpdated": updated})));
        let route = format!("POST {PATH}");
        let http = json!({"method": "POST", "path": PATH, "protocol": "HTTP/1.1"});
        let payload = json!({
            "version": "2.0", "routeKey": route, "rawPath": PATH, "rawQueryString": "",
            "headers": {"content-type": MEDIA_TYPE, "host": "hooks.example.com"},
            "requestContext": {"http": http, "requestId": "r1", "stage": "$default"},
            "body": body, "isBase64Encoded": false,
        });
        self.invoke(Name::Ingest, payload).await
    }
}

/// A definition with its keys behind a URL.
fn definition(jwks_uri: &str) -> String {
    format!(
        "application: {APPLICATION}\npropertyId: demo-property\nissuer: {ISSUER}\n\
         audience: {LISTENER}\njwksUri: {jwks_uri}\n"
    )
}

async fn receiver() -> Receiver {
    let receiver = Receiver::start().await;
    receiver.script("/keys", [Reply::status(200).body(signer().jwks().to_string())]);
    receiver
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_is_the_documented_row_and_its_tokens_are_believed_and_delivered() {
    let (stack, folder, receiver) = (Stack::start().await, Folder::new("source"), receiver().await);
    stack.subscribe("mine", &receiver.url("/hook"), 1).await;
    let file = folder.file("akamai.yaml", &definition(&receiver.url("/keys")));
    let said = stack.put_source(&file, &["--dry-run"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let create = format!("create application {APPLICATION} of akamai_identity_cloud");
    assert!(said.stdout.contains(&create), "{}", said.stdout);
    assert_eq!(stack.source(APPLICATION).await, None);

    let said = stack.put_source(&file, &["--output", "json"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let told = &said.objects()[0];
    assert_eq!((&told["application"], &told["answer"]), (&json!(APPLICATION), &json!("written")));
    let row = [
        ("pk", s("SOURCE#akamai_identity_cloud#mine-application")),
        ("sk", s("CONFIG")),
        ("propertyId", s("demo-property")),
        ("issuer", s(ISSUER)),
        ("audience", s(LISTENER)),
        ("jwksUri", s(&receiver.url("/keys"))),
        ("enabled", AttributeValue::Bool(true)),
    ];
    let row: Item = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(stack.source(APPLICATION).await, Some(row));

    assert_eq!(stack.post_set("e1").await["statusCode"], 202);
    let mut requests = receiver.wait_for(1).await;
    while !requests.iter().any(|request| request.path == "/hook") {
        requests = receiver.wait_for(requests.len() + 1).await;
    }
    let said = stack.put_source(&file, &[]).await;
    assert!(said.stdout.contains("1 as defined"), "{} {}", said.stdout, said.stderr);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_with_anything_wrong_writes_nothing_and_says_everything() {
    let (stack, folder, receiver) =
        (Stack::start().await, Folder::new("wrong-s"), receiver().await);
    let weak = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k",
        "x":"usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8",
        "y":"IBOL-C3BttVivg-lSreASjpkttcsz-1rb7btKLv8EX4"}]}"#;
    receiver.script("/weak", [Reply::status(200).body(weak)]);
    let good = definition(&receiver.url("/keys"));
    folder.file("a.yaml", &good);
    folder.file("b.yaml", &good);
    folder
        .file("c.yaml", "application: c\npropertyID: p\nissuer: i\njwksUri: https://k.example/\n");
    let said = stack.put_source(folder.path(), &["--yes"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    for complaint in [
        "b.yaml: is defined in",
        "c.yaml: propertyID: there is no such attribute; did you mean propertyId?",
        "c.yaml: attribute propertyId: expected a string",
        "3 things are wrong; nothing was written",
    ] {
        assert!(said.stderr.contains(complaint), "{complaint}: {}", said.stderr);
    }
    for (jwks_uri, complaint) in [
        (
            "https://169.254.169.254/keys?token=s3cret".to_owned(),
            "jwksUri: the URL must not point to",
        ),
        (
            "http://keys.example.com/?token=s3cret".to_owned(),
            "jwksUri: the URL must begin with https",
        ),
        (receiver.url("/weak?token=s3cret"), "expected a key for RS256 in it"),
    ] {
        let file = folder.file("d.yml", &definition(&jwks_uri));
        let said = stack.put_source(&file, &[]).await;
        assert_eq!(said.code, 2, "{jwks_uri}: {}", said.stderr);
        assert!(said.stderr.contains(complaint), "{complaint}: {}", said.stderr);
        assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
        assert_eq!(stack.source(APPLICATION).await, None);
    }
    let file = folder.file("d.yml", &definition(&receiver.url("/nobody")));
    receiver.script("/nobody", [Reply::status(404)]);
    assert_eq!(stack.put_source(&file, &[]).await.code, 2);
    assert_eq!(stack.put_source(&file, &["--offline"]).await.code, 0);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_listed_shown_switched_and_deleted() {
    let (stack, folder) = (Stack::start().await, Folder::new("life-s"));
    let url = "https://keys.example.com/jwk?token=s3cret";
    let file = folder.file("mine.yaml", &definition(url));
    assert_eq!(stack.put_source(&file, &["--offline"]).await.code, 0);
    let run = async |verb: &str, more: &[&str]| {
        stack.workflows(&[&["sources", verb], &WHICH[..], more].concat()).await
    };
    let said = run("get", &[]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains(url), "whole, since it is for a file: {}", said.stdout);
    let again = folder.file("again.yaml", &said.stdout);
    let said = stack.put_source(&again, &["--offline"]).await;
    assert!(said.stdout.contains("1 as defined"), "{} {}", said.stdout, said.stderr);

    let listed = async || {
        let list = ["sources", "list", "--property", "demo-property", "--output", "json"];
        let said = stack.workflows(&list).await;
        let mine = said.objects().into_iter().find(|row| row["application"] == APPLICATION);
        mine.expect("listed")["state"].clone()
    };
    let said = stack.workflows(&["sources", "list"]).await;
    assert!(
        said.stdout.contains(APPLICATION) && !said.stdout.contains("s3cret"),
        "{}",
        said.stdout
    );
    assert_eq!(listed().await, "enabled");
    assert_eq!(run("disable", &[]).await.code, 0);
    assert_eq!(listed().await, "disabled");
    let answer = stack.post_set("refused").await;
    assert_eq!(answer["statusCode"], 400, "{answer}");
    let said = stack.put_source(&file, &["--offline"]).await;
    assert!(said.stdout.contains("1 as defined"), "a file that does not say leaves it off");
    assert_eq!(run("enable", &[]).await.code, 0);
    assert!(run("enable", &[]).await.stdout.contains("is so already"));

    let other = folder.file("other.yaml", &(definition(url) + "clientId: c1\nissuer: other\n"));
    assert_eq!(stack.put_source(&other, &["--offline"]).await.code, 2, "issuer is said twice");
    let other = definition(url).replace(ISSUER, "other") + "clientId: c1\n";
    let other = folder.file("other.yaml", &other);
    let said = stack.put_source(&other, &["--offline"]).await;
    assert_eq!(said.code, 2, "nobody is there to ask: {}", said.stderr);
    assert!(said.stdout.contains("-> \"other\""), "{}", said.stdout);
    assert!(said.stdout.contains("+ clientId: \"c1\""), "{}", said.stdout);

    assert_eq!(run("delete", &[]).await.code, 2, "it asks");
    assert_eq!(run("delete", &["--yes"]).await.code, 0);
    assert_eq!(stack.source(APPLICATION).await, None);
    for verb in ["get", "enable", "disable"] {
        let said = run(verb, &[]).await;
        assert_eq!(said.code, 3, "{verb}");
        assert!(said.stdout.contains("there is no such source"), "{verb}: {}", said.stdout);
    }
    let unreadable = [("pk", s("SOURCE#akamai_identity_cloud#odd")), ("sk", s("CONFIG"))];
    let unreadable = unreadable.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    stack.put("subscriptions", unreadable).await;
    let said = stack.workflows(&["sources", "list"]).await;
    assert!(said.stdout.contains("attribute propertyId: expected a string"), "{}", said.stdout);
    stack.stop().await;
}

/// A row that somebody else changed after it was read is left as they left it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_editors_of_a_source_cannot_undo_each_other() {
    let (stack, folder) = (Stack::start().await, Folder::new("editors-s"));
    let file = folder.file("mine.yaml", &definition("https://keys.example.com/"));
    assert_eq!(stack.put_source(&file, &["--offline"]).await.code, 0);
    let rows = Rows::new(&operator(&stack), "subscriptions".to_owned());
    let key = CaptureApplicationId::parse(APPLICATION).expect("an ID");
    let say = |attribute: &str, after: &str| {
        let after = Some(Value::from(after));
        [Change { attribute: attribute.to_owned(), before: None, after }]
    };
    let first = rows.find(&key).await.expect("read").expect("there");
    let second = rows.find(&key).await.expect("read").expect("there");
    let changed = rows.write(&key, Some(&first.seen), &say("audience", "first")).await;
    assert_eq!(changed, Ok(true));
    let late = rows.write(&key, Some(&second.seen), &say("clientId", "second")).await;
    assert_eq!(late, Ok(false));
    assert_eq!(rows.delete(&second).await, Ok(false));
    assert_eq!(rows.write(&key, None, &say("clientId", "new")).await, Ok(false));
    let row = stack.source(APPLICATION).await.expect("there");
    assert_eq!((&row["audience"], row.contains_key("clientId")), (&s("first"), false));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_configured_source_of_a_property_can_emit_is_told_and_written() {
    let (stack, folder) = (Stack::start().await, Folder::new("in-vain"));
    let wish = |property: &str, id: &str, types: &str| {
        format!(
            "property: {property}\nid: {id}\ncategory: user_data_change\n\
             endpoint: https://t.example.com/{id}\nverification: none\neventTypes: [{types}]\n"
        )
    };
    // `cargo local` has a sample source of the sample property, and none of others.
    let revoked = "userRevokedPropertyAccess";
    let vain = folder.file("vain.yaml", &wish("demo-property", "vain", revoked));
    let note = format!(
        "vain of {}: no configured source of property demo-property can emit \
         account/v1/{revoked} (akamai_identity_cloud); it comes only if the platform itself emits it",
        samples::PROPERTY
    );
    for command in [vec!["subscriptions", "put", &vain], vec!["apply", &vain, "--yes"]] {
        let said = stack.workflows(&command).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(said.stderr.contains(&note), "{}", said.stderr);
    }
    assert!(stack.row("vain").await.is_some());
    for fine in [wish("demo-property", "fine", "userCreated"), wish("elsewhere", "fine", revoked)] {
        let file = folder.file("fine.yaml", &fine);
        let said = stack.workflows(&["subscriptions", "put", &file]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(!said.stderr.contains("no configured source"), "{}", said.stderr);
    }
    let off = ["sources", "disable", "--application", testkit::akamai::APPLICATION];
    assert_eq!(stack.workflows(&off).await.code, 0);
    let said = stack.workflows(&["subscriptions", "put", &vain]).await;
    assert!(!said.stderr.contains("no configured source"), "{}", said.stderr);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_of_a_table_that_cannot_be_reached_are_a_failure() {
    let (stack, folder) = (Stack::start().await, Folder::new("down-s"));
    let file = folder.file("mine.yaml", &definition("https://keys.example.com/"));
    stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    for command in [vec!["sources", "list"], vec!["sources", "put", &file, "--offline"]] {
        let said = stack.workflows(&command).await;
        assert_eq!(said.code, 1, "{command:?}: {}", said.stderr);
        assert!(said.stderr.contains("the subscriptions table could not be read"));
    }
    stack.stop().await;
}
