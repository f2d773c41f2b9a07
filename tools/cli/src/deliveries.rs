//! `workflows deliveries`: the ledger, listed, looked at and redriven. No command loads an event.

mod redrive;

use adapters::clock;
use clap::{Args, Subcommand, ValueEnum};
use domain::id::{DeliveryId, InvalidId};
use domain::ledger::Death;
use domain::ledger::entry::{Entry, Standing, StandingKind};
use domain::redrive::{Found, Ports};
use serde_json::{Value, json};

use crate::access::Access;
use crate::console::{Console, bad, count, heading, moment, plain};
use crate::failure::{Failure, Finished};
use crate::filter::FilterArguments;

/// Deliveries that are not done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List deliveries: of one subscription oldest first, else in no order
    #[command(after_help = "An empty list is an answer: exit code 0.

Examples:
  workflows deliveries list --subscription mine
  workflows deliveries list --reason exhausted --since 2h --output json
  workflows deliveries list --state pending --client demo-client")]
    List(List),
    /// Show one delivery: where it stands, and how it was given up before
    Show {
        /// Its ID, `dlv_…`: what the target got as `webhook-id`
        #[arg(value_parser = delivery_id)]
        delivery_id: DeliveryId,
    },
    /// Try dead letters again, as the same deliveries
    #[command(
        after_help = "A redriven delivery keeps its ID, its event and its `jti`; its attempts count on, and the
schedule begins anew. It is due at its own moment, so many a minute, and the stack wakes it within
a minute after that: the command does not wait for it. A delivery whose subscription is disabled or
deleted stays a dead letter: it would be given up again at once.

With filters, it counts first and asks. It may be interrupted and repeated: what was redriven is no
longer dead.

Examples:
  workflows deliveries redrive dlv_…
  workflows deliveries redrive --subscription mine --reason exhausted --since 2h --dry-run
  workflows deliveries redrive --property demo-property --per-minute 300 --yes"
    )]
    Redrive(redrive::Redrive),
}

/// Lists deliveries.
#[derive(Args)]
pub(crate) struct List {
    /// Those that stand so
    #[arg(long, value_enum, default_value_t = State::Dead)]
    state: State,
    /// At most this many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    #[command(flatten)]
    filter: FilterArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Given up, kept for redrive
    Dead,
    /// To be tried again
    Pending,
    /// Waiting for the subscription's breaker to close
    Held,
    /// All three
    All,
}

impl State {
    fn kind(self) -> Option<StandingKind> {
        match self {
            Self::Dead => Some(StandingKind::Dead),
            Self::Pending => Some(StandingKind::Pending),
            Self::Held => Some(StandingKind::Held),
            Self::All => None,
        }
    }
}

fn delivery_id(text: &str) -> Result<DeliveryId, InvalidId> {
    DeliveryId::try_from(text.to_owned())
}

/// Carries out a command.
pub(crate) async fn run(
    command: Command,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    match command {
        Command::List(arguments) => list(&arguments, &access.ledger().await?, console).await,
        Command::Show { delivery_id } => show(&delivery_id, &access.ledger().await?, console).await,
        Command::Redrive(arguments) => redrive::run(&arguments, access, console).await,
    }
}

async fn list(
    arguments: &List,
    ports: &impl Ports,
    console: &Console,
) -> Result<Finished, Failure> {
    let filter = arguments.filter.filter(clock::now(), arguments.state.kind());
    let most = arguments.limit.unwrap_or(usize::MAX);
    let (mut listed, mut looked_at, mut after) = (0, 0, None);
    console.line(&heading(&row(
        ["DELIVERY", "STATE", "ATTEMPT", "CHANGED", "SUBSCRIPTION", "EVENT"],
        "REASON",
    )))?;
    loop {
        let page = ports.page(&filter, after.as_ref()).await?;
        looked_at += page.looked_at;
        for entry in page.entries.iter().take(most - listed) {
            console.result(|| line(entry), || object(entry))?;
            listed += 1;
        }
        for key in &page.unreadable {
            console.note(&format!("{} cannot be read by this release", plain(key)));
        }
        after = page.next;
        if after.is_none() || listed == most {
            break;
        }
        console.progress(|| format!("{looked_at} looked at, {listed} listed"));
    }
    let more = if after.is_some() { "; there may be more" } else { "" };
    console.note(&format!("{}{more}", count(listed as u64, "delivery", "deliveries")));
    Ok(Finished::Done)
}

async fn show(
    delivery_id: &DeliveryId,
    ports: &impl Ports,
    console: &Console,
) -> Result<Finished, Failure> {
    match ports.find(delivery_id).await? {
        Found::Entry(entry) => {
            console.result(|| lines(&entry), || whole_object(&entry))?;
            Ok(Finished::Done)
        }
        Found::NotThere => {
            let line = || format!("{delivery_id} {}", bad(NOT_THERE));
            let object = || json!({"deliveryId": delivery_id.as_str(), "state": "not_in_ledger"});
            console.result(line, object)?;
            Ok(Finished::InPart)
        }
        Found::Unreadable => {
            let line = || format!("{delivery_id} {}", bad("cannot be read by this release"));
            let object = || json!({"deliveryId": delivery_id.as_str(), "state": "unreadable"});
            console.result(line, object)?;
            Ok(Finished::InPart)
        }
    }
}

/// What it means that the ledger has no item.
const NOT_THERE: &str = "is not in this stack's ledger: it was delivered, or not attempted yet, or its dead letter has expired";

/// A line of the table. The widths are those of usual values; longer ones push the rest aside.
fn row(
    [delivery, state, attempt, changed, subscription, event]: [&str; 6],
    reason: &str,
) -> String {
    format!(
        "{delivery:<26}  {state:<7}  {attempt:>7}  {changed:<20}  {subscription:<16}  {event:<24}  {reason}"
    )
}

fn line(entry: &Entry) -> String {
    let reason = match &entry.standing {
        Standing::Dead { reason } => plain(reason),
        Standing::Pending { next_at } => {
            format!("next at {}, after {}", moment(*next_at), plain(&entry.last_outcome))
        }
        Standing::Held { since } => format!("since {}", moment(*since)),
    };
    let attempt = entry.attempt.to_string();
    let changed = moment(entry.updated_at);
    row(
        [
            entry.delivery_id.as_str(),
            entry.standing.kind().as_str(),
            &attempt,
            &changed,
            entry.subscription_id.as_str(),
            entry.event_id.as_str(),
        ],
        &reason,
    )
}

fn lines(entry: &Entry) -> String {
    let standing = match &entry.standing {
        Standing::Dead { reason } => format!("dead, {}", plain(reason)),
        Standing::Pending { next_at } => format!("pending, next at {}", moment(*next_at)),
        Standing::Held { since } => format!("held since {}", moment(*since)),
    };
    let facts = [
        ("delivery", entry.delivery_id.to_string()),
        ("state", standing),
        ("attempts", entry.attempt.to_string()),
        ("last outcome", plain(&entry.last_outcome)),
        ("event", entry.event_id.to_string()),
        ("subscription", entry.subscription_id.to_string()),
        ("scope", entry.scope.key()),
        ("first failed", moment(entry.created_at)),
        ("changed", moment(entry.updated_at)),
    ];
    let deaths = entry.history.iter().map(|death| {
        let attempts = count(u64::from(death.attempt), "attempt", "attempts");
        let (at, reason) = (moment(death.at), plain(&death.reason));
        ("given up", format!("{at}, after {attempts}: {reason}"))
    });
    let lines = facts.into_iter().chain(deaths);
    lines.map(|(name, value)| format!("{name:<12}  {value}")).collect::<Vec<_>>().join("\n")
}

fn object(entry: &Entry) -> Value {
    let mut object = json!({
        "deliveryId": entry.delivery_id.as_str(),
        "state": entry.standing.kind().as_str(),
        "attempt": entry.attempt,
        "lastOutcome": entry.last_outcome,
        "subscriptionId": entry.subscription_id.as_str(),
        "scope": entry.scope.key(),
        "eventId": entry.event_id.as_str(),
        "createdAt": entry.created_at.to_rfc3339(),
        "updatedAt": entry.updated_at.to_rfc3339(),
    });
    match &entry.standing {
        Standing::Dead { reason } => object["reason"] = json!(reason),
        Standing::Pending { next_at } => object["nextAt"] = json!(next_at.to_rfc3339()),
        Standing::Held { since } => object["heldSince"] = json!(since.to_rfc3339()),
    }
    object
}

fn whole_object(entry: &Entry) -> Value {
    let death = |death: &Death| json!({"at": death.at.to_rfc3339(), "attempt": death.attempt, "reason": death.reason});
    let mut object = object(entry);
    object["history"] = entry.history.iter().map(death).collect();
    object
}
