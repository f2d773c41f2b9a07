//! An explanation in words, and as objects.

use std::io;

use domain::breaker::{Breaker, Phase};
use domain::event_type::EventTypeNames;
use domain::explain::{Explanation, Intake, Listener, Prospect, UnreadableListener};
use domain::ledger::entry::{Entry, Standing};
use domain::redrive::Found;
use serde_json::{Value, json};

use crate::console::{Console, bad, count, good, heading, moment, plain};

/// Prints an explanation: the event, then each subscription, then rows that cannot be read.
pub(super) fn all(
    explanation: &Explanation,
    names: &EventTypeNames,
    console: &Console,
) -> io::Result<()> {
    let Explanation { event_id, kind, scope, intake, listeners, unreadable } = explanation;
    let event = event_id.as_ref().map_or("an event without an ID", |id| id.as_str());
    let uri = names.uri(*kind);
    console.result(
        || {
            format!(
                "{}\n{}",
                heading(&format!("{event}  {uri}  {}", scope.key())),
                accepted(*intake)
            )
        },
        || {
            json!({
                "eventId": event_id.as_ref().map(domain::id::EventId::as_str), "type": uri,
                "scope": scope.key(), "intake": intake_object(*intake),
            })
        },
    )?;
    if !listeners.is_empty() || !unreadable.is_empty() {
        console.line(&heading(&row("SUBSCRIPTION", "FOR IT", "WHAT IS KNOWN")))?;
    }
    for listener in listeners {
        console.result(|| line(listener), || object(listener, explanation))?;
    }
    for listener in unreadable {
        console
            .result(|| unreadable_line(listener), || unreadable_object(listener, explanation))?;
    }
    Ok(())
}

fn accepted(intake: Intake) -> String {
    match intake {
        Intake::NoId => {
            "It has no ID of its own: whether it was ever posted cannot be known.".to_owned()
        }
        Intake::NotKept => {
            "Whether it was accepted is not kept: IdempotentIngest is off.".to_owned()
        }
        Intake::NotKnown => "It was not accepted in the last 24 hours.".to_owned(),
        Intake::Begun { at } => {
            format!("It was posted at {}, and may not have been stored.", moment(at))
        }
        Intake::Accepted { at } => format!("It was accepted at {}.", moment(at)),
        Intake::AnotherEvent => {
            "Its ID belongs to an event that says something else: it would be refused (409)."
                .to_owned()
        }
        Intake::NotAsked => "Whether it was accepted could not be asked.".to_owned(),
        Intake::Foretold => "Foretold from the definitions: nothing was looked up.".to_owned(),
    }
}

fn intake_object(intake: Intake) -> Value {
    let known = |state: &str| json!({ "state": state });
    let at =
        |state: &str, at: domain::time::Timestamp| json!({"state": state, "at": at.to_rfc3339()});
    match intake {
        Intake::NoId => known("no_id"),
        Intake::NotKept => known("not_kept"),
        Intake::NotKnown => known("not_known"),
        Intake::Begun { at: begun } => at("begun", begun),
        Intake::Accepted { at: accepted } => at("accepted", accepted),
        Intake::AnotherEvent => known("another_event"),
        Intake::NotAsked => known("not_asked"),
        Intake::Foretold => known("foretold"),
    }
}

fn row(subscription: &str, is_for_it: &str, known: &str) -> String {
    format!("{subscription:<20}  {is_for_it:<6}  {known}")
}

fn line(listener: &Listener) -> String {
    let Listener { subscription_id, mismatch, disablement, breaker, found, prospect, .. } =
        listener;
    let mut known = Vec::new();
    if let Some(mismatch) = mismatch {
        let ours = disablement.as_ref().map_or_else(String::new, |ours| {
            let at = ours.at.map_or_else(String::new, |at| format!(" at {}", moment(at)));
            match ours.reason.as_str() {
                "operator" => format!(", by an operator{at}"),
                reason => format!(", by us{at}: {}", plain(reason)),
            }
        });
        known.push(format!("{}{ours}", plain(&mismatch.to_string())));
    }
    known.extend(expected(prospect));
    if let Some(Found::Entry(entry)) = found {
        known.push(attempts(entry));
    }
    known.extend(breaker_words(breaker));
    // Padded before it is coloured.
    let is_for_it = if mismatch.is_none() { "yes" } else { "no" };
    let line = row(subscription_id.as_str(), is_for_it, &known.join("; "));
    match prospect {
        Prospect::Dead { .. } | Prospect::ItemUnreadable | Prospect::WillBeGivenUp { .. } => {
            bad(&line)
        }
        Prospect::NothingRecorded | Prospect::WouldBeAttempted => good(&line),
        Prospect::NotMeant
        | Prospect::WouldBeHeld
        | Prospect::Waiting { .. }
        | Prospect::WaitingToBeHeld { .. }
        | Prospect::Held { .. } => line,
    }
}

/// What is next, in words; nothing where the clause says it all.
pub(crate) fn expected(prospect: &Prospect) -> Option<String> {
    Some(match prospect {
        Prospect::NotMeant => return None,
        Prospect::WouldBeAttempted => "would be attempted at once".to_owned(),
        Prospect::WouldBeHeld => "would be held".to_owned(),
        Prospect::NothingRecorded => {
            "nothing is recorded: delivered, or not attempted yet".to_owned()
        }
        Prospect::Waiting { next_at } => format!("pending, next at {}", moment(*next_at)),
        Prospect::WaitingToBeHeld { next_at } => {
            format!("pending, next at {}, and would be held then", moment(*next_at))
        }
        Prospect::Held { since } => format!("held since {}", moment(*since)),
        Prospect::WillBeGivenUp { reason } => {
            format!("waits, and will be given up at its turn: {}", plain(&reason.to_string()))
        }
        Prospect::Dead { reason } => format!("dead: {}", plain(reason)),
        Prospect::ItemUnreadable => {
            "its item in the ledger cannot be read by this release".to_owned()
        }
    })
}

/// How often it was tried, and what the last attempt came to.
pub(crate) fn attempts(entry: &Entry) -> String {
    let attempts = count(u64::from(entry.attempt), "attempt", "attempts");
    match entry.last_outcome.as_str() {
        "" => attempts,
        outcome => format!("{attempts}, the last came to {}", plain(outcome)),
    }
}

fn breaker_words(breaker: &Breaker) -> Option<String> {
    let failing = breaker.failing_since.map_or_else(String::new, |since| {
        format!(", nothing but failures since {}", moment(since))
    });
    Some(match breaker.phase {
        Phase::Closed { .. } => return None,
        Phase::Open { until, openings } => {
            let times = count(u64::from(openings), "time", "times");
            format!("breaker open until {}, {times} in a row{failing}", moment(until))
        }
        Phase::HalfOpen { probe_until, .. } => {
            format!("breaker half-open, a probe until {}{failing}", moment(probe_until))
        }
    })
}

fn breaker_object(breaker: &Breaker) -> Value {
    let mut object = json!({
        "phase": breaker.phase.as_str(),
        "failingSince": breaker.failing_since.map(domain::time::Timestamp::to_rfc3339),
    });
    match breaker.phase {
        Phase::Closed { .. } => {}
        Phase::Open { until, openings } => {
            object["until"] = json!(until.to_rfc3339());
            object["openings"] = json!(openings);
        }
        Phase::HalfOpen { probe_until, openings } => {
            object["until"] = json!(probe_until.to_rfc3339());
            object["openings"] = json!(openings);
        }
    }
    object
}

/// What the ledger holds of a delivery.
pub(crate) fn ledger_object(found: Option<&Found>) -> Value {
    match found {
        None | Some(Found::NotThere) => Value::Null,
        Some(Found::Unreadable) => json!({"state": "unreadable"}),
        Some(Found::Entry(entry)) => {
            let mut object = json!({
                "state": entry.standing.kind().as_str(),
                "attempt": entry.attempt,
                "lastOutcome": entry.last_outcome,
                "updatedAt": entry.updated_at.to_rfc3339(),
            });
            match &entry.standing {
                Standing::Pending { next_at } => object["nextAt"] = json!(next_at.to_rfc3339()),
                Standing::Held { since } => object["heldSince"] = json!(since.to_rfc3339()),
                Standing::Dead { reason } => object["reason"] = json!(reason),
            }
            object
        }
    }
}

fn object(listener: &Listener, explanation: &Explanation) -> Value {
    let Listener { subscription_id, delivery_id, mismatch, disablement, breaker, found, prospect } =
        listener;
    json!({
        "eventId": explanation.event_id.as_ref().map(domain::id::EventId::as_str),
        "subscriptionId": subscription_id.as_str(),
        "deliveryId": delivery_id.as_ref().map(domain::id::DeliveryId::as_str),
        "matches": mismatch.is_none(),
        "clause": mismatch.as_ref().map(domain::subscription::Mismatch::code),
        "why": mismatch.as_ref().map(ToString::to_string),
        "disabledAt": disablement.as_ref().and_then(|ours| ours.at).map(domain::time::Timestamp::to_rfc3339),
        "disabledReason": disablement.as_ref().map(|ours| &ours.reason),
        "breaker": breaker_object(breaker),
        "ledger": ledger_object(found.as_ref()),
        "prospect": prospect.code(),
    })
}

fn unreadable_line(listener: &UnreadableListener) -> String {
    let UnreadableListener { row: unread, subscription_id, found, .. } = listener;
    let name = subscription_id.as_ref().map_or(&*unread.sort_key, |id| id.as_str());
    let mut known = vec![format!("the row cannot be read: {}", plain(&unread.problem.to_string()))];
    match found {
        None | Some(Found::NotThere) => {}
        Some(Found::Unreadable) => known.extend(expected(&Prospect::ItemUnreadable)),
        Some(Found::Entry(entry)) => {
            known.push(entry.standing.kind().as_str().to_owned());
            known.push(attempts(entry));
        }
    }
    bad(&row(&plain(name), "no", &known.join("; ")))
}

fn unreadable_object(listener: &UnreadableListener, explanation: &Explanation) -> Value {
    let UnreadableListener { row: unread, subscription_id, delivery_id, found } = listener;
    json!({
        "eventId": explanation.event_id.as_ref().map(domain::id::EventId::as_str),
        "row": unread.sort_key,
        "subscriptionId": subscription_id.as_ref().map(domain::id::SubscriptionId::as_str),
        "deliveryId": delivery_id.as_ref().map(domain::id::DeliveryId::as_str),
        "matches": false,
        "clause": "row_unreadable",
        "why": unread.problem.to_string(),
        "ledger": ledger_object(found.as_ref()),
    })
}
