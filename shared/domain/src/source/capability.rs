//! What sources can emit, and what a subscription waits for in vain.
//!
//! A third party can emit what it sends, and nothing else; a subscription to anything more is no
//! mistake, but whoever writes it should hear that nothing will come.

use super::AkamaiSource;
use crate::event_type::{EventType, EventTypeNames, Source};
use crate::id::PropertyId;
use crate::scope::Scope;
use crate::subscription::Subscription;

/// An event type that a subscription listens to and that none of its scope's sources can emit. Its
/// text is a sentence for whoever wrote the subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no configured source of {} can emit {uri}{}", shown(scope), among(sources))]
pub struct InVain {
    /// The subscription's scope.
    pub scope: Scope,
    /// What is waited for.
    pub kind: EventType,
    /// What it is called here.
    pub uri: String,
    /// The sources that are configured.
    pub sources: Vec<Source>,
}

fn shown(scope: &Scope) -> String {
    match scope {
        Scope::Property(id) => format!("property {id}"),
        Scope::Client(id) => format!("client {id}"),
    }
}

fn among(sources: &[Source]) -> String {
    let names: Vec<_> = sources.iter().map(|source| source.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// The third parties' sources of a property, as their rows say; those that are switched off do not
/// count. Whether the platform itself is a source of it stands in no row: whoever asks knows.
#[must_use]
pub fn configured(rows: &[AkamaiSource], property: &PropertyId) -> Vec<Source> {
    let is_one = |row: &AkamaiSource| row.enabled && row.property_id == *property;
    rows.iter().any(is_one).then_some(Source::AkamaiIdentityCloud).into_iter().collect()
}

/// What a subscription waits for in vain, when these are the sources of its scope: one warning for
/// each event type, in the order of the table.
///
/// A subscription that names its event types is held to each of them. One that listens to its whole
/// category gets what there is, and is warned only if that is nothing.
#[must_use]
pub fn warnings(
    subscription: &Subscription,
    sources: &[Source],
    names: &EventTypeNames,
) -> Vec<InVain> {
    let can_come = |kind: &EventType| sources.iter().any(|source| kind.is_emitted_by(*source));
    let of_category = |kind: &&EventType| kind.category() == subscription.category;
    let wanted: Vec<EventType> = match &subscription.event_types {
        Some(own) => EventType::ALL.iter().copied().filter(|kind| own.contains(kind)).collect(),
        None => EventType::ALL.iter().filter(of_category).copied().collect(),
    };
    let gets_what_there_is = subscription.event_types.is_none() && wanted.iter().any(can_come);
    if gets_what_there_is {
        return Vec::new();
    }
    let in_vain = |kind: EventType| InVain {
        scope: subscription.scope.clone(),
        kind,
        uri: names.uri(kind).to_owned(),
        sources: sources.to_vec(),
    };
    wanted.into_iter().filter(|kind| !can_come(kind)).map(in_vain).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::source_with;
    use super::*;

    fn subscription(scope: &str, category: &str, patch: &Value) -> Subscription {
        let mut row = json!({
            "sk": "SUBSCRIPTION#s1", "category": category, "enabled": true,
            "endpoint": "https://target.example.com/hook",
        });
        for (name, value) in patch.as_object().expect("an object") {
            row[name] = value.clone();
        }
        let scope = Scope::try_from(scope.to_owned()).expect("a scope");
        let row = row.as_object().expect("an object").clone();
        Subscription::read(&scope, row, &EventTypeNames::default()).expect("a readable row")
    }

    fn said(subscription: &Subscription, sources: &[Source]) -> Vec<String> {
        let warnings = warnings(subscription, sources, &EventTypeNames::default());
        warnings.iter().map(ToString::to_string).collect()
    }

    const AKAMAI: [Source; 1] = [Source::AkamaiIdentityCloud];

    #[test]
    fn an_event_that_no_source_of_a_property_can_emit_is_named() {
        let types = json!({"eventTypes": ["userRevokedPropertyAccess", "userCreated"]});
        let named = subscription("PROPERTY#p1", "user_data_change", &types);
        assert_eq!(
            said(&named, &AKAMAI),
            ["no configured source of property p1 can emit \
              account/v1/userRevokedPropertyAccess (akamai_identity_cloud)"]
        );
        assert_eq!(
            said(&named, &[]),
            [
                "no configured source of property p1 can emit account/v1/userRevokedPropertyAccess",
                "no configured source of property p1 can emit account/v1/userCreated",
            ]
        );
        assert!(said(&named, &[Source::AkamaiIdentityCloud, Source::NextIdentity]).is_empty());
    }

    #[test]
    fn who_listens_to_a_whole_category_is_warned_when_nothing_of_it_can_come() {
        let all = subscription("PROPERTY#p1", "user_data_change", &json!({}));
        assert!(said(&all, &AKAMAI).is_empty());
        let mails = subscription("CLIENT#c1", "transactional_email", &json!({}));
        let warned = said(&mails, &AKAMAI);
        assert_eq!(warned.len(), 6);
        let first = "no configured source of client c1 can emit account/v1/preRegistration";
        assert_eq!(warned[0], format!("{first} (akamai_identity_cloud)"));
        assert!(said(&mails, &[Source::NextIdentity]).is_empty());
    }

    #[test]
    fn the_sources_of_a_property_are_its_rows_that_are_switched_on() {
        let rows =
            [source_with(&json!({})), source_with(&json!({"propertyId": "p2", "enabled": false}))];
        let of = |id: &str| configured(&rows, &PropertyId::parse(id).expect("an ID"));
        assert_eq!(of("p1"), AKAMAI);
        assert!(of("p2").is_empty() && of("p3").is_empty());
    }
}
