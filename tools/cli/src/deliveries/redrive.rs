//! `workflows deliveries redrive`: named deliveries at once; those that a filter means after a
//! count and a question.

mod plan;

use std::collections::BTreeMap;

use adapters::clock;
use clap::Args;
use domain::delivery::OurFault;
use domain::id::DeliveryId;
use domain::ledger::entry::{Filter, StandingKind};
use domain::limits::{REDRIVE_AT_ONCE, REDRIVE_PER_MINUTE_DEFAULT, REDRIVE_PER_MINUTE_MAX};
use domain::redrive::{Answer, Pace, Ports, run as redrive};
use serde_json::{Value, json};

use plan::Plan;

use super::{NOT_THERE, delivery_id};
use crate::access::Access;
use crate::console::{Console, bad, count, good, moment};
use crate::failure::{Failure, Finished};
use crate::filter::FilterArguments;

/// Redrives deliveries.
#[derive(Args)]
pub(crate) struct Redrive {
    /// These deliveries, `dlv_…`
    #[arg(value_parser = delivery_id, value_name = "DELIVERY_ID")]
    delivery_ids: Vec<DeliveryId>,
    /// Count, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How many become due in a minute
    #[arg(long, value_name = "NUMBER", default_value_t = REDRIVE_PER_MINUTE_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(REDRIVE_PER_MINUTE_MAX)))]
    per_minute: u32,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    filter: FilterArguments,
    /// Every dead letter of the stack
    #[arg(long)]
    all: bool,
}

/// Carries it out.
pub(super) async fn run(
    arguments: &Redrive,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let are_named = !arguments.delivery_ids.is_empty();
    let ways = [are_named, arguments.all, !arguments.filter.is_empty()];
    if ways.iter().filter(|is_taken| **is_taken).count() != 1 {
        return Err(Failure::Usage(
            "say which: delivery IDs, or filters, or --all, and one of the three only",
        ));
    }
    let ports = access.ledger().await?;
    if are_named {
        if arguments.dry_run {
            return Err(Failure::Usage("--dry-run counts by filter; look at one with `show`"));
        }
        let mut work = Work::new(arguments.per_minute, Telling::All, console);
        for ids in arguments.delivery_ids.chunks(REDRIVE_AT_ONCE) {
            work.redrive(ids, &ports).await?;
        }
        return work.conclude();
    }
    let counted_at = ports.now();
    let mut filter = arguments.filter.filter(counted_at, Some(StandingKind::Dead));
    // What dies later is not meant: not what was counted, and not what this redrive is to try.
    filter.until = Some(filter.until.map_or(counted_at, |until| until.min(counted_at)));
    let plan = Plan::count(&filter, &ports, console).await?;
    plan.tell(arguments.per_minute, console)?;
    if plan.matched == 0 {
        return Ok(Finished::InPart);
    }
    if arguments.dry_run {
        return Ok(Finished::Done);
    }
    if filter.subscription_id.is_some() && plan.scopes() > 1 {
        return Err(Failure::Usage(
            "subscriptions of this ID are in more than one scope: say --property or --client",
        ));
    }
    if !arguments.yes {
        console.confirm(&format!("Redrive {}?", count(plan.matched, "delivery", "deliveries")))?;
    }
    // The pace begins now: what counting and answering took must not be made up for.
    let mut work = Work::new(arguments.per_minute, Telling::Exceptions, console);
    work.redrive_all(&filter, plan.matched, &ports).await?;
    work.conclude()
}

/// Which answers people read; programs get all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    All,
    /// Those that are not "redriven".
    Exceptions,
}

/// A redrive under way, and what came of it so far.
struct Work<'a> {
    pace: Pace,
    telling: Telling,
    answers: BTreeMap<&'static str, u64>,
    console: &'a Console,
}

const REDRIVEN: &str = "redriven";
const FAILED: &str = "failed";

impl<'a> Work<'a> {
    fn new(per_minute: u32, telling: Telling, console: &'a Console) -> Self {
        let pace = Pace::new(clock::now(), per_minute);
        Self { pace, telling, answers: BTreeMap::new(), console }
    }

    async fn redrive_all(
        &mut self,
        filter: &Filter,
        matched: u64,
        ports: &impl Ports,
    ) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = ports.page(filter, after.as_ref()).await?;
            let ids: Vec<DeliveryId> =
                page.entries.into_iter().map(|entry| entry.delivery_id).collect();
            for ids in ids.chunks(REDRIVE_AT_ONCE) {
                self.redrive(ids, ports).await?;
                self.console.progress(|| format!("{} of {matched} done", self.done()));
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn redrive(&mut self, ids: &[DeliveryId], ports: &impl Ports) -> Result<(), Failure> {
        let answers = redrive(ids, &mut self.pace, ports).await;
        let mut fault = None;
        let mut failed = 0;
        for (id, answer) in ids.iter().zip(answers) {
            if let Err(reason) = answer {
                fault = Some(reason);
                failed += 1;
            }
            self.tell(id, &answer)?;
            let code = answer.as_ref().map_or(FAILED, Answer::code);
            *self.answers.entry(code).or_default() += 1;
        }
        match fault {
            // Single failures are passed over; when everything fails, more of it helps nobody.
            Some(fault) if failed == ids.len() => {
                self.summary()?;
                Err(Failure::Stopped(fault))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn tell(&self, id: &DeliveryId, answer: &Result<Answer, OurFault>) -> Result<(), Failure> {
        let is_redriven = matches!(answer, Ok(Answer::Redriven { .. }));
        if self.telling == Telling::All || !is_redriven {
            self.console.line(&line(id, answer))?;
        }
        self.console.object(|| object(id, answer))?;
        Ok(())
    }

    fn done(&self) -> u64 {
        self.answers.values().sum()
    }

    fn summary(&self) -> Result<(), Failure> {
        let part = |(code, number): (&&str, &u64)| format!("{number} {code}");
        let parts: Vec<String> = self.answers.iter().map(part).collect();
        let line = || {
            let are_all = self.answers.keys().all(|code| *code == REDRIVEN);
            let text = format!("{}.", parts.join(", "));
            if are_all { good(&text) } else { text }
        };
        self.console.result(line, || json!({"summary": self.answers}))?;
        Ok(())
    }

    fn conclude(self) -> Result<Finished, Failure> {
        self.summary()?;
        let are_all = self.answers.keys().all(|code| *code == REDRIVEN);
        Ok(if are_all && self.done() > 0 { Finished::Done } else { Finished::InPart })
    }
}

fn line(id: &DeliveryId, answer: &Result<Answer, OurFault>) -> String {
    let said = match answer {
        Ok(Answer::Redriven { due_at }) => {
            return format!("{id}  {} due at {}", good("redriven"), moment(*due_at));
        }
        Ok(Answer::NotThere) => NOT_THERE.to_owned(),
        Ok(Answer::Pending { attempt, next_at }) => format!(
            "is no dead letter: it waits for attempt {} at {}",
            attempt.saturating_add(1),
            moment(*next_at)
        ),
        Ok(Answer::Held { since, .. }) => format!(
            "is no dead letter: it is held since {}, until its target is well again",
            moment(*since)
        ),
        Ok(Answer::ChangedMeanwhile) => "was changed by somebody else meanwhile".to_owned(),
        Ok(Answer::SubscriptionDisabled) => {
            "stays a dead letter: its subscription is disabled".to_owned()
        }
        Ok(Answer::SubscriptionDeleted) => {
            "stays a dead letter: its subscription is deleted".to_owned()
        }
        Ok(Answer::SubscriptionUnreadable) => {
            "stays a dead letter: its subscription's row cannot be read".to_owned()
        }
        Ok(Answer::Unreadable) => "stays as it is: this release cannot read it".to_owned(),
        Err(fault) => format!("could not be redriven: {fault}"),
    };
    format!("{id}  {}", bad(&said))
}

fn object(id: &DeliveryId, answer: &Result<Answer, OurFault>) -> Value {
    let code = answer.as_ref().map_or(FAILED, Answer::code);
    let mut object = json!({"deliveryId": id.as_str(), "answer": code});
    match answer {
        Ok(Answer::Redriven { due_at }) => object["dueAt"] = json!(due_at.to_rfc3339()),
        Ok(Answer::Pending { attempt, next_at }) => {
            object["attempt"] = json!(attempt);
            object["nextAt"] = json!(next_at.to_rfc3339());
        }
        Ok(Answer::Held { attempt, since }) => {
            object["attempt"] = json!(attempt);
            object["heldSince"] = json!(since.to_rfc3339());
        }
        Ok(
            Answer::NotThere
            | Answer::ChangedMeanwhile
            | Answer::SubscriptionDisabled
            | Answer::SubscriptionDeleted
            | Answer::SubscriptionUnreadable
            | Answer::Unreadable,
        ) => {}
        Err(fault) => object["fault"] = json!(fault.to_string()),
    }
    object
}
