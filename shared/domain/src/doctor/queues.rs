//! The queues: that they are there, that what they give up is kept, and what lies on them.

use super::{Check, Finding, State, Unseen};
use crate::limits::{DELIVERY_TIMEOUT_S, QUEUE_HIDDEN_MIN_S};

/// What was found of a queue.
pub struct QueueFacts {
    /// Its ARN.
    pub arn: String,
    /// How long a message that was received is hidden, in seconds.
    pub hidden_s: u64,
    /// How long it keeps a message, in seconds.
    pub kept_s: u64,
    /// The ARN of the queue that takes what it gives up.
    pub gives_up_to: Option<String>,
    /// Messages to be received, roughly.
    pub waiting: u64,
    /// Messages received and not deleted, roughly.
    pub under_way: u64,
    /// Messages that nobody may receive yet, roughly.
    pub delayed: u64,
}

/// The two queues that are worked. Each has a dead-letter queue.
pub const QUEUES: [&str; 2] = ["events", "retries"];

const DEPLOY: &str =
    "deploy the stack, or say which one is meant (--name-prefix, --region, --profile)";
const AGAIN: &str = "deploy template.yaml again, or undo what was changed by hand";

/// Judges a queue, `name`, and its dead-letter queue, under the names that they have in this stack.
#[must_use]
pub fn judge(
    name: &str,
    (subject, dead_subject): (&str, &str),
    found: &Result<QueueFacts, Unseen>,
    found_dead: &Result<QueueFacts, Unseen>,
) -> Vec<Finding> {
    let check = Check::Queues;
    let mut findings = match found {
        Err(unseen) => vec![check.unseen(subject, unseen, DEPLOY)],
        Ok(queue) => judge_worked(subject, dead_subject, queue),
    };
    let dead = match found_dead {
        Err(unseen) => {
            findings.push(check.unseen(dead_subject, unseen, DEPLOY));
            return findings;
        }
        Ok(dead) => dead,
    };
    if let Ok(queue) = found
        && dead.kept_s <= queue.kept_s
    {
        let said = format!(
            "it keeps messages for {}, no longer than {subject} ({}): what was moved to it late is \
             dropped",
            days(dead.kept_s),
            days(queue.kept_s)
        );
        findings.push(check.finding(dead_subject, State::Failed, said, AGAIN));
    }
    let lying = dead.waiting + dead.under_way + dead.delayed;
    findings.push(if lying == 0 {
        check.ok(dead_subject, format!("it is empty and keeps messages for {}", days(dead.kept_s)))
    } else {
        let records = if lying == 1 { "record lies" } else { "records lie" };
        let said = format!("about {lying} {records} there that could not be read or worked");
        let advice = format!("see why: workflows dead-letters list --queue {name}");
        check.finding(dead_subject, State::Warning, said, advice)
    });
    findings
}

fn judge_worked(subject: &str, dead_subject: &str, queue: &QueueFacts) -> Vec<Finding> {
    let check = Check::Queues;
    let mut findings = Vec::new();
    match &queue.gives_up_to {
        None => {
            let said = "it has no redrive policy: what cannot be worked for four days is lost";
            findings.push(check.finding(subject, State::Failed, said, AGAIN));
        }
        Some(arn) if arn.rsplit(':').next() == Some(dead_subject) => {}
        Some(arn) => {
            let said = format!("what it gives up goes to {arn}, and not to {dead_subject}");
            findings.push(check.finding(subject, State::Failed, said, AGAIN));
        }
    }
    if queue.hidden_s < QUEUE_HIDDEN_MIN_S {
        let is_worse = queue.hidden_s < DELIVERY_TIMEOUT_S;
        let state = if is_worse { State::Failed } else { State::Warning };
        let said = format!(
            "it hides a message for {} s and shows it again while it may still be worked; six times \
             the function's {DELIVERY_TIMEOUT_S} s are advised",
            queue.hidden_s
        );
        findings.push(check.finding(subject, state, said, AGAIN));
    }
    if findings.is_empty() {
        let QueueFacts { waiting, under_way, delayed, .. } = queue;
        let said = format!(
            "about {waiting} waiting, {under_way} being worked, {delayed} delayed; what it gives up \
             is kept"
        );
        findings.push(check.ok(subject, said));
    }
    findings
}

fn days(seconds: u64) -> String {
    match seconds / 86_400 {
        0 => format!("{seconds} s"),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut QueueFacts, &mut QueueFacts);

    const NAMES: (&str, &str) = ("x-events", "x-events-dead-letter");

    fn facts(name: &str, kept_s: u64, gives_up_to: Option<&str>) -> QueueFacts {
        let arn = |name: &str| format!("arn:aws:sqs:eu-central-1:000000000000:{name}");
        QueueFacts {
            arn: arn(name),
            hidden_s: 180,
            kept_s,
            gives_up_to: gives_up_to.map(arn),
            waiting: 0,
            under_way: 0,
            delayed: 0,
        }
    }

    /// The states and sentences of a pair with something wrong.
    fn said(spoil: impl FnOnce(&mut QueueFacts, &mut QueueFacts)) -> Vec<(State, String)> {
        let mut queue = facts(NAMES.0, 345_600, Some(NAMES.1));
        let mut dead = facts(NAMES.1, 1_209_600, None);
        spoil(&mut queue, &mut dead);
        let findings = judge("events", NAMES, &Ok(queue), &Ok(dead));
        findings.into_iter().map(|finding| (finding.state, finding.said)).collect()
    }

    #[test]
    fn a_pair_of_queues_is_well() {
        let said = said(|queue, _| queue.waiting = 12);
        assert!(said.iter().all(|(state, _)| *state == State::Ok));
        assert!(said[0].1.starts_with("about 12 waiting, 0 being worked, 0 delayed"));
        assert_eq!(said[1].1, "it is empty and keeps messages for 14 days");
    }

    #[test]
    fn whatever_would_lose_a_message_is_told() {
        let spoilt: [(Spoil, State, &str); 6] = [
            (|queue, _| queue.gives_up_to = None, State::Failed, "no redrive policy"),
            (
                |queue, _| queue.gives_up_to = Some("arn:aws:sqs:a:b:other".to_owned()),
                State::Failed,
                "and not to x-events-dead-letter",
            ),
            (|_, dead| dead.kept_s = 345_600, State::Failed, "no longer than x-events (4 days)"),
            (|queue, _| queue.hidden_s = 179, State::Warning, "hides a message for 179 s"),
            (|queue, _| queue.hidden_s = 29, State::Failed, "hides a message for 29 s"),
            (|_, dead| dead.under_way = 1, State::Warning, "about 1 record lies there"),
        ];
        for (spoil, state, expected) in spoilt {
            let said = said(spoil);
            let is_told =
                |(found, said): &(State, String)| *found == state && said.contains(expected);
            assert!(said.iter().any(is_told), "{expected}: {said:?}");
        }
    }

    #[test]
    fn each_of_the_pair_is_looked_at_alone() {
        let queue = facts(NAMES.0, 345_600, Some(NAMES.1));
        let findings = judge("events", NAMES, &Ok(queue), &Err(Unseen::NotThere));
        let states: Vec<State> = findings.iter().map(|finding| finding.state).collect();
        assert_eq!(states, [State::Ok, State::Failed]);
        let dead = facts(NAMES.1, 60, None);
        let findings = judge("events", NAMES, &Err(Unseen::NotThere), &Ok(dead));
        let states: Vec<State> = findings.iter().map(|finding| finding.state).collect();
        assert_eq!(states, [State::Failed, State::Ok]);
    }
}
