//! Schemas and readers say the same of ten thousand texts, right ones and wrong ones.

use boon::{Compiler, SchemaIndex, Schemas};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::event::{Arrival, Event};
use crate::event_type::{EventType, EventTypeNames, Source};
use crate::json::{Object, Pointer, Problems, Text};
use crate::source::{AkamaiSource, SourceDefinition};
use crate::subscription::Definition;
use crate::time::Timestamp;

struct Schema(Schemas, SchemaIndex);

impl Schema {
    fn new(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("schema.json", schema).expect("JSON");
        let index = compiler.compile("schema.json", &mut schemas).expect("a schema");
        Self(schemas, index)
    }

    fn allows(&self, value: &Value) -> bool {
        self.0.validate(value, self.1).is_ok()
    }
}

fn reads_definition(document: &Value) -> bool {
    let Value::Object(document) = document.clone() else { return false };
    Definition::read(document, &EventTypeNames::default()).is_ok()
}

/// A value that may stand for an attribute: right for some, and wrong for most.
fn some_value() -> impl Strategy<Value = Value> {
    let values = [
        json!("mine"),
        json!("required"),
        json!("ES256"),
        json!("EdDSA"),
        json!("ES384"),
        json!("none"),
        json!(""),
        json!("a b"),
        json!("set"),
        json!("standard_webhooks"),
        json!(true),
        json!("p#1"),
        json!(0),
        json!(1),
        json!(12),
        json!(13),
        json!(199),
        json!(500),
        json!(5_000),
        json!(2_592_001),
        json!(1.5),
        json!(-1),
        json!([]),
        json!(["userUpdated"]),
        json!(["account/v1/login"]),
        json!(["user.email"]),
        json!([".a"]),
        json!(["a..b", 7]),
        json!(vec!["a"; 65]),
        json!({}),
        json!({"timeoutMs": 500, "attemptsMax": 12}),
        json!({"timeoutMs": 499}),
        json!({"tries": 1}),
        json!({"attemptsMax": 0}),
        json!({"maxAgeSeconds": 60}),
        json!({"maxAgeSeconds": "60"}),
        json!({"changedAttributes": ["email"]}),
        json!({"changedAttributes": []}),
        json!({"match": [{"attribute": "country", "anyOf": ["DE", 1, true]}]}),
        json!({"match": [{"attribute": "country", "anyOf": []}]}),
        json!({"match": [{"attribute": "a", "anyOf": [null]}]}),
        json!({"match": {}}),
        json!({"match": [{"attribute": "a", "anyOf": ["x"], "noneOf": []}]}),
        json!({"timeout": "allow", "key_set": "block"}),
        json!({"timeout": "ALLOW"}),
        json!({"x": "allow"}),
        json!("allow"),
        json!("enrich"),
        json!("https://t.example.com/h"),
        json!("x".repeat(2_049)),
    ];
    proptest::sample::select(values.to_vec())
}

fn some_definition() -> impl Strategy<Value = Value> {
    let names: Vec<&'static str> = crate::subscription::attributes::OWNED
        .iter()
        .map(|attribute| attribute.name)
        .filter(|name| !matches!(*name, "response"))
        .chain(["property", "client", "id", "endpont", "troubledAt"])
        .collect();
    let category =
        proptest::sample::select(vec!["user_data_change", "transactional_email", "enrich"]);
    let response = proptest::sample::select(vec![
        Value::Null,
        json!({"issuer": "i", "alg": "ES256", "jwksUri": "https://k.example.com/"}),
        json!({"issuer": "i", "alg": "PS256", "jwksUri": "", "binding": "optional",
            "encryption": {"alg": "RSA-OAEP-256", "enc": "A256GCM"}}),
        json!({"issuer": "", "alg": "ES256", "jwksUri": "https://k.example.com/"}),
        json!({"issuer": "i", "alg": "HS256", "jwksUri": "https://k.example.com/"}),
        json!({"issuer": "i", "alg": "ES256"}),
        json!({"issuer": "i", "alg": "ES256", "jwks": {}, "jwksUri": "https://k.example.com/"}),
        json!({"issuer": "i", "alg": "ES256", "jwksUri": "u", "encryption": {"enc": "A256GCM"}}),
        json!({"issuer": "i", "alg": "ES256", "jwksUri": "u", "encryption": {"alg": "dir"}}),
    ]);
    let changes = proptest::collection::vec((proptest::sample::select(names), some_value()), 0..3);
    (category, response, changes, any::<bool>()).prop_map(|(category, response, changes, fits)| {
        let scope = if (category == "user_data_change") == fits { "property" } else { "client" };
        let mut document = json!({
            scope: "demo", "id": "mine", "category": category, "endpoint": "https://t.example.com/h",
        });
        if !response.is_null() {
            document["response"] = response;
        }
        for (name, value) in changes {
            document[name] = value;
        }
        document
    })
}

#[test]
fn every_attribute_has_a_schema() {
    let schema = definition(&EventTypeNames::default());
    for attribute in crate::subscription::attributes::OWNED {
        assert_ne!(schema["properties"][attribute.name], json!(false), "{}", attribute.name);
    }
    for name in AkamaiSource::OWNED {
        assert_ne!(source()["properties"][name], json!(false), "{name}");
    }
}

/// A source's definition: a sound one with some members changed. What a key set holds is beyond a
/// schema, so there is none that the reader would have to judge.
fn some_source() -> impl Strategy<Value = Value> {
    let names: Vec<&'static str> = AkamaiSource::OWNED
        .into_iter()
        .filter(|name| *name != "jwks")
        .chain(["application", "property", "managedBy"])
        .collect();
    let values = [
        json!("mine"),
        json!(""),
        json!("a b"),
        json!("a#b"),
        json!("x".repeat(65)),
        json!("x".repeat(2_049)),
        json!("https://k.example.com/"),
        json!(true),
        json!(7),
        json!({"keys": []}),
        json!([]),
        json!(["a"]),
        json!(["a", ""]),
        json!(["a", 7]),
        json!(vec!["a"; 16]),
        json!(vec!["a"; 17]),
    ];
    let value = proptest::sample::select(values.to_vec());
    let changes = proptest::collection::vec((proptest::sample::select(names), value), 0..3);
    let keys = proptest::sample::select(vec![
        json!({"jwksUri": "https://k.example.com/keys"}),
        json!({"jwks": {"keys": []}, "jwksUri": "https://k.example.com/keys"}),
        json!({}),
    ]);
    (changes, keys).prop_map(|(changes, keys)| {
        let mut document = json!({"application": "a1", "propertyId": "p1", "issuer": "i"});
        let keys = keys.as_object().into_iter().flatten();
        let keys = keys.map(|(name, value)| (name.clone(), value.clone()));
        for (name, value) in keys.chain(changes.into_iter().map(|(name, to)| (name.into(), to))) {
            document[name] = value;
        }
        document
    })
}

fn reads_source(document: &Value) -> bool {
    let Value::Object(document) = document.clone() else { return false };
    SourceDefinition::read(document).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn the_schema_of_a_definition_allows_what_its_reader_does(document in some_definition()) {
        thread_local! {
            static SCHEMA: Schema = Schema::new(definition(&EventTypeNames::default()));
        }
        let allowed = SCHEMA.with(|schema| schema.allows(&document));
        prop_assert_eq!(allowed, reads_definition(&document), "{}", document);
    }

    #[test]
    fn the_schema_of_a_source_allows_what_its_reader_does(document in some_source()) {
        thread_local! {
            static SCHEMA: Schema = Schema::new(source());
        }
        let allowed = SCHEMA.with(|schema| schema.allows(&document));
        prop_assert_eq!(allowed, reads_source(&document), "{}", document);
    }

    #[test]
    fn the_schema_of_an_event_allows_what_its_reader_does(
        kind in proptest::sample::select(EventType::ALL.to_vec()),
        changes in proptest::collection::vec((
            proptest::sample::select(vec![
                "id", "type", "occurredAt", "propertyId", "clientId", "sub", "data", "more",
            ]),
            proptest::sample::select(vec![
                json!("e1"), json!(""), json!("a b"), json!("a#b"), json!(1), json!("userCreated"),
                json!("2026-11-23T10:00:00Z"), json!("2026-11-23"), json!("x".repeat(256)),
                json!({"more": 1}), json!([]), json!({"user": {"email": "a@b.c"}}),
                json!({"user": {"email": 1}}), json!({"user": 1}),
                json!({"dataSourceInfo": {"attributes": ["email"], "sub": "u"}}),
                json!({"dataSourceInfo": {"attributes": "email"}}), json!({"ip": 1}),
                json!({"verification": {"url": "u", "expiresAt": "2026-11-23T10:00:00Z"}}),
                json!({"verification": {"expiresAt": "soon"}}),
            ]),
        ), 0..3),
    ) {
        thread_local! {
            static SCHEMA: Schema = Schema::new(event(&EventTypeNames::default()));
        }
        let mut document = json!({
            "type": kind.name(), "propertyId": "p1", "clientId": "c1", "sub": "u1",
        });
        for (name, value) in changes {
            document[name] = value;
        }
        let allowed = SCHEMA.with(|schema| schema.allows(&document));
        prop_assert_eq!(allowed, reads_event(&document), "{}", document);
    }
}

fn reads_event(document: &Value) -> bool {
    let names = EventTypeNames::default();
    let (source, accepted_at) = (Source::NextIdentity, Timestamp::from_ms(1_795_428_000_000));
    let arrival = Arrival { source, accepted_at, names: &names, dice: [7; 10] };
    let text = document.to_string();
    let text = Text::check(text.as_bytes(), 32).expect("well-formed");
    let mut problems = Problems::default();
    let object = Object::read(text, Pointer::root(), &mut problems);
    let event = object.and_then(|object| Event::parse(object, arrival, &mut problems));
    event.is_some() && problems.is_empty()
}

#[test]
fn the_schema_of_a_row_allows_a_plain_row_and_unknown_attributes() {
    let schema = Schema::new(row(&EventTypeNames::default()));
    let plain = json!({
        "pk": "PROPERTY#p1", "sk": "SUBSCRIPTION#s1", "category": "user_data_change",
        "endpoint": "https://t.example.com/h", "enabled": true, "createdBy": "me",
    });
    assert!(schema.allows(&plain));
    for (name, value) in [
        ("pk", json!("CLIENT#c1")),
        ("sk", json!("SUB#1")),
        ("enabled", json!("yes")),
        ("category", json!("users")),
        ("retry", json!({"attemptsMax": 99})),
    ] {
        let mut wrong: Map<String, Value> = plain.as_object().expect("an object").clone();
        wrong.insert(name.to_owned(), value);
        assert!(!schema.allows(&Value::Object(wrong)), "{name}");
    }
}
