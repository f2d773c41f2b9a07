//! The `known-good` table: the claims that targets gave with their last allows, and the marks that
//! end their use.
//!
//! Everything about a user is under `pk` = `USER#<sub>`. `sk` = `GOOD#<client ID>#<subscription ID>`:
//! `claims` (JSON text), `at` (epoch milliseconds, when the login began), `giver` (a hash of who gave
//! them), `ttl` (epoch seconds). `sk` = `REFUSED#<client ID>` and `REVOKED`: `at`, `ttl`. What is
//! written moves `at` forward or changes nothing.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::delivery::OurFault;
use domain::enrich::last_known_good::{
    Giver, Good, Known, Place, Ports, REVOKED_KEY, Remembered, User, mark_until_s,
};
use domain::id::Sub;
use domain::time::{Deadline, Timestamp};

use crate::aws::sentence;
use crate::clock::{self, within};
use crate::failed::{Failed, in_time};
use crate::item::{Fields, held, n, s};
use crate::lazy::Lazy;

type Item = HashMap<String, AttributeValue>;

/// What is remembered of users.
#[derive(Clone)]
pub struct KnownGoodTable {
    client: Lazy<Client>,
    table: String,
}

impl KnownGoodTable {
    /// What is remembered in this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    /// Saves a memory, unless there is a later one. What could not be saved is logged, and that is
    /// all.
    pub async fn save_one(&self, memory: Remembered) {
        let Remembered { place, good, until } = memory;
        let Ok(claims) = serde_json::to_string(&good.claims) else { return };
        let mut item = mark(&place.user.sub, place.good_key(), good.at, until.as_s() + 1);
        item.insert("claims".to_owned(), s(claims));
        item.insert("giver".to_owned(), s(good.giver.as_str()));
        if let Err(Failed(error)) = Box::pin(self.put(item)).await {
            tracing::warn!(error, "claims were not saved as the last known good ones");
        }
    }

    /// Writes an item, unless the one that is there is as late.
    async fn put(&self, item: Item) -> Result<(), Failed> {
        let at = item.get("at").cloned().unwrap_or_else(|| n(0));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #at < :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", at)
            .send()
            .await;
        let _is_newer = held(put, PutItemError::is_conditional_check_failed_exception)
            .map_err(|error| Failed(sentence(&error)))?;
        Ok(())
    }

    /// Three items and not the partition: a user may have many clients.
    async fn read(&self, place: &Place) -> Result<Known, Failed> {
        let (good, refused) = (place.good_key(), place.user.refused_key());
        let partition = s(User::partition_key(&place.user.sub));
        let mut keys = KeysAndAttributes::builder().consistent_read(true);
        for sort_key in [good.as_str(), refused.as_str(), REVOKED_KEY] {
            let key = [("pk", partition.clone()), ("sk", s(sort_key))];
            keys = keys.keys(key.map(|(name, value)| (name.to_owned(), value)).into());
        }
        let keys = keys.build().map_err(|error| Failed(sentence(&error)))?;
        let get = self.client.batch_get_item().request_items(&self.table, keys).send().await;
        let output = get.map_err(|error| Failed(sentence(&error)))?;
        // A mark that was not read may be there.
        if output.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(Failed("not all items were read".to_owned()));
        }
        let items = output.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
        known(&items, &good, &refused)
    }
}

impl Ports for KnownGoodTable {
    async fn known(&self, place: &Place, from: Timestamp, by: Deadline) -> Option<Known> {
        let wait_ms = from.since_ms(clock::now());
        if wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        if by.left_ms(clock::now()) == 0 {
            // It was only to be read should the target fail early.
            return None;
        }
        let read = in_time(by, Box::pin(self.read(place))).await;
        read.inspect_err(|Failed(error)| {
            tracing::error!(error, "last known good claims could not be read");
        })
        .ok()
    }

    fn save(&self, memories: Vec<Remembered>) {
        for memory in memories {
            let table = self.clone();
            // Nobody waits for it. Lambda freezes it with its environment once the answer is out, by
            // when its request is; one that is lost is an older memory.
            tokio::spawn(async move { table.save_one(memory).await });
        }
    }

    async fn refuse(&self, user: &User, at: Timestamp, by: Deadline) -> bool {
        let item = mark(&user.sub, user.refused_key(), at, mark_until_s(at));
        // In a task of its own: a login that stops waiting for it does not stop it.
        let table = self.clone();
        let put = tokio::spawn(async move { table.put(item).await });
        let error = match within(by, put).await {
            Some(Ok(Ok(()))) => return true,
            Some(Ok(Err(Failed(error)))) => error,
            Some(Err(_)) => "its task ended early".to_owned(),
            None => "no answer in time; it goes on".to_owned(),
        };
        tracing::error!(error, "a refusal is not known to be marked; older claims may outlive it");
        false
    }

    async fn revoke(&self, sub: &Sub, at: Timestamp) -> Result<(), OurFault> {
        let item = mark(sub, REVOKED_KEY.to_owned(), at, mark_until_s(at));
        Box::pin(self.put(item)).await.map_err(|Failed(error)| {
            tracing::error!(error, "the end of a user's access was not marked");
            OurFault::KnownGood
        })
    }
}

/// What all items have. A table may delete them from the second `ttl` on.
fn mark(sub: &Sub, sort_key: String, at: Timestamp, ttl: u64) -> Item {
    let attributes = [
        ("pk", s(User::partition_key(sub))),
        ("sk", s(sort_key)),
        ("at", n(at.as_ms())),
        ("ttl", n(ttl)),
    ];
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// What items say. A memory that cannot be read is none; a mark that cannot be read may say
/// anything, and so nothing is known.
fn known(items: &[Item], good: &str, refused: &str) -> Result<Known, Failed> {
    let mut known = Known::default();
    for item in items {
        let fields = Fields(item);
        let at = fields.number("at").map(Timestamp::from_ms);
        let marked = || at.ok_or(Failed("a mark cannot be read".to_owned()));
        match fields.str("sk") {
            Some(key) if key == good => known.good = at.and_then(|at| read_good(&fields, at)),
            Some(key) if key == refused => known.refused_at = Some(marked()?),
            Some(_) | None => known.revoked_at = Some(marked()?),
        }
    }
    Ok(known)
}

fn read_good(fields: &Fields<'_>, at: Timestamp) -> Option<Good> {
    Good::read(fields.str("claims")?, at, Giver::stored(fields.str("giver")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> Item {
        let owned = |(name, value): &(&str, AttributeValue)| ((*name).to_owned(), value.clone());
        attributes.iter().map(owned).collect()
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_not_taken_for_none() {
        let good =
            item(&[("sk", s("GOOD#c#s")), ("at", n(7)), ("claims", s("{}")), ("giver", s("g"))]);
        let read = |others: &[Item]| {
            let items: Vec<Item> = std::iter::once(good.clone()).chain(others.to_vec()).collect();
            known(&items, "GOOD#c#s", "REFUSED#c").ok()
        };
        let whole = read(&[item(&[("sk", s("REFUSED#c")), ("at", n(8))])]).expect("readable");
        assert_eq!(whole.refused_at, Some(Timestamp::from_ms(8)));
        assert!(whole.good.is_some() && whole.revoked_at.is_none());
        for key in ["REFUSED#c", REVOKED_KEY] {
            assert!(read(&[item(&[("sk", s(key)), ("at", s("soon"))])]).is_none(), "{key}");
        }
    }

    #[test]
    fn a_memory_that_cannot_be_read_is_none() {
        let odd = item(&[("sk", s("GOOD#c#s")), ("at", n(7)), ("claims", s("{}"))]);
        let known = known(&[odd], "GOOD#c#s", "REFUSED#c").ok().expect("readable");
        assert!(known.good.is_none());
    }
}
