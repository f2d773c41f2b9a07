//! Which deliveries are meant, as said on the command line.

use clap::Args;
use domain::id::{ClientId, EventId, PropertyId, SubscriptionId};
use domain::ledger::entry::{Filter, ReasonPattern, StandingKind};
use domain::scope::Scope;
use domain::time::Timestamp;

use crate::duration::parse_ms;

/// Which deliveries.
#[derive(Args)]
#[command(next_help_heading = "Which deliveries")]
pub(crate) struct FilterArguments {
    /// To this subscription (by an index; without it the whole table is read)
    #[arg(long, value_name = "ID", value_parser = SubscriptionId::parse)]
    subscription: Option<SubscriptionId>,
    /// Of this property
    #[arg(long, value_name = "ID", value_parser = PropertyId::parse, conflicts_with = "client")]
    property: Option<PropertyId>,
    /// Of this client ID
    #[arg(long, value_name = "ID", value_parser = ClientId::parse)]
    client: Option<ClientId>,
    /// Of this event
    #[arg(long, value_name = "ID", value_parser = EventId::parse)]
    event: Option<EventId>,
    /// Given up for this reason: a whole code, or its part before the colon, such as `exhausted`
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Last changed at this moment or later: RFC 3339, or a time ago such as 90m, 2h or 3d
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    since: Option<When>,
    /// Last changed at this moment or earlier; as --since
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    until: Option<When>,
}

impl FilterArguments {
    /// Whether anything at all was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.filter(Timestamp::from_ms(0), None) == Filter::default()
    }

    /// The filter, of deliveries that stand so.
    pub(crate) fn filter(&self, now: Timestamp, standing: Option<StandingKind>) -> Filter {
        let property = self.property.clone().map(Scope::Property);
        Filter {
            subscription_id: self.subscription.clone(),
            scope: property.or_else(|| self.client.clone().map(Scope::Client)),
            event_id: self.event.clone(),
            reason: self.reason.clone().map(ReasonPattern),
            since: self.since.map(|when| when.resolve(now)),
            until: self.until.map(|when| when.resolve(now)),
            standing,
        }
    }
}

/// A moment, or a time ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    At(Timestamp),
    AgoMs(u64),
}

/// Neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected RFC 3339, such as 2026-11-23T10:00:00Z, or a time ago, such as 30s, 90m, 2h or 3d"
)]
struct NoMoment;

impl When {
    fn parse(text: &str) -> Result<Self, NoMoment> {
        if let Some(at) = Timestamp::parse_rfc3339(text) {
            return Ok(Self::At(at));
        }
        parse_ms(text).map(Self::AgoMs).map_err(|_| NoMoment)
    }

    fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::AgoMs(ms) => now.minus_ms(ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_rfc3339_or_as_a_time_ago() {
        let now = Timestamp::from_ms(1_795_428_000_000);
        let read = |text: &str| When::parse(text).map(|when| when.resolve(now));
        assert_eq!(read("2026-11-23T10:00:00Z"), Ok(now));
        assert_eq!(read("90m"), Ok(now.minus_ms(5_400_000)));
        assert_eq!(read("3d"), Ok(now.minus_ms(3 * 86_400_000)));
        for bad in
            ["", "h", "-1h", "+1h", "1.5h", "2w", "2 h", "2µ", "99999999999999999d", "yesterday"]
        {
            assert_eq!(read(bad), Err(NoMoment), "{bad:?}");
        }
    }
}
