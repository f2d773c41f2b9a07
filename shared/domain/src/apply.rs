//! The table made equal to a set of definitions: what has to be written and deleted for it, and what
//! an owner should know before.
//!
//! Whoever keeps definitions in files is an *owner* with a name, which stands in the rows as
//! `managedBy`. A row that is defined becomes the owner's; a row of the owner's that is not defined
//! any more is deleted; every other row is let be. Nothing here reads or writes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::defined::Defined;
use crate::event_type::Category;
use crate::subscription::attributes::MANAGED_BY;
use crate::subscription::{Change, Definition, SubscriptionKey, changes};

/// A row as it was read, and what its reader needs to write it only if it is still so.
pub struct StoredRow<S, K = SubscriptionKey> {
    /// Whose, and which.
    pub key: K,
    /// All its attributes.
    pub attributes: Map<String, Value>,
    /// What was seen.
    pub seen: S,
}

impl<S, K> StoredRow<S, K> {
    /// Who keeps it in files.
    #[must_use]
    pub fn managed_by(&self) -> Option<&str> {
        self.attributes.get(MANAGED_BY).and_then(Value::as_str)
    }
}

/// One thing to be done.
pub enum Step<'a, S, D: Defined = Definition> {
    /// There is no such row yet.
    Create {
        /// What it is to be.
        definition: &'a D,
        /// All its attributes.
        changes: Vec<Change>,
    },
    /// The row is another than defined.
    Change {
        /// What it is to be.
        definition: &'a D,
        /// What it is.
        row: &'a StoredRow<S, D::Key>,
        /// What differs.
        changes: Vec<Change>,
    },
    /// The row is the owner's and is not defined any more.
    Delete {
        /// What it is.
        row: &'a StoredRow<S, D::Key>,
    },
}

impl<S, D: Defined> Step<'_, S, D> {
    /// Whose row it is about, and which.
    #[must_use]
    pub fn key(&self) -> &D::Key {
        match self {
            Self::Create { definition, .. } | Self::Change { definition, .. } => definition.key(),
            Self::Delete { row } => &row.key,
        }
    }

    /// Whether it takes a row over that somebody else wrote: by hand, or from other files.
    #[must_use]
    pub fn takes_over(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Delete { .. } => false,
            Self::Change { changes, .. } => {
                changes.iter().any(|change| change.attribute == MANAGED_BY)
            }
        }
    }
}

/// What has to be done.
pub struct Plan<'a, S> {
    /// In the order of the definitions; deletions last, so that a subscription which is renamed is
    /// there under one of its names at any time.
    pub steps: Vec<Step<'a, S>>,
    /// How many rows are as defined.
    pub unchanged: usize,
    /// How many rows are nobody's business here.
    pub others: usize,
}

/// What has to be done so that the table is as the owner's definitions say. Two definitions of one
/// subscription are the caller's to refuse.
#[must_use]
pub fn plan<'a, S>(
    definitions: &'a [Definition],
    rows: &'a [StoredRow<S>],
    owner: &str,
) -> Plan<'a, S> {
    let stored: HashMap<&SubscriptionKey, &StoredRow<S>> =
        rows.iter().map(|row| (&row.key, row)).collect();
    let defined: HashSet<&SubscriptionKey> =
        definitions.iter().map(|definition| &definition.key).collect();
    let mut plan = Plan { steps: Vec::new(), unchanged: 0, others: 0 };
    for definition in definitions {
        match stored.get(&definition.key) {
            None => {
                let changes = changes(definition, &Map::new(), Some(owner));
                plan.steps.push(Step::Create { definition, changes });
            }
            Some(row) => match changes(definition, &row.attributes, Some(owner)) {
                changes if changes.is_empty() => plan.unchanged += 1,
                changes => plan.steps.push(Step::Change { definition, row, changes }),
            },
        }
    }
    for row in rows.iter().filter(|row| !defined.contains(&row.key)) {
        if row.managed_by() == Some(owner) {
            plan.steps.push(Step::Delete { row });
        } else {
            plan.others += 1;
        }
    }
    plan
}

/// Subscriptions of one scope that send the same category to the same endpoint: every event of theirs
/// gets there as often as there are of them. Each group in the order given.
#[must_use]
pub fn twins<'a>(
    subscriptions: impl IntoIterator<Item = (&'a SubscriptionKey, Category, &'a str)>,
) -> Vec<Vec<&'a SubscriptionKey>> {
    let mut groups: BTreeMap<(String, &'static str, &str), Vec<&SubscriptionKey>> = BTreeMap::new();
    for (key, category, endpoint) in subscriptions {
        let group = (key.scope.key(), category.as_str(), endpoint);
        groups.entry(group).or_default().push(key);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_type::EventTypeNames;
    use proptest::prelude::*;
    use serde_json::json;

    fn definition(id: &str, path: &str) -> Definition {
        let document = json!({
            "property": "p", "id": id, "category": "user_data_change",
            "endpoint": format!("https://t.example.com/{path}"),
        });
        let Value::Object(document) = document else { unreachable!("it is an object") };
        Definition::read(document, &EventTypeNames::default()).map_err(|_| ()).expect("readable")
    }

    /// The row that a definition comes to.
    fn row(definition: &Definition, owner: Option<&str>) -> StoredRow<()> {
        let changes = changes(definition, &Map::new(), owner);
        let attributes =
            changes.into_iter().filter_map(|change| Some((change.attribute, change.after?)));
        StoredRow { key: definition.key.clone(), attributes: attributes.collect(), seen: () }
    }

    fn said<S>(plan: &Plan<'_, S>) -> Vec<String> {
        let say = |step: &Step<'_, S>| {
            let verb = match step {
                Step::Create { .. } => "create",
                Step::Change { .. } if step.takes_over() => "take over",
                Step::Change { .. } => "change",
                Step::Delete { .. } => "delete",
            };
            format!("{verb} {}", step.key().subscription_id)
        };
        plan.steps.iter().map(say).collect()
    }

    #[test]
    fn a_plan_changes_what_differs_and_deletes_only_what_is_its_owners() {
        let wanted = ["same", "other", "new", "by-hand"].map(|id| definition(id, "new"));
        let rows = [
            row(&definition("same", "new"), Some("git")),
            row(&definition("other", "old"), Some("git")),
            row(&definition("by-hand", "new"), None),
            row(&definition("gone", "new"), Some("git")),
            row(&definition("theirs", "new"), Some("them")),
            row(&definition("nobodys", "new"), None),
        ];
        let plan = plan(&wanted, &rows, "git");
        assert_eq!(said(&plan), ["change other", "create new", "take over by-hand", "delete gone"]);
        assert_eq!((plan.unchanged, plan.others), (1, 2));
    }

    #[test]
    fn twins_are_of_one_scope_category_and_endpoint() {
        let all = ["a", "b", "c"].map(|id| definition(id, if id == "c" { "2" } else { "1" }));
        let of = |definition: &Definition| definition.subscription.category;
        let rows = all.iter().map(|d| (&d.key, of(d), d.subscription.endpoint.as_str()));
        let groups = twins(rows);
        let ids: Vec<&str> = groups[0].iter().map(|key| key.subscription_id.as_str()).collect();
        assert_eq!((groups.len(), ids), (1, vec!["a", "b"]));
    }

    proptest! {
        /// Whatever is there, once a plan is carried out there is nothing left to do, and what was
        /// not the owner's and not defined is as it was.
        #[test]
        fn a_plan_that_is_carried_out_leaves_nothing_to_do(
            wanted in proptest::collection::btree_map("[a-e]", "[xy]", 0..5),
            stored in proptest::collection::btree_map("[a-e]", ("[xy]", 0..3_u8), 0..5),
        ) {
            let definitions: Vec<_> =
                wanted.iter().map(|(id, path)| definition(id, path)).collect();
            let owners = [None, Some("git"), Some("them")];
            let rows: Vec<_> = stored.iter().map(|(id, (path, owner))| {
                row(&definition(id, path), owners[usize::from(*owner)])
            }).collect();
            let first = plan(&definitions, &rows, "git");
            let mut after: BTreeMap<String, StoredRow<()>> = rows.iter().map(|row| {
                let copy = StoredRow {
                    key: row.key.clone(), attributes: row.attributes.clone(), seen: (),
                };
                (row.key.subscription_id.to_string(), copy)
            }).collect();
            for step in &first.steps {
                let id = step.key().subscription_id.to_string();
                match step {
                    Step::Delete { .. } => { after.remove(&id); }
                    Step::Create { changes, .. } | Step::Change { changes, .. } => {
                        let row = after.entry(id).or_insert_with(|| StoredRow {
                            key: step.key().clone(), attributes: Map::new(), seen: (),
                        });
                        for change in changes {
                            match &change.after {
                                Some(value) => {
                                    row.attributes.insert(change.attribute.clone(), value.clone());
                                }
                                None => { row.attributes.remove(&change.attribute); }
                            }
                        }
                    }
                }
            }
            let after: Vec<_> = after.into_values().collect();
            let second = plan(&definitions, &after, "git");
            prop_assert!(second.steps.is_empty());
            prop_assert_eq!(second.unchanged, definitions.len());
            for row in rows.iter().filter(|row| row.managed_by() != Some("git")) {
                if !wanted.contains_key(row.key.subscription_id.as_str()) {
                    let kept = after.iter().find(|other| other.key == row.key);
                    prop_assert_eq!(kept.map(|row| &row.attributes), Some(&row.attributes));
                }
            }
        }
    }
}
