//! The round trip: a subscription and an event of our own, followed to the built-in target, and
//! nothing left behind.

use std::time::Duration;

use adapters::answer::{Heard, TurnedAway};
use adapters::api::ApiUrl;
use adapters::clock;
use adapters::doctor::TripTables;
use domain::doctor::round_trip::{Progress, SUBJECT, Traces, Trip};
use domain::doctor::{Check, Finding, State, Unseen};
use domain::event_type::EventTypeNames;

use super::Told;
use super::look::Seen;
use crate::access::Access;
use crate::console::{Console, plain};
use crate::failure::Failure;
use crate::front::Front;

/// How often the tables are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// What to do where a table is missing.
const ABOVE: &str = "see what is said of the tables above";

/// What the trip goes by.
struct Way<'a> {
    front: &'a Front,
    tables: &'a TripTables,
    names: EventTypeNames,
    timeout_ms: u64,
    console: &'a Console,
}

/// Makes the trip, tells what came of it, and deletes what it has written, whatever came of it.
pub(super) async fn run(
    (api, front): (&ApiUrl, &Front),
    seen: &Seen,
    timeout_ms: u64,
    access: &Access,
    told: &mut Told<'_>,
) -> Result<(), Failure> {
    if !seen.is_api_there {
        let said = "it was left out: the API does not answer";
        return told.tell([failed(said, "mend that first")]);
    }
    let endpoint = api.doctor().to_string();
    let trip = Trip::new(clock::dice(), endpoint, seen.algorithm);
    let trip = trip.map_err(|_| Failure::Usage("no name for the round trip could be made"))?;
    let tables = &access.trip_tables().await?;
    let (names, console) = (access.names()?, told.console);
    let way = Way { front, tables, names, timeout_ms, console };
    console.note(&format!("Sending an event of {} the whole way …", trip.scope.key()));
    // It listens from here on: what is begun below is ended below.
    let interrupted = tokio::spawn(interrupted());
    tokio::task::yield_now().await;
    let finding = if let Err(unseen) = tables.begin(&trip).await {
        Check::RoundTrip.unseen(SUBJECT, &unseen, ABOVE)
    } else {
        tokio::select! {
            finding = go(&trip, &way) => finding,
            _ = interrupted => failed("it was interrupted", "repeat the command"),
        }
    };
    let left = tables.end(&trip).await;
    told.tell([finding])?;
    told.tell(left.iter().map(|(what, unseen)| left_behind(&trip, what, unseen)))
}

async fn go(trip: &Trip, way: &Way<'_>) -> Finding {
    let began_at = clock::now();
    if let Err(finding) = post(trip, way).await {
        return finding;
    }
    loop {
        let traces = match way.tables.look(trip).await {
            Ok(traces) => traces,
            Err(unseen) => {
                return Check::RoundTrip.unseen(SUBJECT, &unseen, ABOVE);
            }
        };
        let elapsed_ms = clock::now().since_ms(began_at);
        if is_over(&traces) || elapsed_ms >= way.timeout_ms {
            return traces.conclude(elapsed_ms);
        }
        way.console.progress(|| {
            let seconds = elapsed_ms / 1_000;
            format!("{seconds} s of {} s: the event is on its way", way.timeout_ms / 1_000)
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn is_over(traces: &Traces) -> bool {
    match traces.progress() {
        Progress::UnderWay => false,
        Progress::Arrived | Progress::Lost => true,
    }
}

/// Posts the event as a producer does.
async fn post(trip: &Trip, way: &Way<'_>) -> Result<(), Finding> {
    let body = trip.event(&way.names).to_string().into_bytes();
    let heard = way.front.post(body).await;
    let said = match heard {
        Ok(Heard::Accepted(_)) => return Ok(()),
        Ok(Heard::Unavailable { .. }) => {
            return Err(failed(
                "the ingest function could not store the event on the queue events",
                "its log says why; may its role sqs:SendMessage on the queue?",
            ));
        }
        Ok(Heard::Refused { title, errors, .. }) => {
            let where_: Vec<&str> = errors.iter().map(|(pointer, _)| pointer.as_str()).collect();
            format!("the API refuses the event: {title} {}", where_.join(", "))
        }
        Ok(Heard::Strange { status, message }) => {
            return Err(turned_away(status, &message.unwrap_or_default(), way.front));
        }
        Err(failed) => format!("the event could not be posted: {failed}"),
    };
    let advice = "is the URL the stack's, and does it run this release? --event-type-names, where it \
                  renames event types";
    Err(failed(plain(&said), advice))
}

/// Somebody before the ingest function has answered.
fn turned_away(status: u16, message: &str, front: &Front) -> Finding {
    let why = TurnedAway::of(status);
    let state = match why {
        Some(TurnedAway::Unauthorized | TurnedAway::Forbidden) => State::NotAllowed,
        Some(TurnedAway::NotFound) | None => State::Failed,
    };
    let said = match (why, front.action()) {
        (Some(TurnedAway::Forbidden), Some(action)) => {
            Unseen::NotAllowed { action, on: "POST /v1/events".to_owned() }.to_string()
        }
        _ => format!("the API answered {status} to the event: {message}"),
    };
    Check::RoundTrip.finding(SUBJECT, state, plain(&said), front.advice(why))
}

fn failed(said: impl Into<String>, advice: &str) -> Finding {
    Check::RoundTrip.finding(SUBJECT, State::Failed, said, advice)
}

fn left_behind(trip: &Trip, what: &str, unseen: &Unseen) -> Finding {
    let said = format!("{what} of {} could not be deleted again: {unseen}", trip.scope.key());
    let advice = format!(
        "delete it: workflows subscriptions delete --property {} --subscription {}; what it leaves in the \
         ledger goes by itself after 30 days",
        trip.property, trip.subscription_id
    );
    Check::RoundTrip.finding(SUBJECT, State::Failed, said, advice)
}

/// Until somebody wants it to end. Where nobody can say so, forever.
async fn interrupted() {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        Some(()) = terminated() => {}
        else => std::future::pending().await,
    }
}

#[cfg(unix)]
async fn terminated() -> Option<()> {
    let terminate = tokio::signal::unix::SignalKind::terminate();
    tokio::signal::unix::signal(terminate).ok()?.recv().await
}

#[cfg(not(unix))]
async fn terminated() -> Option<()> {
    None
}
