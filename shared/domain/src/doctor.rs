//! Whether a stack is well: what was found of its parts, judged.
//!
//! The adapters look at queues, tables, keys and mappings and bring facts; here each fact is held
//! against what the code needs, and becomes a [`Finding`]: a sentence, and what to do next. What may
//! not be looked at is no illness, and is told as that.

pub mod clocks;
pub mod keys;
pub mod mappings;
pub mod queues;
pub mod round_trip;
pub mod tables;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The API answers, and publishes keys.
    Api,
    /// The tables are there, as the code needs them.
    Tables,
    /// The queues are there, and what they give up is kept.
    Queues,
    /// There are keys to sign with, and they are published.
    Keys,
    /// The delivery function is woken by its queues.
    Mappings,
    /// This machine's clock, AWS's and the API's tell the same time.
    Clocks,
    /// An event comes to the built-in target.
    RoundTrip,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// Whoever looks may not.
    NotAllowed,
    /// It does not work, or will not for long.
    Failed,
}

/// What a check has found of one thing.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// Of what: a name of ours.
    pub subject: String,
    /// How it is.
    pub state: State,
    /// A sentence, without a capital and a full stop.
    pub said: String,
    /// What to do next; empty when there is nothing to do.
    pub advice: String,
}

/// Why a thing could not be looked at.
#[derive(Clone, PartialEq, Eq)]
pub enum Unseen {
    /// It is not there.
    NotThere,
    /// Whoever looks may not.
    NotAllowed {
        /// What they would have to be allowed: an IAM action.
        action: &'static str,
        /// On which resource, by the end of its ARN.
        on: String,
    },
    /// Nobody answered, or with something else; a public sentence.
    Unanswered(String),
}

impl Check {
    /// Its name in what is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Tables => "tables",
            Self::Queues => "queues",
            Self::Keys => "keys",
            Self::Mappings => "mappings",
            Self::Clocks => "clocks",
            Self::RoundTrip => "round-trip",
        }
    }

    /// A finding of this check that nothing is wrong with.
    #[must_use]
    pub fn ok(self, subject: &str, said: impl Into<String>) -> Finding {
        self.finding(subject, State::Ok, said, "")
    }

    /// A finding of this check.
    #[must_use]
    pub fn finding(
        self,
        subject: &str,
        state: State,
        said: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        let subject = subject.to_owned();
        Finding { check: self, subject, state, said: said.into(), advice: advice.into() }
    }

    /// What there is to say of a thing that could not be looked at; `missing` is what to do where it
    /// is not there.
    #[must_use]
    pub fn unseen(self, subject: &str, unseen: &Unseen, missing: &str) -> Finding {
        let again = "look at the network and at the Region, and repeat the command";
        match unseen {
            Unseen::NotThere => self.finding(subject, State::Failed, "it is not there", missing),
            Unseen::NotAllowed { .. } => {
                let advice = "have it allowed, or let somebody look who may; it may be well";
                self.finding(subject, State::NotAllowed, unseen.to_string(), advice)
            }
            Unseen::Unanswered(_) => {
                self.finding(subject, State::Failed, unseen.to_string(), again)
            }
        }
    }
}

impl State {
    /// Its name in what is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::NotAllowed => "not_allowed",
            Self::Failed => "failed",
        }
    }
}

impl std::fmt::Display for Unseen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotThere => f.write_str("it is not there"),
            Self::NotAllowed { action, on } => write!(f, "not allowed: {action} on {on}"),
            Self::Unanswered(why) => write!(f, "it could not be looked at: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_looked_at_is_not_called_broken() {
        let on = "table/subscriptions".to_owned();
        let denied = Unseen::NotAllowed { action: "dynamodb:DescribeTable", on };
        let finding = Check::Tables.unseen("subscriptions", &denied, "deploy it");
        assert_eq!(finding.state, State::NotAllowed);
        assert_eq!(finding.said, "not allowed: dynamodb:DescribeTable on table/subscriptions");
        let missing = Check::Tables.unseen("subscriptions", &Unseen::NotThere, "deploy it");
        assert_eq!((missing.state, missing.advice.as_str()), (State::Failed, "deploy it"));
        let silent = Unseen::Unanswered("dispatch failure".to_owned());
        assert_eq!(Check::Queues.unseen("events", &silent, "").state, State::Failed);
    }
}
