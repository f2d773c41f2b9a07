//! Endpoints tried out from here, with the stack's own keys: the handshake before a subscription is
//! written, and an event made for the occasion.

use adapters::ports::SendingPorts;
use clap::Args;
use domain::delivery::{Execution, Invocation, Memory, OurFault, Settings, Trial, trial};
use domain::event::Event;
use domain::notification::Issuer;
use domain::outcome::Verdict;
use domain::subscription::Subscription;

/// As whom.
#[derive(Args)]
pub(crate) struct IssuerArgument {
    /// The stack's parameter `Issuer`, which endpoints look for in what they get; known with --local
    #[arg(long, value_name = "URL", value_parser = Issuer::parse)]
    pub(crate) issuer: Option<Issuer>,
}

/// The stack's keys, and the way to the targets.
pub(crate) struct Trials {
    pub(crate) ports: SendingPorts,
    pub(crate) settings: Settings,
    pub(crate) memory: Memory,
}

impl Trials {
    /// Shakes hands with the subscription's endpoint, where it has to show that it wants
    /// notifications, and posts the event, where there is one.
    pub(crate) async fn run(
        &self,
        event: Option<&Event>,
        subscription: &Subscription,
    ) -> Result<Trial, OurFault> {
        let Self { ports, settings, memory } = self;
        let invocation = Invocation { deadline: None };
        trial(event, subscription, Execution { invocation, settings, memory, ports }).await
    }
}

/// What came of a trial, as a code: an outcome's or a dead letter's reason.
pub(crate) fn code(trial: &Trial) -> String {
    match trial {
        Trial::Refused(refused) => refused.rule.code().to_owned(),
        Trial::Unsigned(reason) => reason.to_string(),
        Trial::Unverified(outcome) | Trial::Posted(outcome) => outcome.to_string(),
        Trial::Willing => "verified".to_owned(),
    }
}

/// The same for people.
pub(crate) fn words(trial: &Trial) -> String {
    let code = code(trial);
    match trial {
        Trial::Refused(refused) => format!("nothing was sent: the URL {refused}"),
        Trial::Unsigned(_) => format!("nothing was sent: {code}"),
        Trial::Unverified(_) => format!("the endpoint has not echoed its challenge: {code}"),
        Trial::Willing => "the endpoint wants notifications".to_owned(),
        Trial::Posted(_) => format!("the endpoint said: {code}"),
    }
}

/// Whether it went as it should.
pub(crate) fn is_good(trial: &Trial) -> bool {
    match trial {
        Trial::Willing => true,
        Trial::Posted(outcome) => outcome.verdict() == Verdict::Delivered,
        Trial::Refused(_) | Trial::Unsigned(_) | Trial::Unverified(_) => false,
    }
}
