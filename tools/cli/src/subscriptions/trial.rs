//! `workflows subscriptions test`: a sample event, sent as a delivery's first attempt is.

use std::path::PathBuf;

use adapters::clock;
use clap::Args;
use domain::event::{Arrival, Event};
use domain::event_type::{Category, EventTypeNames, Source};
use domain::json::{Object, Pointer, Problems, Text};
use domain::limits::JSON_DEPTH_MAX;
use domain::scope::Scope;
use domain::subscription::Subscription;
use serde_json::{Value, json};

use super::show::Shown as _;
use crate::access::Access;
use crate::console::{Console, bad, good};
use crate::failure::{Failure, Finished};
use crate::input;
use crate::trials::{IssuerArgument, code, is_good, words};
use crate::whose::Whose;

/// Sends a sample.
#[derive(Args)]
pub(crate) struct Test {
    #[command(flatten)]
    whose: Whose,
    /// One event as it would be posted, in the place of the sample; `-` is standard input
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    #[command(flatten)]
    issuer: IssuerArgument,
}

/// Carries the command out.
pub(super) async fn run(
    arguments: &Test,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let (key, names) = (arguments.whose.key()?, access.names()?);
    let Some(row) = access.rows().await?.find(&key).await? else {
        return super::not_there(&key, super::Action::Get, console);
    };
    let subscription = Subscription::read(&key.scope, row.attributes, &names)
        .map_err(|problem| Failure::Files(format!("the row cannot be read: {problem}")))?;
    let event = event(arguments, &subscription, &names)?;
    let Some(trials) = access.trials(arguments.issuer.issuer.as_ref()).await? else {
        return Err(Failure::Usage("say as whom: --issuer, the stack's parameter Issuer"));
    };
    let begun_at = clock::now();
    let trial = trials.run(Some(&event), &subscription).await?;
    let elapsed_ms = clock::now().since_ms(begun_at);
    let paint = if is_good(&trial) { good } else { bad };
    console.result(
        || format!("{}: {} ({elapsed_ms} ms)", key.name(), paint(&words(&trial))),
        || {
            json!({
                "scope": key.scope.key(),
                "subscriptionId": key.subscription_id.as_str(),
                "eventId": event.id.as_str(),
                "outcome": code(&trial),
                "elapsedMs": elapsed_ms,
            })
        },
    )?;
    Ok(if is_good(&trial) { Finished::Done } else { Finished::InPart })
}

fn event(
    arguments: &Test,
    subscription: &Subscription,
    names: &EventTypeNames,
) -> Result<Event, Failure> {
    let body = match &arguments.event {
        Some(file) => input::read(file)?,
        None => sample(subscription, names).to_string().into_bytes(),
    };
    let wrong = |what: &str| Failure::Files(format!("the event: {what}"));
    let text = Text::check(&body, JSON_DEPTH_MAX).map_err(|error| wrong(&error.to_string()))?;
    let (accepted_at, source) = (clock::now(), Source::NextIdentity);
    let arrival = Arrival { source, accepted_at, names, dice: clock::dice() };
    let mut problems = Problems::default();
    let event = Object::read(text, Pointer::root(), &mut problems)
        .and_then(|object| Event::parse(object, arrival, &mut problems));
    if let Some(problem) = problems.into_vec().first() {
        return Err(wrong(&format!("{} {}", problem.pointer, problem.detail)));
    }
    let event = event.ok_or_else(|| wrong("cannot be read"))?;
    if event.scope != subscription.scope {
        return Err(wrong("is of another property or client"));
    }
    Ok(event)
}

/// An event of the subscription's category and scope about nobody. It has an ID of its own, and so no
/// receiver has seen it before.
fn sample(subscription: &Subscription, names: &EventTypeNames) -> Value {
    use domain::event_type::EventType::{Login, Registration, UserUpdated};
    let (kind, data) = match subscription.category {
        Category::UserDataChange => {
            (UserUpdated, json!({"dataSourceInfo": {"attributes": ["givenName"]}}))
        }
        Category::TransactionalEmail => {
            (Registration, json!({"user": {"email": "nobody@example.com"}}))
        }
        Category::Enrich => (Login, json!({"ip": "192.0.2.1"})),
    };
    let scope = match &subscription.scope {
        Scope::Property(id) => ("propertyId", id.as_str()),
        Scope::Client(id) => ("clientId", id.as_str()),
    };
    json!({"type": names.uri(kind), "sub": "nobody", scope.0: scope.1, "data": data})
}
