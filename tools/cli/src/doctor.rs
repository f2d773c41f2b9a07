//! `workflows doctor`: whether a stack is well, and what to do where it is not.

mod look;
mod trip;

use clap::Args;
use domain::doctor::{Finding, State};
use serde_json::json;

use crate::access::Access;
use crate::console::{Console, bad, count, good, plain, warned};
use crate::duration::parse_ms;
use crate::failure::{Failure, Finished};
use crate::front::FrontArguments;

/// Check a stack: API, tables, queues, keys, mappings, clocks, and an event that goes the whole way
#[derive(Args)]
#[command(
    after_help = "Each line is one thing that was looked at: ok; warning: it works, and somebody should see to it;
failed: it does not work, or will lose something; not_allowed: your credentials may not look, which
says nothing of the stack. Beneath what is not ok stands what to do next.

  api         the API answers, and publishes its key set
  tables      they are there, with the keys, indexes and time to live that the code needs
  queues      they are there, what they give up is kept, and the dead-letter queues are empty
  keys        each algorithm has a key that signs, and the API publishes those of the secret
  mappings    both queues wake the delivery function, which may say what has failed
  clocks      this machine's clock against AWS's and the API's
  round-trip  writes a subscription of its own (property doctor-…), posts an event for it, and waits
              until the built-in target, POST /v1/doctor of this stack, has verified a challenge and the
              notification by the published keys. It shows that everything between works: the roles of
              the functions, SQS, the signing keys, the way out, the tables. Everything written is
              deleted, also after Ctrl-C. One that arrives counts as one event, delivered, and sets off
              no alarm; one that does not may count as a dead letter. --no-round-trip leaves it out, and
              nothing is written. The event goes to the API, or to --events-url where the stack's Front is
              FunctionUrls; it is signed, or shows the token of --token-file where there is CallersIssuer

Exit code 3: something failed, or could not be looked at. Warnings alone are 0.

Examples:
  workflows --local doctor
  workflows doctor --url https://abc.execute-api.eu-central-1.amazonaws.com
  workflows doctor --url https://abc.execute-api.eu-central-1.amazonaws.com --token-file token.txt
  workflows --name-prefix staging- doctor --no-round-trip --output json"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    front: FrontArguments,
    /// Write nothing: leave out the event that goes the whole way
    #[arg(long)]
    no_round_trip: bool,
    /// How long to wait for the event
    #[arg(
        long = "timeout", value_name = "DURATION", default_value = "60s", value_parser = parse_ms,
        conflicts_with = "no_round_trip"
    )]
    timeout_ms: u64,
}

/// Carries out the command.
pub(crate) async fn run(
    arguments: Arguments,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let api = arguments.front.api(access)?;
    // Before anything is looked at: what is wrong with a command line is told first.
    let front =
        if arguments.no_round_trip { None } else { Some(arguments.front.open(access).await?) };
    let mut told = Told { console, findings: Vec::new() };
    let seen = look::all(&api, access, &mut told).await?;
    if let Some(front) = &front {
        trip::run((&api, front), &seen, arguments.timeout_ms, access, &mut told).await?;
    }
    Ok(told.conclude())
}

/// What was found, each told at once.
struct Told<'a> {
    console: &'a Console,
    findings: Vec<State>,
}

impl Told<'_> {
    fn tell(&mut self, findings: impl IntoIterator<Item = Finding>) -> Result<(), Failure> {
        for finding in findings {
            self.findings.push(finding.state);
            self.console.result(|| line(&finding), || object(&finding))?;
        }
        Ok(())
    }

    fn conclude(self) -> Finished {
        let of = |state| self.findings.iter().filter(|it| **it == state).count() as u64;
        let (failed, unseen) = (of(State::Failed), of(State::NotAllowed));
        let warnings = count(of(State::Warning), "warning", "warnings");
        let looked = count(self.findings.len() as u64, "thing", "things");
        self.console.note(&format!(
            "{looked} looked at: {failed} failed, {unseen} not allowed, {warnings}."
        ));
        if failed + unseen == 0 { Finished::Done } else { Finished::InPart }
    }
}

fn line(finding: &Finding) -> String {
    let state = format!("{:<11}", finding.state.as_str());
    let state = match finding.state {
        State::Ok => good(&state),
        State::Warning => warned(&state),
        State::NotAllowed | State::Failed => bad(&state),
    };
    let check = finding.check.as_str();
    let line =
        format!("{state} {check:<10}  {}: {}", plain(&finding.subject), plain(&finding.said));
    if finding.advice.is_empty() {
        line
    } else {
        format!("{line}\n{:<12}{:<10}  -> {}", "", "", plain(&finding.advice))
    }
}

fn object(finding: &Finding) -> serde_json::Value {
    json!({
        "check": finding.check.as_str(),
        "subject": finding.subject,
        "state": finding.state.as_str(),
        "said": finding.said,
        "advice": if finding.advice.is_empty() { None } else { Some(&finding.advice) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::doctor::Check;

    #[test]
    fn a_line_says_what_is_wrong_and_beneath_it_what_to_do() {
        let finding = Check::Queues.finding("events", State::Failed, "it is\u{1b} gone", "deploy");
        let line = anstream::adapter::strip_str(&line(&finding)).to_string();
        assert_eq!(
            line,
            "failed      queues      events: it is\u{fffd} gone\n                        -> deploy"
        );
        assert_eq!(object(&Check::Api.ok("API", "well"))["advice"], json!(null));
    }
}
