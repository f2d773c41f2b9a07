//! Definitions as people write them, with everything that may be wrong with them.

use super::*;
use serde_json::json;

fn document() -> Value {
    json!({
        "property": "p1", "id": "s1", "category": "user_data_change",
        "endpoint": "https://target.example.com/hook",
    })
}

fn read(patch: &Value) -> Result<Definition, Vec<String>> {
    let mut document = document();
    for (name, value) in patch.as_object().expect("an object") {
        document[name] = value.clone();
    }
    let Value::Object(document) = document else { unreachable!("it is an object") };
    Definition::read(document, &EventTypeNames::default())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_definition_is_a_row_with_its_key_in_words() {
    let definition = read(&json!({"description": "mine", "enabled": null})).expect("readable");
    assert_eq!(definition.key.scope.key(), "PROPERTY#p1");
    assert_eq!(definition.key.subscription_id.as_str(), "s1");
    assert!(!definition.says_enabled && definition.subscription.enabled);
    let names: Vec<&str> = definition.attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["category", "description", "endpoint"]);
    let again = Definition::of_row(&definition.key, &definition.attributes);
    let again = Definition::read(again, &EventTypeNames::default()).map_err(|_| ());
    assert_eq!(again.expect("readable").attributes, definition.attributes);
}

#[test]
fn every_typo_is_told_with_what_was_meant() {
    let said = read(&json!({
        "endpont": "x", "event_types": [], "retry": {"timeoutms": 500, "tries": 3}, "zzz": 1,
        "troubledAt": 1, "managedBy": "me", "priority": 1,
    }));
    let mut said = said.err().expect("refused");
    said.sort();
    assert_eq!(
        said,
        [
            "endpont: there is no such attribute; did you mean endpoint?",
            "event_types: there is no such attribute; did you mean eventTypes?",
            "managedBy: expected to be absent, the service writes it",
            "priority: expected to be absent, it is of the category enrich alone",
            "retry.timeoutms: there is no such attribute; did you mean timeoutMs?",
            "retry.tries: there is no such attribute",
            "troubledAt: expected to be absent, the service writes it",
            "zzz: there is no such attribute",
        ]
    );
}

#[test]
fn the_key_must_be_said_and_fit() {
    const SCOPE: &str =
        "property or client: expected one of them, an ID of 1 to 64 printable ASCII characters";
    const ID: &str = "id: expected 1 to 64 of A-Z, a-z, 0-9, '_' and '-'";
    for (patch, said) in [
        (json!({"property": null}), vec![SCOPE]),
        (json!({"client": "c1"}), vec![SCOPE]),
        (json!({"property": "a b"}), vec![SCOPE]),
        (json!({"property": 1, "id": ""}), vec![SCOPE, ID]),
        (json!({"id": null, "pk": "PROPERTY#p1"}), vec!["pk: there is no such attribute", ID]),
        (
            json!({"property": null, "client": "c1"}),
            vec![
                "attribute category: expected user_data_change under PROPERTY#, the others under CLIENT#",
            ],
        ),
    ] {
        assert_eq!(
            read(&patch).err(),
            Some(said.into_iter().map(String::from).collect()),
            "{patch}"
        );
    }
}

/// What the readers take from a row is what the table of attributes lists: a name that only one of
/// the two knows would be a typo to the one and honoured by the other.
#[test]
fn every_attribute_that_a_reader_takes_is_listed() {
    const READERS: [&str; 10] = [
        include_str!("../../subscription.rs"),
        include_str!("../answer_rules.rs"),
        include_str!("../encryption.rs"),
        include_str!("../enrich.rs"),
        include_str!("../fields.rs"),
        include_str!("../filter.rs"),
        include_str!("../retry.rs"),
        include_str!("../secrets.rs"),
        include_str!("../verification.rs"),
        include_str!("../attributes.rs"),
    ];
    let is_read = |name: &str| {
        let quoted = format!("\"{name}\"");
        READERS[..9].iter().any(|source| source.contains(&quoted))
    };
    for attribute in OWNED {
        assert!(is_read(attribute.name) || attribute.name == "description", "{}", attribute.name);
        for member in attribute.members {
            assert!(is_read(member) || attribute.name == "onUnavailable", "{member}");
        }
    }
    let taking = ["row.take(\"", "row.object(\"", "row.bool(\"", "row.one_of(\"", "row.strings(\""];
    for source in &READERS[..9] {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for call in taking {
            for taken in source.split(call).skip(1) {
                let name = taken.split('"').next().unwrap_or_default();
                let is_listed = OWNED
                    .iter()
                    .any(|attribute| attribute.name == name || attribute.members.contains(&name));
                assert!(is_listed || OURS.contains(&name), "{name} is read and not listed");
            }
        }
    }
}
