//! A source as its owner writes it into a file: `application`, and the attributes of its row.
//!
//! Read as exactly as a subscription's definition, and for the same reason: a row may have attributes
//! that nobody knows, a definition may not, since a name that nobody knows is a typo.

use serde_json::{Map, Value};

use super::AkamaiSource;
use crate::defined::{Defined, RowKey};
use crate::id::CaptureApplicationId;
use crate::subscription::DefinitionProblem;
use crate::subscription::attributes::nearest;
use crate::subscription::definition::{LIKENESS_MIN, take_str};

const APPLICATION: &str = "application";

/// What an owner wants of one source.
#[derive(Clone)]
pub struct SourceDefinition {
    /// Which application's events are taken in.
    pub application: CaptureApplicationId,
    /// As its row would be read.
    pub source: AkamaiSource,
    /// What its row is to have, without its key.
    pub attributes: Map<String, Value>,
}

impl SourceDefinition {
    /// Reads a definition, or says everything that is wrong with it. One that does not say whether
    /// the source is switched on leaves that as it is; a new one is.
    pub fn read(mut document: Map<String, Value>) -> Result<Self, Vec<DefinitionProblem>> {
        document.retain(|_, value| !value.is_null());
        let application = take_str(&mut document, APPLICATION);
        let application = application.and_then(|id| CaptureApplicationId::parse(&id).ok());
        let mut problems = unknown_names(&document);
        let Some(application) = application else {
            problems.push(DefinitionProblem::Application);
            return Err(problems);
        };
        let mut row = document.clone();
        row.entry("enabled").or_insert(true.into());
        match AkamaiSource::read(&application, row) {
            Ok(source) if problems.is_empty() => {
                Ok(Self { application, source, attributes: document })
            }
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(DefinitionProblem::Row(problem));
                Err(problems)
            }
        }
    }

    /// A row in the words of a definition: what its owner wrote, whatever that may be.
    #[must_use]
    pub fn of_row(
        application: &CaptureApplicationId,
        row: &Map<String, Value>,
    ) -> Map<String, Value> {
        let key = [(APPLICATION.to_owned(), application.as_str().into())];
        let written = AkamaiSource::OWNED.iter().filter_map(|name| {
            let value = row.get(*name).filter(|value| !value.is_null())?;
            Some(((*name).to_owned(), value.clone()))
        });
        key.into_iter().chain(written).collect()
    }
}

impl Defined for SourceDefinition {
    type Key = CaptureApplicationId;

    fn key(&self) -> &CaptureApplicationId {
        &self.application
    }

    fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

impl RowKey for CaptureApplicationId {
    fn owned() -> impl Iterator<Item = &'static str> {
        AkamaiSource::OWNED.into_iter()
    }

    fn to_row(&self) -> (String, String) {
        (AkamaiSource::partition_key_of(self), AkamaiSource::SORT_KEY.to_owned())
    }

    fn of_row(pk: &str, sk: &str) -> Option<Self> {
        let id = pk.strip_prefix(&AkamaiSource::partition_key_prefix())?;
        Self::parse(id).ok().filter(|_| sk == AkamaiSource::SORT_KEY)
    }
}

fn unknown_names(document: &Map<String, Value>) -> Vec<DefinitionProblem> {
    let is_unknown = |name: &&String| !AkamaiSource::OWNED.contains(&name.as_str());
    let unknown = |name: &String| DefinitionProblem::Unknown {
        name: name.clone(),
        nearest: nearest(name, AkamaiSource::OWNED.into_iter().chain([APPLICATION]), LIKENESS_MIN),
    };
    document.keys().filter(is_unknown).map(unknown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{ISSUER, application, jwks, patched, row};
    use super::*;
    use crate::subscription::changes;

    fn document() -> Value {
        json!({
            "application": "capture-app-1", "propertyId": "p1", "issuer": ISSUER, "jwks": jwks(),
        })
    }

    fn read(patch: &Value) -> Result<SourceDefinition, Vec<String>> {
        let document = patched(document(), patch).as_object().expect("an object").clone();
        SourceDefinition::read(document)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn attributes(row: &Value) -> Map<String, Value> {
        row.as_object().expect("an object").clone()
    }

    #[test]
    fn a_definition_is_a_row_with_its_key_in_words() {
        let definition = read(&json!({"description": "ours", "clientId": "c1"})).expect("readable");
        assert_eq!(definition.key(), &application());
        assert!(definition.source.enabled && !definition.attributes.contains_key("enabled"));
        let again = SourceDefinition::of_row(definition.key(), &definition.attributes);
        let again = SourceDefinition::read(again).map_err(|_| ()).expect("readable");
        assert_eq!(again.attributes, definition.attributes);
    }

    #[test]
    fn every_typo_is_told_with_what_was_meant() {
        let said = read(&json!({
            "application": "a b", "property": "p1", "jwks_uri": "x", "entityType": "user", "zzz": 1,
            "managedBy": "me",
        }));
        let mut said = said.err().expect("refused");
        said.sort();
        assert_eq!(
            said,
            [
                "application: expected a captureApplicationId of 1 to 64 printable ASCII characters",
                "entityType: there is no such attribute; did you mean entityTypes?",
                "jwks_uri: there is no such attribute; did you mean jwksUri?",
                "managedBy: there is no such attribute",
                "property: there is no such attribute; did you mean propertyId?",
                "zzz: there is no such attribute",
            ]
        );
        let said = read(&json!({"jwks": null, "propertyID": "p"})).err().expect("refused");
        let keys = "attribute jwksUri: expected either jwks, a JWK set, or jwksUri, a URL";
        assert_eq!(
            said,
            ["propertyID: there is no such attribute; did you mean propertyId?", keys]
        );
    }

    #[test]
    fn a_row_is_known_by_its_key_and_no_other_is() {
        let (pk, sk) = application().to_row();
        assert_eq!(pk, "SOURCE#akamai_identity_cloud#capture-app-1");
        assert_eq!(CaptureApplicationId::of_row(&pk, &sk), Some(application()));
        for (pk, sk) in [
            (pk.as_str(), "SUBSCRIPTION#s1"),
            ("PROPERTY#p1", "CONFIG"),
            ("SOURCE#somebody#capture-app-1", "CONFIG"),
            ("SOURCE#akamai_identity_cloud#", "CONFIG"),
        ] {
            assert_eq!(CaptureApplicationId::of_row(pk, sk), None, "{pk} {sk}");
        }
    }

    #[test]
    fn a_definition_changes_what_differs_and_leaves_the_switch_where_it_does_not_say() {
        let names = |definition: &SourceDefinition, row: &Value| {
            let changes = changes(definition, &attributes(row), None);
            changes.into_iter().map(|change| change.attribute).collect::<Vec<_>>()
        };
        let defined = |patch: &Value| read(patch).expect("readable");
        assert_eq!(names(&defined(&json!({})), &row()), [""; 0]);
        let off = patched(row(), &json!({"enabled": false, "note": "let be", "clientId": "c1"}));
        assert_eq!(names(&defined(&json!({})), &off), ["clientId"]);
        assert_eq!(names(&defined(&json!({"enabled": true})), &off), ["enabled", "clientId"]);
        let stored = patched(row(), &json!({"issuer": ["b", "a"], "entityTypes": ["x", "y"]}));
        let turned = json!({"issuer": ["a", "b"], "entityTypes": ["y", "x"]});
        assert_eq!(names(&defined(&turned), &stored), [""; 0]);
        let new = names(&defined(&json!({})), &json!({}));
        assert_eq!(new, ["propertyId", "issuer", "jwks", "enabled"]);
    }

    /// A name that only the reader or only the list knows would be honoured by the one and a typo to
    /// the other.
    #[test]
    fn every_attribute_that_the_reader_takes_is_listed() {
        let reader = include_str!("row.rs").split("#[cfg(test)]").next().unwrap_or_default();
        let mut taken = vec!["description"];
        for call in ["required_str(\"", "row.str(\"", "row.bool(\"", "row.take(\"", "(&mut row, \""]
        {
            let names = reader.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            taken.extend(names);
        }
        let mut listed = AkamaiSource::OWNED.to_vec();
        taken.sort_unstable();
        listed.sort_unstable();
        assert_eq!(taken, listed);
    }
}
