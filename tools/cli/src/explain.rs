//! `workflows explain`: who would get an event, and who got it. Nothing of the event is printed but
//! its ID and its type.

pub(crate) mod print;

use std::path::{Path, PathBuf};

use adapters::clock;
use clap::Args;
use domain::event_type::EventTypeNames;
use domain::explain::{Explanation, Ports, Subject, explain, foretell, recall};
use domain::id::{ClientId, EventId, PropertyId};
use domain::scope::Scope;
use domain::subscription::Subscription;

use crate::access::Access;
use crate::console::{Console, count};
use crate::documents;
use crate::failure::{Failure, Finished};
use crate::input;

/// Explains events.
#[derive(Args)]
#[command(
    after_help = "Each subscription of the event's scope is told: whether the event is for it, and else the first
clause that it does not meet; when and why we have disabled it; its breaker; and of an event with
an ID what the ledger holds of the delivery. What succeeds leaves no trace: of a delivery that the
ledger has nothing of, nobody can say whether it was made or not attempted yet.

An event by its ID alone is looked for in the ledger: one that all subscriptions have got is not
there any more, and `deliveries list --event` finds those of subscriptions that were deleted.

Exit code 3: there is an event that no subscription matches and nothing is recorded of, or the ID
is not in the ledger.

Examples:
  workflows explain events/requests/userUpdated.json
  workflows explain events/requests/userUpdated.json --definitions ./subscriptions/
  workflows explain --event sample-userUpdated --property demo-property
  jq .event log.json | workflows --output json explain -"
)]
pub(crate) struct Arguments {
    /// A file as it would be posted: one event, or an array of them; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "event", conflicts_with = "event")]
    file: Option<PathBuf>,
    /// The event of this ID, from the ledger
    #[arg(long, value_name = "ID", value_parser = EventId::parse)]
    event: Option<EventId>,
    /// Of this property
    #[arg(
        long, value_name = "ID", value_parser = PropertyId::parse,
        requires = "event", conflicts_with = "client"
    )]
    property: Option<PropertyId>,
    /// Of this client ID
    #[arg(long, value_name = "ID", value_parser = ClientId::parse, requires = "event")]
    client: Option<ClientId>,
    /// Foretell it from files of definitions, or folders of them, and reach for no stack
    #[arg(long, value_name = "FOLDER", requires = "file")]
    definitions: Vec<PathBuf>,
}

/// Carries out the command.
pub(crate) async fn run(
    arguments: Arguments,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let names = access.names()?;
    if let (Some(file), false) = (&arguments.file, arguments.definitions.is_empty()) {
        return foretell_all(file, &arguments.definitions, &names, console);
    }
    let (subjects, ports) = match (&arguments.file, &arguments.event) {
        (Some(file), _) => (read_events(file, &names, console)?, access.explain().await?),
        (None, Some(event_id)) => {
            let scope = arguments.scope()?;
            let ports = access.explain().await?;
            let Some(subject) = recall(&scope, event_id, &ports).await? else {
                console.note(
                    "The ledger has nothing of this event for any subscription that is there: it \
                     was delivered, or not attempted yet, or never posted. The event as a file \
                     tells whom it is for.",
                );
                return Ok(Finished::InPart);
            };
            (vec![subject], ports)
        }
        (None, None) => return Err(Failure::Usage("say which: a file, or --event")),
    };
    let mut finished = Finished::Done;
    for subject in &subjects {
        if tell(subject, &names, &ports, console).await? == Finished::InPart {
            finished = Finished::InPart;
        }
    }
    Ok(finished)
}

fn read_events(
    file: &Path,
    names: &EventTypeNames,
    console: &Console,
) -> Result<Vec<Subject>, Failure> {
    let bytes = input::read(file)?;
    let subjects = Subject::read(&bytes, names, clock::now(), clock::dice);
    subjects.map_err(|refusal| input::complain_of(&refusal, file, console))
}

fn foretell_all(
    file: &Path,
    definitions: &[PathBuf],
    names: &EventTypeNames,
    console: &Console,
) -> Result<Finished, Failure> {
    let definitions = documents::definitions(definitions, names, console)?;
    let subscriptions: Vec<Subscription> =
        definitions.into_iter().map(|definition| definition.subscription).collect();
    let mut finished = Finished::Done;
    for subject in &read_events(file, names, console)? {
        let explanation = foretell(subject, &subscriptions);
        if sum_up(&explanation, names, console)? == Finished::InPart {
            finished = Finished::InPart;
        }
    }
    Ok(finished)
}

impl Arguments {
    fn scope(&self) -> Result<Scope, Failure> {
        let property = self.property.clone().map(Scope::Property);
        let scope = property.or_else(|| self.client.clone().map(Scope::Client));
        scope.ok_or(Failure::Usage("an event's ID is unique in its scope: --property or --client"))
    }
}

async fn tell(
    subject: &Subject,
    names: &EventTypeNames,
    ports: &impl Ports,
    console: &Console,
) -> Result<Finished, Failure> {
    sum_up(&explain(subject, names, ports).await?, names, console)
}

fn sum_up(
    explanation: &Explanation,
    names: &EventTypeNames,
    console: &Console,
) -> Result<Finished, Failure> {
    print::all(explanation, names, console)?;
    let Explanation { listeners, unreadable, .. } = explanation;
    let matching = listeners.iter().filter(|it| it.mismatch.is_none()).count();
    let is_recorded = listeners.iter().any(|it| it.found.is_some())
        || unreadable.iter().any(|it| it.found.is_some());
    let rows = count(listeners.len() as u64, "subscription", "subscriptions");
    let spoilt = if unreadable.is_empty() {
        String::new()
    } else {
        format!("; {} cannot be read", count(unreadable.len() as u64, "row", "rows"))
    };
    console.note(&format!("The event is for {matching} of {rows}{spoilt}."));
    Ok(if matching > 0 || is_recorded { Finished::Done } else { Finished::InPart })
}
