//! Breakers in the `deliveries` table, shared by all execution environments, written by
//! compare-and-set.
//!
//! Attributes: `pk` (`BREAKER#<scope key>#<subscription ID>`), `breaker` (JSON text), `state`
//! (`closed`, `open`, `half_open`), `revision`, `writer`; `dueBucket` and `nextAt` while the sweeper
//! is to look at it, else `ttl`.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::breaker::{Breaker, BreakerKey, BreakerWrite, Ports};
use domain::delivery::OurFault;
use domain::ledger::BREAKER_BUCKET;
use domain::limits::BREAKER_LINGER_MS;

use crate::aws::sentence;
use crate::clock;
use crate::item::{Fields, held, n, s};
use crate::lazy::Lazy;

type Item = HashMap<String, AttributeValue>;

/// The breakers in this table.
pub struct Breakers {
    client: Lazy<Client>,
    table: String,
}

impl Breakers {
    /// The breakers in this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }
}

impl Ports for Breakers {
    async fn of(&self, key: &BreakerKey) -> Result<Breaker, OurFault> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(key.to_string()))
            .consistent_read(true)
            .send()
            .await;
        let output = get.map_err(|error| unavailable(&error))?;
        Ok(output.item.as_ref().map(read).unwrap_or_default())
    }

    async fn write(
        &self,
        key: &BreakerKey,
        from: &Breaker,
        breaker: &Breaker,
    ) -> Result<BreakerWrite, OurFault> {
        // The SDK repeats a call whose answer got lost. By its token a writer knows its own item.
        let writer = u64::from_ne_bytes(clock::dice()).to_string();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(key, breaker, &writer)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = if *from == Breaker::default() {
            put.condition_expression("attribute_not_exists(pk)")
        } else if from.revision == 0 {
            // There, without a revision that anybody could go by.
            put.condition_expression("NOT attribute_type(revision, :number)")
                .expression_attribute_values(":number", s("N"))
        } else {
            put.condition_expression("revision = :from")
                .expression_attribute_values(":from", n(from.revision))
        };
        match put.send().await {
            Ok(_) => Ok(BreakerWrite::Written),
            Err(SdkError::ServiceError(refused)) => match refused.into_err() {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    let item = failed.item.unwrap_or_default();
                    let is_ours = Fields(&item).str("writer") == Some(&writer);
                    Ok(if is_ours {
                        BreakerWrite::Written
                    } else {
                        BreakerWrite::Stands(read(&item))
                    })
                }
                error => Err(unavailable(&error)),
            },
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn forget(&self, key: &BreakerKey, breaker: &Breaker) -> Result<(), OurFault> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(key.to_string()))
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", n(breaker.revision))
            .send()
            .await;
        // Changed meanwhile, it is of use again.
        let _is_gone = held(delete, DeleteItemError::is_conditional_check_failed_exception)
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }
}

fn unavailable(error: &(impl std::error::Error + 'static)) -> OurFault {
    tracing::error!(error = sentence(error), "a breaker could not be read or written");
    OurFault::Ledger
}

/// What cannot be read counts as closed, with deliveries that may be held; the next write mends it.
fn read(item: &Item) -> Breaker {
    if item.is_empty() {
        return Breaker::default();
    }
    let fields = Fields(item);
    let revision = fields.number("revision").unwrap_or_default();
    let read = fields.str("breaker").and_then(|text| serde_json::from_str::<Breaker>(text).ok());
    if let Some(breaker) = read {
        return Breaker { revision, ..breaker };
    }
    tracing::error!(pk = fields.str("pk"), "a breaker cannot be read and counts as closed");
    Breaker::unreadable(revision)
}

fn to_item(key: &BreakerKey, breaker: &Breaker, writer: &str) -> Result<Item, OurFault> {
    let text = serde_json::to_string(breaker).map_err(|_| OurFault::Ledger)?;
    let mut item = Item::from([
        ("pk".to_owned(), s(key.to_string())),
        ("state".to_owned(), s(breaker.phase.as_str())),
        ("breaker".to_owned(), s(text)),
        ("revision".to_owned(), n(breaker.revision)),
        ("writer".to_owned(), s(writer)),
    ]);
    if let Some(check_at) = breaker.check_at {
        item.insert("dueBucket".to_owned(), n(BREAKER_BUCKET));
        item.insert("nextAt".to_owned(), n(check_at.as_ms()));
    } else {
        let ttl = clock::now().plus_ms(BREAKER_LINGER_MS).as_s();
        item.insert("ttl".to_owned(), n(ttl));
    }
    Ok(item)
}
