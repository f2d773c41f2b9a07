//! Event source mappings: that each queue wakes the delivery function, and how.

use super::{Check, Finding, State, Unseen};

/// What was found of a mapping.
#[derive(Clone)]
pub struct MappingFacts {
    /// The ARN of the function that it wakes.
    pub function: String,
    /// `Enabled`, when it works.
    pub state: String,
    /// Whether the function may say which messages of a batch have failed.
    pub reports_failures: bool,
    /// How many invocations it may have at once, where there is a limit.
    pub concurrency_max: Option<u64>,
}

type Found = Result<Vec<MappingFacts>, Unseen>;

const ENABLED: &str = "Enabled";
const AGAIN: &str = "deploy template.yaml again, or undo what was changed by hand";

/// Judges the mappings of a queue, under the name that it has in this stack.
#[must_use]
pub fn judge(subject: &str, found: &Found) -> Vec<Finding> {
    let check = Check::Mappings;
    let mappings = match found {
        Ok(mappings) => mappings,
        Err(unseen) => return vec![check.unseen(subject, unseen, AGAIN)],
    };
    let failed = |said: String, advice: &str| check.finding(subject, State::Failed, said, advice);
    let mapping = match &mappings[..] {
        [] => {
            return vec![failed(
                "it wakes no function: what lies on it stays there".to_owned(),
                AGAIN,
            )];
        }
        [mapping] => mapping,
        several => {
            let functions: Vec<&str> = several.iter().map(|it| it.function.as_str()).collect();
            let said =
                format!("{} mappings take its messages: {}", several.len(), functions.join(", "));
            let advice = "delete those that are not the stack's: each gets a part of the messages";
            return vec![failed(said, advice)];
        }
    };
    let mut findings = Vec::new();
    match mapping.state.as_str() {
        ENABLED => {}
        "Creating" | "Enabling" | "Updating" => {
            let said = format!("its mapping is {}", mapping.state);
            findings.push(check.finding(
                subject,
                State::Warning,
                said,
                "wait a minute and look again",
            ));
        }
        state => {
            let said = format!("its mapping is {state}: what lies on it stays there");
            let advice = "enable it: aws lambda update-event-source-mapping --enabled --uuid …";
            findings.push(failed(said, advice));
        }
    }
    if !mapping.reports_failures {
        let said = "its mapping lacks ReportBatchItemFailures: a message that fails brings its whole \
                    batch back, and what was delivered is sent again";
        findings.push(failed(said.to_owned(), AGAIN));
    }
    match mapping.concurrency_max {
        Some(most) if findings.is_empty() => {
            let said = format!("it wakes {}, {most} at once at most", mapping.function);
            findings.push(check.ok(subject, said));
        }
        Some(_) => {}
        None => {
            let said =
                "its mapping has no MaximumConcurrency: a storm on it takes the places of others";
            findings.push(check.finding(subject, State::Warning, said, AGAIN));
        }
    }
    findings
}

/// Whether the two queues wake the same function, where both wake one.
#[must_use]
pub fn judge_functions(events: &Found, retries: &Found) -> Option<Finding> {
    let (Ok(events), Ok(retries)) = (events, retries) else { return None };
    let ([events], [retries]) = (&events[..], &retries[..]) else { return None };
    let said = format!(
        "events wakes {}, and retries {}: they are two functions",
        events.function, retries.function
    );
    (events.function != retries.function)
        .then(|| Check::Mappings.finding("retries", State::Failed, said, AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut Vec<MappingFacts>);

    fn mapping() -> MappingFacts {
        MappingFacts {
            function: "arn:aws:lambda:eu-central-1:000000000000:function:delivery".to_owned(),
            state: ENABLED.to_owned(),
            reports_failures: true,
            concurrency_max: Some(50),
        }
    }

    #[test]
    fn one_enabled_mapping_is_well() {
        let findings = judge("events", &Ok(vec![mapping()]));
        assert!(findings.len() == 1 && findings[0].state == State::Ok);
        assert!(findings[0].said.ends_with("function:delivery, 50 at once at most"));
    }

    #[test]
    fn whatever_keeps_messages_on_a_queue_is_told() {
        let spoilt: [(Spoil, State, &str); 6] = [
            (Vec::clear, State::Failed, "it wakes no function"),
            (|all| all.push(mapping()), State::Failed, "2 mappings take its messages"),
            (|all| all[0].state = "Disabled".to_owned(), State::Failed, "its mapping is Disabled"),
            (|all| all[0].state = "Enabling".to_owned(), State::Warning, "its mapping is Enabling"),
            (|all| all[0].reports_failures = false, State::Failed, "ReportBatchItemFailures"),
            (|all| all[0].concurrency_max = None, State::Warning, "MaximumConcurrency"),
        ];
        for (spoil, state, expected) in spoilt {
            let mut mappings = vec![mapping()];
            spoil(&mut mappings);
            let findings = judge("events", &Ok(mappings));
            assert!(findings.len() == 1 && findings[0].state == state, "{expected}");
            assert!(findings[0].said.contains(expected), "{}", findings[0].said);
        }
    }

    #[test]
    fn both_queues_wake_one_function() {
        let other = MappingFacts { function: "other".to_owned(), ..mapping() };
        assert!(judge_functions(&Ok(vec![mapping()]), &Ok(vec![mapping()])).is_none());
        assert!(judge_functions(&Ok(vec![mapping()]), &Ok(vec![other])).is_some());
        assert!(judge_functions(&Ok(Vec::new()), &Ok(vec![mapping()])).is_none());
    }
}
