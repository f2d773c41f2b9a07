//! A subscription: one target's standing wish, read from a row that anyone may have written.
//!
//! Rows are read by an exact reader: an attribute that would narrow what is sent and that cannot
//! be honoured makes the whole row unreadable. Sending less is a log line; sending more is a leak.

mod answer_rules;
pub mod attributes;
mod change;
pub(crate) mod definition;
mod encryption;
mod enrich;
mod fields;
mod filter;
mod key;
mod retry;
pub(crate) mod row;
mod secrets;
mod verification;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::event::Event;
use crate::event_type::{Category, EventType, EventTypeNames};
use crate::id::SubscriptionId;
use crate::jose::Algorithm;
use crate::limits::ENDPOINT_URL_BYTES_MAX;
use crate::scope::Scope;

pub use self::enrich::{Action, EnrichPolicy, LastKnownGood, OnUnavailable, Unavailable};
pub use answer_rules::{AnswerRules, Binding, KeySource};
pub use change::{Change, after, changes};
pub use definition::{Definition, DefinitionProblem};
pub use encryption::Encryption;
pub use fields::Fields;
pub use filter::{Filter, Mismatch};
pub use key::SubscriptionKey;
pub use retry::RetryPolicy;
pub use row::RowProblem;
use row::{Row, expected};
pub use secrets::{SealedSecret, WebhookSecrets};
pub use verification::EndpointVerification;

/// A listening endpoint's standing wish. The attributes stand in README.md.
#[derive(Clone)]
pub struct Subscription {
    /// Unique within its scope; the row's `sk` after `SUBSCRIPTION#`.
    pub id: SubscriptionId,
    /// Whose events; the row's `pk`.
    pub scope: Scope,
    /// Which events, by category.
    pub category: Category,
    /// Where to, as written. Judged by the egress guard before every connection.
    pub endpoint: String,
    /// Whether it is served at all.
    pub enabled: bool,
    /// Whether its breaker has opened lately: `troubledAt` is there. We write it, not its owner.
    pub is_troubled: bool,
    /// See [`Subscription::verification`].
    said_of_verification: verification::Said,
    /// Which event types of the category; all of them when the row says nothing.
    pub event_types: Option<BTreeSet<EventType>>,
    /// Which of these events; all of them when the row says nothing.
    pub filter: Option<Filter>,
    /// Which members of an event's data are sent; all of them when the row says nothing.
    pub fields: Option<Fields>,
    /// How notifications are written down.
    pub format: Format,
    /// What tokens are encrypted to, once they are signed; in the clear when the row says nothing.
    pub encryption: Option<Encryption>,
    /// What tokens are signed with.
    pub signing_algorithm: Algorithm,
    /// What standard webhooks are signed with. A row may have secrets before it asks for webhooks.
    pub webhook_secrets: WebhookSecrets,
    /// How long and how often to try.
    pub retry: RetryPolicy,
    /// How answers are judged; there exactly when the category is `enrich`.
    pub enrich: Option<EnrichPolicy>,
}

/// How a subscription's notifications are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As Security Event Tokens (RFC 8417).
    Set,
    /// As standard webhooks: plain JSON, signed in a header.
    StandardWebhooks,
}

impl Format {
    /// What a row's `format` says, absent or not; `None` when it says something unknown.
    #[must_use]
    pub fn of_attribute(value: Option<&Value>) -> Option<Self> {
        let Some(value) = value else { return Some(Self::Set) };
        FORMATS.iter().find(|(name, _)| value == name).map(|(_, format)| *format)
    }
}

/// All subscriptions of a scope, as last read.
#[derive(Clone, Default)]
pub struct Subscriptions {
    /// Those that could be read, in the order of their IDs.
    pub readable: Vec<Subscription>,
    /// Rows that could not. They fail no neighbour.
    pub unreadable: Vec<UnreadableRow>,
}

/// A row that cannot be read: what is known of it, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// The row's `sk`.
    pub sort_key: String,
    /// What is wrong with it.
    pub problem: RowProblem,
    /// Whether it may be an enrich row: someone means logins to be asked about, and a typo must
    /// not let them through.
    pub means_enrich: bool,
}

impl Subscriptions {
    /// Reads the rows of a scope.
    pub fn read(
        scope: &Scope,
        rows: impl IntoIterator<Item = Map<String, Value>>,
        names: &EventTypeNames,
    ) -> Self {
        let mut read = Self::default();
        for row in rows {
            let sort_key = row.get("sk").and_then(Value::as_str).unwrap_or("(no sk)").to_owned();
            let means_enrich = means_enrich(scope, &row);
            match Subscription::read(scope, row, names) {
                Ok(subscription) => read.readable.push(subscription),
                Err(problem) => {
                    read.unreadable.push(UnreadableRow { sort_key, problem, means_enrich });
                }
            }
        }
        read.readable.sort_by(|a, b| a.id.cmp(&b.id));
        read
    }

    /// The subscription of this ID.
    #[must_use]
    pub fn find(&self, id: &SubscriptionId) -> Option<&Subscription> {
        self.readable.iter().find(|subscription| subscription.id == *id)
    }

    /// Whether there is a row of this ID that could not be read.
    #[must_use]
    pub fn has_unreadable(&self, id: &SubscriptionId) -> bool {
        let sort_key = Subscription::sort_key_of(id);
        self.unreadable.iter().any(|row| row.sort_key == sort_key)
    }
}

impl Subscription {
    /// What a row's `sk` begins with.
    pub const SORT_KEY_PREFIX: &str = "SUBSCRIPTION#";

    /// Reads one row of a scope, exactly (see the module's head). Attributes nobody knows are let be,
    /// but for those that are nearly called as one that narrows what is sent.
    pub fn read(
        scope: &Scope,
        row: Map<String, Value>,
        names: &EventTypeNames,
    ) -> Result<Self, RowProblem> {
        if let Some(attribute) = attributes::misspelt(&row) {
            return Err(expected(attribute, "a value under exactly this name, or nothing"));
        }
        let mut row = Row::new(row);
        let id = Self::id_of_sort_key(&row.required_str("sk")?)
            .ok_or(expected("sk", "SUBSCRIPTION# and 1 to 64 of A-Z, a-z, 0-9, '_' and '-'"))?;
        let category = row.required_one_of("category", &CATEGORIES)?;
        if !category_fits(category, scope) {
            return Err(expected(
                "category",
                "user_data_change under PROPERTY#, the others under CLIENT#",
            ));
        }
        let endpoint = row.required_str("endpoint")?;
        if endpoint.is_empty() || endpoint.len() > ENDPOINT_URL_BYTES_MAX {
            return Err(expected("endpoint", "a URL of at most 2,048 bytes"));
        }
        let said_of_verification = verification::Said::read(&mut row, &endpoint)?;
        let enabled = row.bool("enabled")?.ok_or(expected("enabled", "a boolean"))?;
        let event_types = read_event_types(&mut row, category, names)?;
        let signing_algorithm =
            row.one_of("signingAlg", &SIGNING_ALGORITHMS)?.unwrap_or(Algorithm::Es256);
        let format = read_format(&mut row, category)?;
        let owner = SubscriptionKey { scope: scope.clone(), subscription_id: id.clone() };
        let webhook_secrets = WebhookSecrets::read(&owner, &mut row)?;
        let encryption = Encryption::read(&mut row, format)?;
        let filter = Filter::read(&mut row, category)?;
        let fields = Fields::read(&mut row)?;
        let enrich = match category {
            Category::Enrich => Some(EnrichPolicy::read(&mut row)?),
            Category::UserDataChange | Category::TransactionalEmail => None,
        };
        let retry = RetryPolicy::read(&mut row)?;
        let is_troubled = row.take("troubledAt").is_some();
        Ok(Self {
            id,
            scope: scope.clone(),
            category,
            endpoint,
            enabled,
            is_troubled,
            said_of_verification,
            event_types,
            filter,
            fields,
            format,
            encryption,
            signing_algorithm,
            webhook_secrets,
            retry,
            enrich,
        })
    }

    /// The row's `sk`.
    #[must_use]
    pub fn sort_key(&self) -> String {
        Self::sort_key_of(&self.id)
    }

    /// The row's `sk` of the subscription of this ID.
    #[must_use]
    pub fn sort_key_of(id: &SubscriptionId) -> String {
        format!("{}{id}", Self::SORT_KEY_PREFIX)
    }

    /// Whose row that is; the other way round than [`Self::sort_key_of`].
    #[must_use]
    pub fn id_of_sort_key(sort_key: &str) -> Option<SubscriptionId> {
        SubscriptionId::parse(sort_key.strip_prefix(Self::SORT_KEY_PREFIX)?).ok()
    }

    /// Whether this event is to be delivered to this subscription.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.mismatch(event).is_none()
    }

    /// Why this event is not for this subscription; `None` when it is.
    #[must_use]
    pub fn mismatch(&self, event: &Event) -> Option<Mismatch> {
        if !self.enabled {
            Some(Mismatch::Disabled)
        } else if self.scope != event.scope {
            Some(Mismatch::Scope)
        } else if self.category != event.kind.category() {
            Some(Mismatch::Category)
        } else if self.event_types.as_ref().is_some_and(|types| !types.contains(&event.kind)) {
            Some(Mismatch::EventType)
        } else {
            self.filter.as_ref().and_then(|filter| filter.refusal(event))
        }
    }
}

/// Whether a row that cannot be read may be meant for logins: it stands under a client ID, is not
/// switched off, and is not clearly of another category. A typo must not let logins through.
fn means_enrich(scope: &Scope, row: &Map<String, Value>) -> bool {
    let is_other = row.get("category").is_some_and(|name| {
        *name == Category::TransactionalEmail.as_str() || *name == Category::UserDataChange.as_str()
    });
    let is_off = row.get("enabled") == Some(&Value::Bool(false));
    matches!(scope, Scope::Client(_)) && !is_other && !is_off
}

const CATEGORIES: [(&str, Category); 3] = [
    (Category::UserDataChange.as_str(), Category::UserDataChange),
    (Category::TransactionalEmail.as_str(), Category::TransactionalEmail),
    (Category::Enrich.as_str(), Category::Enrich),
];

/// What tokens may be signed with; without the attribute, the first.
const SIGNING_ALGORITHMS: [(&str, Algorithm); 3] =
    [("ES256", Algorithm::Es256), ("RS256", Algorithm::Rs256), ("EdDSA", Algorithm::EdDsa)];

const FORMATS: [(&str, Format); 2] =
    [("set", Format::Set), ("standard_webhooks", Format::StandardWebhooks)];

fn category_fits(category: Category, scope: &Scope) -> bool {
    match category {
        Category::UserDataChange => matches!(scope, Scope::Property(_)),
        Category::TransactionalEmail | Category::Enrich => matches!(scope, Scope::Client(_)),
    }
}

fn read_event_types(
    row: &mut Row,
    category: Category,
    names: &EventTypeNames,
) -> Result<Option<BTreeSet<EventType>>, RowProblem> {
    let Some(texts) = row.strings("eventTypes")? else { return Ok(None) };
    let of_category = |text: &String| names.parse(text).filter(|kind| kind.category() == category);
    let types: Option<BTreeSet<_>> = texts.iter().map(of_category).collect();
    types
        .filter(|types| !types.is_empty())
        .map(Some)
        .ok_or(expected("eventTypes", "one or more event types of the row's category"))
}

/// Logins are asked about in tokens alone: the answer repeats the token's `jti`.
fn read_format(row: &mut Row, category: Category) -> Result<Format, RowProblem> {
    let known = match category {
        Category::Enrich => &FORMATS[..1],
        Category::UserDataChange | Category::TransactionalEmail => &FORMATS[..],
    };
    Ok(row.one_of("format", known)?.unwrap_or(Format::Set))
}

#[cfg(test)]
mod tests;
