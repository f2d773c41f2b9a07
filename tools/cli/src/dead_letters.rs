//! `workflows dead-letters`: records that could not be read, looked at and moved back.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use domain::aside::{Aside, Look, Moved, Ports, Selection, move_back as move_records_back};
use domain::delivery::OurFault;
use domain::ledger::entry::ReasonPattern;
use serde_json::{Value, json};

use crate::access::{Access, Queue};
use crate::console::{Console, bad, count, good, heading, moment, plain};
use crate::failure::{Failure, Finished};

/// The two dead-letter queues.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the records on a dead-letter queue, without taking them
    #[command(
        after_help = "SQS has no way to look without receiving: each record is hidden from everybody else until the
list is complete (five minutes, if it is interrupted), and its count of receives grows by one. One
list looks at 10,000 records at most.

Reasons: not_a_message, unknown_version, invalid_content, wrong_queue; and receives_used_up for what
SQS moved there itself, after an outage of ours that outlasted its receives."
    )]
    List {
        /// Whose dead letters
        #[arg(long, value_enum)]
        queue: Queue,
        /// Print the records' bodies too. They may hold personal data
        #[arg(long)]
        show_body: bool,
    },
    /// Move records back to the queue they came from
    #[command(
        after_help = "A record is sent first and deleted once the send is confirmed: an interruption gives a duplicate
at worst, which deliveries survive, and never a loss. What still cannot be read is set aside again,
for the same reason: move unknown_version back after an upgrade, receives_used_up after an outage.

Examples:
  workflows dead-letters move-back --queue events --reason unknown_version --dry-run
  workflows dead-letters move-back --queue retries --all --yes
  workflows dead-letters move-back --queue events 5fea7756-0ea4-451a-a703-a558b933e274"
    )]
    MoveBack(MoveBack),
}

/// Moves records back.
#[derive(Args)]
pub(crate) struct MoveBack {
    /// Whose dead letters
    #[arg(long, value_enum)]
    queue: Queue,
    /// The records with these message IDs
    #[arg(value_name = "MESSAGE_ID")]
    message_ids: Vec<String>,
    /// Those set aside for this reason
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
    /// Count, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl MoveBack {
    fn selection(&self) -> Selection {
        match &self.reason {
            Some(reason) => Selection::Reason(ReasonPattern(reason.clone())),
            None if self.all => Selection::All,
            None => Selection::Ids(self.message_ids.iter().cloned().collect()),
        }
    }
}

/// Carries out a command.
pub(crate) async fn run(
    command: Command,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    match command {
        Command::List { queue, show_body } => {
            list(show_body, &access.dead_letters(queue).await?, console).await
        }
        Command::MoveBack(arguments) => {
            let ways =
                [arguments.all, arguments.reason.is_some(), !arguments.message_ids.is_empty()];
            if ways.iter().filter(|is_taken| **is_taken).count() != 1 {
                return Err(Failure::Usage(
                    "say which: message IDs, or --reason, or --all, and one of the three only",
                ));
            }
            let ports = access.dead_letters(arguments.queue).await?;
            move_back(&arguments, &ports, console).await
        }
    }
}

/// Looks at every record once, and shows them to everybody again whatever happens. Notes when
/// there may be more.
async fn look_at<P: Ports>(
    ports: &P,
    console: &Console,
    mut see: impl FnMut(&Aside) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut look = Look::begin(ports);
    let seen = loop {
        match look.next().await {
            Ok(records) if records.is_empty() => break Ok(()),
            Ok(records) => {
                if let Err(failure) = records.iter().try_for_each(&mut see) {
                    break Err(failure);
                }
            }
            Err(fault) => break Err(fault.into()),
        }
    };
    note_the_rest(&look, console);
    look.end().await;
    seen
}

fn note_the_rest<P: Ports>(look: &Look<'_, P>, console: &Console) {
    if look.is_cut_short() {
        console.note("There may be more records than one look takes in: repeat the command.");
    }
}

async fn list(show_body: bool, ports: &impl Ports, console: &Console) -> Result<Finished, Failure> {
    console.line(&heading(&row(["MESSAGE", "SENT", "RECEIVES", "BYTES"], "REASON")))?;
    let mut listed = 0_u64;
    look_at(ports, console, |record| {
        console.result(|| line(record, show_body), || object(record, show_body))?;
        listed += 1;
        Ok(())
    })
    .await?;
    console.note(&count(listed, "record", "records"));
    Ok(Finished::Done)
}

async fn move_back(
    arguments: &MoveBack,
    ports: &impl Ports,
    console: &Console,
) -> Result<Finished, Failure> {
    let selection = arguments.selection();
    if arguments.dry_run || matches!(selection, Selection::All | Selection::Reason(_)) {
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        look_at(ports, console, |record| {
            if selection.matches(record) {
                *reasons.entry(record.reason().to_owned()).or_default() += 1;
            }
            Ok(())
        })
        .await?;
        let matched: u64 = reasons.values().sum();
        for (reason, number) in &reasons {
            console.line(&format!("{number:>8}  {}", plain(reason)))?;
        }
        let records = count(matched, "record matches", "records match");
        console.result(
            || format!("{records}."),
            || json!({"plan": {"matched": matched, "reasons": reasons}}),
        )?;
        if matched == 0 {
            return Ok(Finished::InPart);
        }
        if arguments.dry_run {
            return Ok(Finished::Done);
        }
        console.note("What still cannot be read will be set aside again, for the same reason.");
        if !arguments.yes {
            console.confirm(&format!("Move {} back?", count(matched, "record", "records")))?;
        }
    }
    let mut moving = Moving::new(selection, console);
    let mut look = Look::begin(ports);
    let moved = moving.run(&mut look).await;
    note_the_rest(&look, console);
    look.end().await;
    moved?;
    moving.conclude()
}

/// A move under way, and what came of it so far.
struct Moving<'a> {
    selection: Selection,
    outcomes: BTreeMap<&'static str, u64>,
    missing: BTreeSet<String>,
    console: &'a Console,
}

/// The code of a record that was named and not found.
const NOT_FOUND: &str = "not_found";

impl<'a> Moving<'a> {
    fn new(selection: Selection, console: &'a Console) -> Self {
        let missing = match &selection {
            Selection::Ids(ids) => ids.clone(),
            Selection::All | Selection::Reason(_) => BTreeSet::new(),
        };
        Self { selection, outcomes: BTreeMap::new(), missing, console }
    }

    async fn run<P: Ports>(&mut self, look: &mut Look<'_, P>) -> Result<(), Failure> {
        loop {
            let records = look.next().await?;
            if records.is_empty() {
                return Ok(());
            }
            let mut meant = records;
            meant.retain(|record| self.selection.matches(record));
            let moved = move_records_back(&meant, look).await;
            for (record, moved) in meant.iter().zip(&moved) {
                self.missing.remove(&record.id);
                self.note(&record.id, moved.code(), sentence(*moved))?;
            }
            if !moved.is_empty() && moved.iter().all(|moved| *moved == Moved::NotSent) {
                self.summary()?;
                return Err(Failure::Stopped(OurFault::Queue));
            }
            let are_named = matches!(self.selection, Selection::Ids(_));
            if are_named && self.missing.is_empty() {
                return Ok(());
            }
            self.console.progress(|| format!("{} moved", self.outcomes.values().sum::<u64>()));
        }
    }

    fn note(&mut self, id: &str, code: &'static str, said: &str) -> Result<(), Failure> {
        *self.outcomes.entry(code).or_default() += 1;
        let line = || {
            let said = if code == Moved::Back.code() { good(said) } else { bad(said) };
            format!("{}  {said}", plain(id))
        };
        self.console.result(line, || json!({"messageId": id, "answer": code}))?;
        Ok(())
    }

    fn summary(&self) -> Result<(), Failure> {
        let part = |(code, number): (&&str, &u64)| format!("{number} {code}");
        let parts: Vec<String> = self.outcomes.iter().map(part).collect();
        let line = || format!("{}.", parts.join(", "));
        self.console.result(line, || json!({"summary": self.outcomes}))?;
        Ok(())
    }

    fn conclude(mut self) -> Result<Finished, Failure> {
        for id in std::mem::take(&mut self.missing) {
            self.note(
                &id,
                NOT_FOUND,
                "is not on the queue: moved back already, or hidden for now",
            )?;
        }
        self.summary()?;
        let are_all = self.outcomes.keys().all(|code| *code == Moved::Back.code());
        Ok(if are_all && !self.outcomes.is_empty() { Finished::Done } else { Finished::InPart })
    }
}

fn sentence(moved: Moved) -> &'static str {
    match moved {
        Moved::Back => "moved back",
        Moved::NotSent => "stays: the queue did not take it",
        Moved::NotDeleted => "moved back, and still here: moving it again sends a duplicate",
    }
}

fn row([message, sent, receives, bytes]: [&str; 4], reason: &str) -> String {
    format!("{message:<36}  {sent:<20}  {receives:>8}  {bytes:>8}  {reason}")
}

fn line(record: &Aside, show_body: bool) -> String {
    let (sent, receives) = (moment(record.sent_at), record.receives.to_string());
    let bytes = record.body.len().to_string();
    let line = row([&plain(&record.id), &sent, &receives, &bytes], &plain(record.reason()));
    if show_body { format!("{line}\n  {}", plain(&record.body)) } else { line }
}

fn object(record: &Aside, show_body: bool) -> Value {
    let mut object = json!({
        "messageId": record.id,
        "sentAt": record.sent_at.to_rfc3339(),
        "receives": record.receives,
        "reason": record.reason(),
        "bodyBytes": record.body.len(),
    });
    if show_body {
        object["body"] = json!(record.body);
    }
    object
}
