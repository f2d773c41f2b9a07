//! The `logins` table: which requests are being decided, and what was decided lately.
//!
//! Attributes: `pk` (`REQUEST#<scope key>#<request ID>`), `login` (a hash of what was asked), `owner`
//! (the decision's ID), `until` (epoch milliseconds: the end of the owner's turn, or until when the
//! decision is answered again), `decision` (JSON text, once there is one; it holds claims), `ttl`
//! (epoch seconds). `DynamoDB` deletes an item up to days after its time; for us it is gone at once.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::enrich::Decision;
use domain::enrich::once::{Asking, Entry, Kept, Ports, Taken, Turn};
use domain::time::{Deadline, Timestamp};

use crate::aws::sentence;
use crate::clock;
use crate::failed::{Failed, in_time};
use crate::item::{Fields, held, n, s};
use crate::lazy::Lazy;

/// How long whoever waits for a decision waits at first before it looks again; doubled each time.
const LOOK_MS: u64 = 20;
/// The longest wait between two looks.
const LOOK_MAX_MS: u64 = 100;
/// The shortest. Towards the end looks come closer together: an owner whose target hangs decides at
/// its deadline, and whoever came soon after it has not much longer.
const LOOK_MIN_MS: u64 = 5;

/// The logins that are known.
pub struct LoginsTable {
    client: Lazy<Client>,
    table: String,
}

impl LoginsTable {
    /// The logins in this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    async fn try_take(
        &self,
        asking: &Asking,
        turn: &Turn,
        now: Timestamp,
    ) -> Result<Taken, Failed> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(asking.key()))
            .item("login", s(asking.login.as_str()))
            .item("owner", s(&turn.owner))
            .item("until", n(turn.until.as_ms()))
            .item("ttl", n(expiry_s(turn.until)))
            .condition_expression("attribute_not_exists(pk) OR #until <= :now")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":now", n(now.as_ms()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Taken::Mine),
            Err(SdkError::ServiceError(refused)) => match refused.into_err() {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    let entry = read(&failed.item.unwrap_or_default());
                    let entry = entry.ok_or(Failed("an item cannot be read".to_owned()))?;
                    Ok(entry.said_to(asking, &turn.owner))
                }
                error => Err(Failed(sentence(&error))),
            },
            Err(error) => Err(Failed(sentence(&error))),
        }
    }

    async fn look(&self, asking: &Asking) -> Result<Option<Decision>, Failed> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(asking.key()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failed(sentence(&error)))?;
        Ok(get.item.as_ref().and_then(read).and_then(|entry| entry.decided(asking)))
    }

    async fn try_keep(
        &self,
        asking: &Asking,
        decision: &Decision,
        until: Timestamp,
    ) -> Result<Kept, Failed> {
        let text = serde_json::to_string(decision)
            .map_err(|_| Failed("the decision cannot be written".to_owned()))?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(asking.key()))
            .update_expression("SET decision = :decision, #until = :until, #ttl = :ttl")
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":decision", s(text))
            .expression_attribute_values(":until", n(until.as_ms()))
            .expression_attribute_values(":ttl", n(expiry_s(until)))
            .expression_attribute_values(":owner", s(&decision.decision_id))
            .send()
            .await;
        let is_ours = held(update, UpdateItemError::is_conditional_check_failed_exception)
            .map_err(|error| Failed(sentence(&error)))?;
        Ok(if is_ours { Kept::Kept } else { Kept::Lost })
    }
}

impl Ports for LoginsTable {
    async fn take(&self, asking: &Asking, turn: &Turn, now: Timestamp, by: Deadline) -> Taken {
        match in_time(by, Box::pin(self.try_take(asking, turn, now))).await {
            Ok(taken) => taken,
            Err(Failed(error)) => {
                tracing::error!(error, "the table of logins could not be asked");
                Taken::Unknown
            }
        }
    }

    async fn decided(&self, asking: &Asking, by: Deadline) -> Option<Decision> {
        let mut wait_ms = LOOK_MS;
        loop {
            match in_time(by, Box::pin(self.look(asking))).await {
                Ok(Some(decision)) => return Some(decision),
                Ok(None) => {}
                Err(Failed(error)) => tracing::warn!(error, "a decision could not be looked for"),
            }
            let left_ms = by.left_ms(clock::now());
            if left_ms == 0 {
                return None;
            }
            let pause_ms = wait_ms.min(left_ms / 2).max(LOOK_MIN_MS);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            wait_ms = (wait_ms * 2).min(LOOK_MAX_MS);
        }
    }

    async fn keep(
        &self,
        asking: &Asking,
        decision: &Decision,
        until: Timestamp,
        by: Deadline,
    ) -> Kept {
        let decision_id = &decision.decision_id;
        match in_time(by, Box::pin(self.try_keep(asking, decision, until))).await {
            Ok(kept) => kept,
            Err(Failed(error)) => {
                tracing::error!(
                    decision_id,
                    error,
                    "a decision was not noted; asked about again, the login is decided anew"
                );
                Kept::Unknown
            }
        }
    }
}

/// When the table may delete an item: in whole seconds, and not before its time.
fn expiry_s(until: Timestamp) -> u64 {
    until.as_s() + 1
}

/// An item that we wrote. One whose decision this release cannot read is none.
fn read(item: &HashMap<String, AttributeValue>) -> Option<Entry> {
    let fields = Fields(item);
    let decision = match fields.str("decision") {
        Some(text) => Some(Decision::read(text)?),
        None => None,
    };
    let turn = Turn {
        owner: fields.str("owner")?.to_owned(),
        until: Timestamp::from_ms(fields.number("until")?),
    };
    Some(Entry { login: fields.str("login")?.to_owned(), turn, decision })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> HashMap<String, AttributeValue> {
        let owned = |(name, value): &(&str, AttributeValue)| ((*name).to_owned(), value.clone());
        attributes.iter().map(owned).collect()
    }

    #[test]
    fn an_item_that_cannot_be_read_is_none() {
        let whole = [("login", s("hash")), ("owner", s("d1")), ("until", n(7))];
        let entry = read(&item(&whole)).expect("readable");
        assert_eq!((entry.turn.until.as_ms(), entry.decision.is_none()), (7, true));
        for missing in 0..whole.len() {
            let mut attributes = whole.to_vec();
            attributes.remove(missing);
            assert!(read(&item(&attributes)).is_none(), "without {}", whole[missing].0);
        }
        let mut strange = whole.to_vec();
        strange.push(("decision", s(r#"{"action":"perhaps"}"#)));
        assert!(read(&item(&strange)).is_none(), "of another release");
    }

    #[test]
    fn the_table_deletes_nothing_before_its_time() {
        assert_eq!(expiry_s(Timestamp::from_ms(1_999)), 2);
        assert_eq!(expiry_s(Timestamp::from_ms(2_000)), 3);
    }
}
