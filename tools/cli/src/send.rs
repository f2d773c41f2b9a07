//! `workflows send`: posts sample events, and follows them to their targets.

mod watch;

use std::path::{Path, PathBuf};

use adapters::answer::{Heard, TurnedAway};
use adapters::clock;
use clap::Args;
use domain::event_type::EventTypeNames;
use domain::explain::Subject;
use domain::id::EventId;
use serde_json::json;

use crate::access::Access;
use crate::console::{Console, bad, good, plain};
use crate::duration::parse_ms;
use crate::failure::{Failure, Finished};
use crate::front::{Front, FrontArguments};
use crate::input;

/// Sends events.
#[derive(Args)]
#[command(
    after_help = "Over https the request is signed with SigV4 by your credentials, for execute-api, or for lambda
where the host is a function URL's; to plain http on this machine it is not signed. Where the stack
has CallersIssuer, it shows the token of --token-file and is not signed.

The file is posted as it is; an event without an ID gets one, and is another event each time. With
--watch the deliveries to all subscriptions that match are followed until none waits any more, or
the time is over. What succeeds leaves no trace in the ledger: when nothing is recorded of a
delivery ten seconds after, it was most probably made, and the watch ends.

Exit code 3: refused; not all of it stored, then repeat the command; or a delivery was given up.

Examples:
  workflows --local send events/requests/userUpdated.json --watch
  workflows send events/requests/userUpdated.json \\
    --url https://abc.execute-api.eu-central-1.amazonaws.com
  workflows send events/requests/userUpdated.json \\
    --events-url https://abc.lambda-url.eu-central-1.on.aws/v1/events
  grep -v '\"id\":' events/requests/userUpdated.json | workflows --local send - --watch --for 2m"
)]
pub(crate) struct Arguments {
    /// One event, or an array of up to 100; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    front: FrontArguments,
    /// Follow the events to their targets
    #[arg(long)]
    watch: bool,
    /// How long to follow them
    #[arg(
        long = "for", value_name = "DURATION", default_value = "60s", value_parser = parse_ms,
        requires = "watch"
    )]
    for_ms: u64,
}

/// Carries out the command.
pub(crate) async fn run(
    arguments: Arguments,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let stdin = Path::new("-");
    if arguments.file == stdin && arguments.front.token_file(access).as_deref() == Some(stdin) {
        return Err(Failure::Usage("standard input is either the events or the token"));
    }
    let body = input::read(&arguments.file)?;
    let front = arguments.front.open(access).await?;
    let heard = front.post(body.clone()).await?;
    let (ids, finished) = tell(&heard, &front, console)?;
    if !arguments.watch || ids.is_empty() {
        return Ok(finished);
    }
    let names = access.names()?;
    let Some(subjects) = subjects(&body, &ids, &names) else {
        console.note("They cannot be followed: this release reads the file in another way.");
        return Ok(finished);
    };
    let ports = access.explain().await?;
    let watched = watch::run(&subjects, &names, arguments.for_ms, &ports, console).await?;
    Ok(if finished == Finished::Done { watched } else { finished })
}

/// Says what the stack has answered. The IDs of all the events, where all are accepted.
fn tell(
    heard: &Heard,
    front: &Front,
    console: &Console,
) -> Result<(Vec<EventId>, Finished), Failure> {
    let one = |id: &String, state: &str, said: String| {
        console
            .result(|| format!("{}  {said}", plain(id)), || json!({"eventId": id, "state": state}))
    };
    match heard {
        Heard::Accepted(ids) => {
            for id in ids {
                one(id, "accepted", good("accepted"))?;
            }
            let ids: Option<_> = ids.iter().map(|id| EventId::parse(id).ok()).collect();
            Ok((ids.unwrap_or_default(), Finished::Done))
        }
        Heard::Unavailable { stored, not_stored } => {
            for id in stored {
                one(id, "stored", good("stored"))?;
            }
            for id in not_stored {
                one(id, "not_stored", bad("not stored"))?;
            }
            console.note("Repeat the command: events are told apart by their IDs.");
            Ok((Vec::new(), Finished::InPart))
        }
        Heard::Refused { title, detail, errors } => {
            let list = |(pointer, said): &(String, String)| {
                let pointer = if pointer.is_empty() { "the whole" } else { pointer };
                format!("\n  {}: {}", plain(pointer), plain(said))
            };
            let lines: String = errors.iter().map(list).collect();
            let error =
                |(pointer, said): &(String, String)| json!({"pointer": pointer, "detail": said});
            console.result(
                || format!("{} {}{lines}", bad(&format!("{}.", plain(title))), plain(detail)),
                || {
                    let errors: Vec<_> = errors.iter().map(error).collect();
                    json!({"state": "refused", "title": title, "detail": detail, "errors": errors})
                },
            )?;
            Ok((Vec::new(), Finished::InPart))
        }
        Heard::Strange { status, message } => {
            let said = message.as_deref().unwrap_or("without a word of ours");
            let advice = front.advice(TurnedAway::of(*status));
            Err(Failure::Strange { status: *status, said: plain(said), advice })
        }
    }
}

/// The events of the file, as they were accepted.
fn subjects(body: &[u8], ids: &[EventId], names: &EventTypeNames) -> Option<Vec<Subject>> {
    let subjects = Subject::read(body, names, clock::now(), clock::dice).ok()?;
    let is_alike = subjects.len() == ids.len();
    let accepted = subjects.into_iter().zip(ids);
    is_alike.then(|| accepted.map(|(subject, id)| subject.accepted_as(id.clone())).collect())
}
