//! The `ingested` table: which events were posted in the last 24 hours, under which IDs.
//!
//! Attributes: `pk` (`<scope key>#<event ID>`), `bodyHash`, `state` (`pending` or `sent`), `token`
//! (of the call that wrote the item), `ttl` (epoch seconds). `DynamoDB` deletes an item up to days
//! after its time; for us it is gone at once.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::explain::Intake;
use domain::ingest::{Begun, Posting, known_until_s, noted_at};
use domain::limits::INGEST_AT_ONCE;
use domain::time::{Deadline, Timestamp};
use futures_util::stream::{self, StreamExt as _};

use crate::aws::sentence;
use crate::clock;
use crate::item::{Fields, held, n, s};
use crate::lazy::Lazy;

const PENDING: &str = "pending";
const SENT: &str = "sent";

/// The events that ingest knows.
pub struct IngestedTable {
    client: Lazy<Client>,
    table: String,
}

/// Why a call came to nothing, in public sentences.
struct Failed(String);

impl IngestedTable {
    /// The events in this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    /// Begins postings, as [`domain::ingest::Ports::begin`] says.
    pub async fn begin(&self, postings: &[Posting], now: Timestamp, by: Deadline) -> Vec<Begun> {
        let answers = all(by, postings.iter().map(|posting| self.begin_one(posting, now))).await;
        let begun = settled(answers, "the table of ingested events could not be asked");
        let begun: Vec<Begun> =
            begun.into_iter().map(|answer| answer.unwrap_or(Begun::Unknown)).collect();
        let repeated = begun.iter().filter(|begun| **begun == Begun::Sent).count();
        if repeated > 0 {
            tracing::info!(repeated, "events were posted again and are not sent again");
        }
        begun
    }

    /// Notes postings as sent, as [`domain::ingest::Ports::mark_sent`] says.
    pub async fn mark_sent(&self, postings: &[Posting], now: Timestamp, by: Deadline) {
        let answers = all(by, postings.iter().map(|posting| self.mark_one(posting, now))).await;
        settled(answers, "events could not be noted as sent; if they are repeated, they are sent");
    }

    /// What is known of a posting at this moment. It changes nothing.
    pub async fn look(&self, posting: &Posting, now: Timestamp) -> Intake {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(posting.key()))
            .consistent_read(true)
            .send()
            .await;
        match get {
            Ok(output) => output.item.map_or(Intake::NotKnown, |item| intake(&item, posting, now)),
            // A stack has the table only with `IdempotentIngest`.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetItemError::is_resource_not_found_exception) =>
            {
                Intake::NotKept
            }
            Err(error) => {
                tracing::warn!(
                    error = sentence(&error),
                    "the table of ingested events could not be asked"
                );
                Intake::NotAsked
            }
        }
    }

    async fn begin_one(&self, posting: &Posting, now: Timestamp) -> Result<Begun, Failed> {
        // The SDK repeats a call whose answer got lost. By its token a call knows its own item.
        let token = u64::from_ne_bytes(clock::dice()).to_string();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(posting.key()))
            .item("bodyHash", s(posting.body.as_str()))
            .item("state", s(PENDING))
            .item("token", s(&token))
            .item("ttl", n(known_until_s(now)))
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", n(now.as_s()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Begun::New),
            Err(SdkError::ServiceError(refused)) => match refused.into_err() {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    known(&failed.item.unwrap_or_default(), posting, &token)
                }
                error => Err(Failed(sentence(&error))),
            },
            Err(error) => Err(Failed(sentence(&error))),
        }
    }

    async fn mark_one(&self, posting: &Posting, now: Timestamp) -> Result<(), Failed> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(posting.key()))
            .update_expression("SET #state = :sent, #ttl = :ttl")
            .condition_expression("bodyHash = :hash")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":sent", s(SENT))
            .expression_attribute_values(":hash", s(posting.body.as_str()))
            .expression_attribute_values(":ttl", n(known_until_s(now)))
            .send()
            .await;
        // Where the condition did not hold, the ID has expired meanwhile, and may be another's.
        let _is_ours = held(update, UpdateItemError::is_conditional_check_failed_exception)
            .map_err(|error| Failed(sentence(&error)))?;
        Ok(())
    }
}

/// What an item that was there already says of a posting.
fn known(
    item: &HashMap<String, AttributeValue>,
    posting: &Posting,
    token: &str,
) -> Result<Begun, Failed> {
    let fields = Fields(item);
    let unreadable = || Failed("an item cannot be read".to_owned());
    let hash = fields.str("bodyHash").ok_or_else(unreadable)?;
    match fields.str("state") {
        _ if hash != posting.body.as_str() => Ok(Begun::Conflict),
        Some(PENDING) if fields.str("token") == Some(token) => Ok(Begun::New),
        Some(PENDING) => Ok(Begun::Pending),
        Some(SENT) => Ok(Begun::Sent),
        Some(_) | None => Err(unreadable()),
    }
}

/// What an item says of a posting that is not made.
fn intake(item: &HashMap<String, AttributeValue>, posting: &Posting, now: Timestamp) -> Intake {
    let fields = Fields(item);
    let (Some(hash), Some(state), Some(until_s)) =
        (fields.str("bodyHash"), fields.str("state"), fields.number::<u64>("ttl"))
    else {
        return Intake::NotAsked;
    };
    let at = noted_at(until_s);
    match state {
        _ if until_s <= now.as_s() => Intake::NotKnown,
        _ if hash != posting.body.as_str() => Intake::AnotherEvent,
        PENDING => Intake::Begun { at },
        SENT => Intake::Accepted { at },
        _ => Intake::NotAsked,
    }
}

/// What calls come to by the deadline, in their order: all at once, but not more than the limit.
async fn all<T>(
    by: Deadline,
    calls: impl Iterator<Item = impl Future<Output = Result<T, Failed>>>,
) -> Vec<Result<T, Failed>> {
    let numbered = calls.enumerate().map(|(index, call)| async move { (index, call.await) });
    let numbered: Vec<_> = numbered.collect();
    let mut answers: Vec<Result<T, Failed>> =
        numbered.iter().map(|_| Err(Failed("no answer in time".to_owned()))).collect();
    let mut calls = stream::iter(numbered).buffer_unordered(INGEST_AT_ONCE);
    while let Some(Some((index, answer))) = clock::within(by, calls.next()).await {
        answers[index] = answer;
    }
    answers
}

/// The answers that came. Of those that did not, one line says how many and why the first.
fn settled<T>(answers: Vec<Result<T, Failed>>, what_failed: &'static str) -> Vec<Option<T>> {
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    if let Some(Failed(error)) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        tracing::error!(failed, error, "{what_failed}");
    }
    answers.into_iter().map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use domain::ingest::GivenBy;

    use super::*;

    fn posting() -> Posting {
        let event = r#"{"id":"e1","type":"newDevice","source":"next_identity","occurredAt":1,
            "acceptedAt":2,"scope":"CLIENT#c1","clientId":"c1","data":{}}"#;
        Posting::of(&serde_json::from_str(event).expect("an event"), GivenBy::Producer)
    }

    /// What is known of the posting by an item with these attributes; `None` when that cannot be
    /// read.
    fn known_by(hash: &str, state: &str, token: &str) -> Option<Begun> {
        let attributes = [("bodyHash", hash), ("state", state), ("token", token)];
        let item = attributes.map(|(name, value)| (name.to_owned(), s(value))).into();
        known(&item, &posting(), "mine").ok()
    }

    #[test]
    fn a_put_that_the_sdk_repeated_knows_its_own_item() {
        let posting = posting();
        let same = posting.body.as_str();
        assert_eq!(known_by(same, PENDING, "mine"), Some(Begun::New));
        assert_eq!(known_by(same, PENDING, "another's"), Some(Begun::Pending));
        assert_eq!(known_by(same, SENT, "mine"), Some(Begun::Sent));
        assert_eq!(known_by("other", PENDING, "another's"), Some(Begun::Conflict));
        assert_eq!(known_by("other", SENT, "another's"), Some(Begun::Conflict));
    }

    #[test]
    fn an_item_that_cannot_be_read_says_nothing() {
        assert_eq!(known_by(posting().body.as_str(), "half", "mine"), None);
        assert!(known(&HashMap::new(), &posting(), "mine").is_err());
    }

    #[test]
    fn a_look_says_when_an_event_was_accepted_and_forgets_what_has_expired() {
        let posting = posting();
        let noted_at = Timestamp::from_ms(1_795_428_000_000);
        let look = |hash: &str, state: &str, now| {
            let mut item: HashMap<_, _> = [("bodyHash", hash), ("state", state)]
                .map(|(name, value)| (name.to_owned(), s(value)))
                .into();
            item.insert("ttl".to_owned(), n(known_until_s(noted_at)));
            intake(&item, &posting, now)
        };
        let (same, soon) = (posting.body.as_str(), noted_at.plus_ms(5_000));
        assert_eq!(look(same, SENT, soon), Intake::Accepted { at: noted_at });
        assert_eq!(look(same, PENDING, soon), Intake::Begun { at: noted_at });
        assert_eq!(look("other", SENT, soon), Intake::AnotherEvent);
        assert_eq!(look(same, "half", soon), Intake::NotAsked);
        assert_eq!(look(same, SENT, noted_at.plus_ms(86_400_000)), Intake::NotKnown);
        assert_eq!(intake(&HashMap::new(), &posting, soon), Intake::NotAsked);
    }

    #[tokio::test]
    async fn calls_run_at_once_within_the_limit_and_answer_in_their_order() {
        let (under_way, most) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let calls = (0..100).map(|index| {
            let (under_way, most) = (&under_way, &most);
            async move {
                under_way.set(under_way.get() + 1);
                most.set(most.get().max(under_way.get()));
                tokio::task::yield_now().await;
                under_way.set(under_way.get() - 1);
                Ok(index)
            }
        });
        let by = Deadline::at(Timestamp::from_ms(u64::MAX));
        let answers = settled(all(by, calls).await, "nothing");
        assert_eq!(answers, (0..100).map(Some).collect::<Vec<_>>());
        assert_eq!(most.get(), INGEST_AT_ONCE);
    }
}
