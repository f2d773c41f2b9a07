//! Who is subscribed to what, and therefore what has to arrive where.

use crate::Failure;
use crate::targets::Kind;

/// What a load consists of. Everything is a function of numbers: the nth event is about the property
/// whose turn it is, and a property's subscriptions are at the targets whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Targets, and as many properties.
    pub targets: usize,
    /// Subscriptions of each property.
    pub fan_out: usize,
    /// Events of each POST, all of one property.
    pub events_a_post: usize,
    /// How many of a hundred targets hang, fail, or are slow.
    pub percents: Percents,
}

/// How many of a hundred targets are unwell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Percents {
    /// Take requests and say nothing.
    pub hanging: usize,
    /// Answer 503.
    pub failing: usize,
    /// Take their time.
    pub slow: usize,
}

impl Plan {
    /// The plan, if it can be carried out.
    pub fn checked(self) -> Result<Self, Failure> {
        let Percents { hanging, failing, slow } = self.percents;
        if self.fan_out == 0 || self.events_a_post == 0 || self.targets < self.fan_out {
            return Err("expected at least one subscription and event, and as many targets as \
                        subscriptions (--fan-out, --events-a-post, --targets)"
                .into());
        }
        if hanging + failing + slow > 100 || self.events_a_post > 100 {
            return Err("expected at most a hundred percent, and a hundred events a POST".into());
        }
        Ok(self)
    }

    /// What a target is like. Unwell ones are spread evenly.
    #[must_use]
    pub fn kind(self, target: usize) -> Kind {
        let Percents { hanging, failing, slow } = self.percents;
        // 37 has no factor in common with 100: consecutive targets are far from each other.
        match target * 37 % 100 {
            place if place < hanging => Kind::Hanging,
            place if place < hanging + failing => Kind::Failing,
            place if place < hanging + failing + slow => Kind::Slow,
            _ => Kind::Healthy,
        }
    }

    /// The property of a POST.
    #[must_use]
    pub fn property_of_post(self, post: usize) -> usize {
        post % self.targets
    }

    /// The property of an event.
    #[must_use]
    pub fn property_of_event(self, event: usize) -> usize {
        self.property_of_post(event / self.events_a_post)
    }

    /// The target of a property's nth subscription.
    #[must_use]
    pub fn target(self, property: usize, subscription: usize) -> usize {
        (property * self.fan_out + subscription) % self.targets
    }

    /// Where an event has to arrive.
    pub fn targets_of(self, event: usize) -> impl Iterator<Item = usize> {
        let property = self.property_of_event(event);
        (0..self.fan_out).map(move |subscription| self.target(property, subscription))
    }
}

/// What a property is called.
#[must_use]
pub fn property(number: usize) -> String {
    format!("bench-{number}")
}

/// What an event is called.
#[must_use]
pub fn event_id(number: usize) -> String {
    format!("b{number}")
}

/// The number of an event.
#[must_use]
pub fn event_number(id: &str) -> Option<usize> {
    id.strip_prefix('b')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        targets: 100,
        fan_out: 3,
        events_a_post: 10,
        percents: Percents { hanging: 10, failing: 5, slow: 1 },
    };

    #[test]
    fn as_many_targets_are_unwell_as_is_said() {
        let count = |kind| (0..100).filter(|target| PLAN.kind(*target) == kind).count();
        let counts = [Kind::Hanging, Kind::Failing, Kind::Slow, Kind::Healthy].map(count);
        assert_eq!(counts, [10, 5, 1, 84]);
    }

    #[test]
    fn an_event_arrives_at_as_many_different_targets_as_its_property_has_subscriptions() {
        for event in 0..2_000 {
            let targets: std::collections::HashSet<_> = PLAN.targets_of(event).collect();
            assert_eq!(targets.len(), 3, "{event}");
        }
        assert_eq!(PLAN.property_of_event(9), PLAN.property_of_event(0), "one POST, one property");
        assert_eq!(event_number(&event_id(17)), Some(17));
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        assert!(PLAN.checked().is_ok());
        assert!(Plan { fan_out: 101, ..PLAN }.checked().is_err());
        assert!(Plan { events_a_post: 0, ..PLAN }.checked().is_err());
        let percents = Percents { hanging: 60, failing: 60, slow: 0 };
        assert!(Plan { percents, ..PLAN }.checked().is_err());
    }
}
