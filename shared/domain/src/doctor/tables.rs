//! The tables: keys, indexes and time to live, held against what the code reads and writes by.

use super::{Check, Finding, State, Unseen};

/// An attribute of a key: its name, and `S` or `N`.
pub type KeyAttribute = (String, String);

/// What was found of a table.
pub struct TableFacts {
    /// `ACTIVE`, when it can be used.
    pub status: String,
    /// Its key, hash first.
    pub key: Vec<KeyAttribute>,
    /// Its global indexes.
    pub indexes: Vec<IndexFacts>,
    /// The attribute by which items go, where that is switched on.
    pub ttl: Result<Option<String>, Unseen>,
    /// Whether it can be restored to a point in time.
    pub is_recoverable: Result<bool, Unseen>,
}

/// What was found of an index.
pub struct IndexFacts {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, when it can be used.
    pub status: String,
    /// Its key, hash first.
    pub key: Vec<KeyAttribute>,
    /// What it holds beside keys; `None` when it holds everything.
    pub holds: Option<Vec<String>>,
}

/// A table as the code needs it.
pub struct Table {
    /// Its name, without a prefix.
    pub name: &'static str,
    /// The parameter that switches it on, where it may be missing.
    pub switch: Option<&'static str>,
    key: &'static [(&'static str, &'static str)],
    indexes: &'static [Index],
    has_ttl: bool,
}

struct Index {
    name: &'static str,
    key: &'static [(&'static str, &'static str)],
    holds: &'static [&'static str],
}

/// All of them.
pub const TABLES: [Table; 5] = [
    Table {
        name: "subscriptions",
        switch: None,
        key: &[("pk", "S"), ("sk", "S")],
        indexes: &[],
        has_ttl: false,
    },
    Table {
        name: "deliveries",
        switch: None,
        key: &[("pk", "S")],
        indexes: &[
            Index {
                name: "due",
                key: &[("dueBucket", "N"), ("nextAt", "N")],
                holds: &["state", "attempt", "wokenUntil", "subscriptionId"],
            },
            Index {
                name: "bySubscription",
                key: &[("subscriptionId", "S"), ("updatedAt", "N")],
                holds: &[
                    "state",
                    "attempt",
                    "nextAt",
                    "reason",
                    "scope",
                    "eventId",
                    "lastOutcome",
                    "createdAt",
                ],
            },
        ],
        has_ttl: true,
    },
    Table { name: "logins", switch: None, key: &[("pk", "S")], indexes: &[], has_ttl: true },
    Table {
        name: "ingested",
        switch: Some("IdempotentIngest"),
        key: &[("pk", "S")],
        indexes: &[],
        has_ttl: true,
    },
    Table {
        name: "known-good",
        switch: Some("LastKnownGood"),
        key: &[("pk", "S"), ("sk", "S")],
        indexes: &[],
        has_ttl: true,
    },
];

const ACTIVE: &str = "ACTIVE";
const DEPLOY: &str =
    "deploy the stack, or say which one is meant (--name-prefix, --region, --profile)";
const ANEW: &str = "it is not the one that template.yaml declares: delete or rename it, and deploy";

/// Judges a table under the name that it has in this stack.
#[must_use]
pub fn judge(table: &Table, subject: &str, found: &Result<TableFacts, Unseen>) -> Vec<Finding> {
    let check = Check::Tables;
    let facts = match (found, table.switch) {
        (Ok(facts), _) => facts,
        (Err(Unseen::NotThere), Some(switch)) => {
            return vec![check.ok(subject, format!("it is not there: {switch} is disabled"))];
        }
        (Err(unseen), _) => return vec![check.unseen(subject, unseen, DEPLOY)],
    };
    let mut findings = Vec::new();
    let mut wrong = |said: String, advice: &str| {
        findings.push(check.finding(subject, State::Failed, said, advice));
    };
    if facts.status != ACTIVE {
        let said = format!("it is {} and cannot be used", facts.status);
        wrong(said, "wait until it is ACTIVE, or find out who changes it");
    }
    if !is_key(table.key, &facts.key) {
        wrong(format!("its key is {}, not {}", told(&facts.key), listed(table.key)), ANEW);
    }
    for index in table.indexes {
        if let Some(said) = flaw(index, &facts.indexes) {
            wrong(said, "deploy template.yaml again; a projection changes with a new index only");
        }
    }
    if table.has_ttl {
        findings.extend(ttl_flaw(subject, &facts.ttl));
    }
    if findings.is_empty() { vec![check.ok(subject, summary(facts))] } else { findings }
}

fn summary(facts: &TableFacts) -> String {
    let recovery = match &facts.is_recoverable {
        Ok(true) => "on".to_owned(),
        Ok(false) => "off".to_owned(),
        Err(Unseen::NotAllowed { action, on }) => {
            format!("unknown (not allowed: {action} on {on})")
        }
        Err(Unseen::NotThere | Unseen::Unanswered(_)) => "unknown".to_owned(),
    };
    format!(
        "key, indexes and time to live are as they should be; point-in-time recovery is {recovery}"
    )
}

fn ttl_flaw(subject: &str, ttl: &Result<Option<String>, Unseen>) -> Option<Finding> {
    let check = Check::Tables;
    let advice = "switch time to live on for the attribute ttl, or deploy template.yaml again";
    match ttl {
        Ok(Some(attribute)) if attribute == "ttl" => None,
        Ok(Some(attribute)) => {
            let said = format!("its items go by the attribute {attribute}, not by ttl");
            Some(check.finding(subject, State::Failed, said, advice))
        }
        Ok(None) => {
            let said = "time to live is off: what is over stays, and is paid for";
            Some(check.finding(subject, State::Failed, said, advice))
        }
        Err(unseen) => Some(check.unseen(subject, unseen, advice)),
    }
}

/// What is wrong with an index.
fn flaw(index: &Index, found: &[IndexFacts]) -> Option<String> {
    let name = index.name;
    let Some(facts) = found.iter().find(|facts| facts.name == name) else {
        return Some(format!("the index {name} is missing"));
    };
    if facts.status != ACTIVE {
        return Some(format!("the index {name} is {} and cannot be used", facts.status));
    }
    if !is_key(index.key, &facts.key) {
        return Some(format!(
            "the index {name} has the key {}, not {}",
            told(&facts.key),
            listed(index.key)
        ));
    }
    let holds = facts.holds.as_ref()?;
    let is_missing = |wanted: &&&str| !holds.iter().any(|held| held == **wanted);
    let missing: Vec<&str> = index.holds.iter().filter(is_missing).copied().collect();
    (!missing.is_empty()).then(|| format!("the index {name} does not hold {}", missing.join(", ")))
}

fn is_key(wanted: &[(&str, &str)], found: &[KeyAttribute]) -> bool {
    let pairs = || wanted.iter().zip(found);
    wanted.len() == found.len()
        && pairs().all(|(wanted, found)| wanted.0 == found.0 && wanted.1 == found.1)
}

fn told(key: &[KeyAttribute]) -> String {
    let attributes: Vec<String> =
        key.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
    attributes.join(", ")
}

fn listed(key: &[(&str, &str)]) -> String {
    let attributes: Vec<String> =
        key.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
    attributes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut TableFacts);

    fn key(of: &[(&str, &str)]) -> Vec<KeyAttribute> {
        of.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
    }

    /// A table as it should be.
    fn facts(table: &Table) -> TableFacts {
        let index = |index: &Index| IndexFacts {
            name: index.name.to_owned(),
            status: ACTIVE.to_owned(),
            key: key(index.key),
            holds: Some(index.holds.iter().map(|name| (*name).to_owned()).collect()),
        };
        TableFacts {
            status: ACTIVE.to_owned(),
            key: key(table.key),
            indexes: table.indexes.iter().map(index).collect(),
            ttl: Ok(table.has_ttl.then(|| "ttl".to_owned())),
            is_recoverable: Ok(false),
        }
    }

    fn ledger() -> Table {
        let [_, ledger, ..] = TABLES;
        ledger
    }

    /// What is said of the ledger with this wrong in it.
    fn said(spoil: impl FnOnce(&mut TableFacts)) -> Vec<(State, String)> {
        let ledger = ledger();
        let mut facts = facts(&ledger);
        spoil(&mut facts);
        let findings = judge(&ledger, "deliveries", &Ok(facts));
        findings.into_iter().map(|finding| (finding.state, finding.said)).collect()
    }

    #[test]
    fn tables_as_the_code_needs_them_are_well() {
        for table in &TABLES {
            let findings = judge(table, table.name, &Ok(facts(table)));
            assert!(findings.len() == 1 && findings[0].state == State::Ok, "{}", findings[0].said);
            assert!(findings[0].said.ends_with("point-in-time recovery is off"));
        }
        // An index that holds everything holds what is needed.
        assert_eq!(said(|facts| facts.indexes[0].holds = None)[0].0, State::Ok);
    }

    #[test]
    fn whatever_the_code_could_not_work_with_is_told() {
        let spoilt: [(Spoil, &str); 9] = [
            (|facts| facts.status = "UPDATING".to_owned(), "it is UPDATING"),
            (|facts| facts.key[0].0 = "id".to_owned(), "its key is id (S), not pk (S)"),
            (|facts| facts.key[0].1 = "N".to_owned(), "its key is pk (N), not pk (S)"),
            (|facts| facts.key.push(("sk".to_owned(), "S".to_owned())), "pk (S), sk (S), not"),
            (|facts| drop(facts.indexes.remove(0)), "the index due is missing"),
            (|facts| facts.indexes[1].status = "CREATING".to_owned(), "bySubscription is CREATING"),
            (|facts| facts.indexes[0].key.truncate(1), "due has the key dueBucket (N), not"),
            (|facts| facts.indexes[0].holds = Some(Vec::new()), "due does not hold state, attempt"),
            (|facts| facts.ttl = Ok(None), "time to live is off"),
        ];
        for (spoil, expected) in spoilt {
            let said = said(spoil);
            assert!(said.len() == 1 && said[0].0 == State::Failed, "{expected}");
            assert!(said[0].1.contains(expected), "{expected}: {}", said[0].1);
        }
        let by_another = said(|facts| facts.ttl = Ok(Some("expires".to_owned())));
        assert!(by_another[0].1.contains("by the attribute expires"));
    }

    #[test]
    fn what_is_switched_off_need_not_be_there() {
        for table in &TABLES {
            let finding = &judge(table, table.name, &Err(Unseen::NotThere))[0];
            let expected = if table.switch.is_some() { State::Ok } else { State::Failed };
            assert_eq!(finding.state, expected, "{}", table.name);
        }
    }

    #[test]
    fn who_may_not_see_whether_items_go_is_told_so() {
        let denied = |action| Unseen::NotAllowed { action, on: "table/deliveries".to_owned() };
        let hidden = said(|facts| facts.ttl = Err(denied("dynamodb:DescribeTimeToLive")));
        assert_eq!(hidden[0].0, State::NotAllowed);
        // Recovery is told, and nothing depends on it.
        let action = "dynamodb:DescribeContinuousBackups";
        let unknown = said(|facts| facts.is_recoverable = Err(denied(action)));
        assert_eq!(unknown[0].0, State::Ok);
        assert!(unknown[0].1.contains("unknown (not allowed: dynamodb:DescribeContinuousBackups"));
    }
}
