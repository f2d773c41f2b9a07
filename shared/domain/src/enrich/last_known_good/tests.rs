//! The rule by itself, and against a model: whatever order writes arrive in.

use proptest::prelude::*;

use super::*;

const MAX_AGE_S: u32 = 100;

fn giver(name: &str) -> Giver {
    Giver::stored(name)
}

fn at(s: u64) -> Timestamp {
    Timestamp::from_ms(s * 1_000)
}

fn good(at_s: u64) -> Good {
    Good::read(&format!(r#"{{"n":{at_s}}}"#), at(at_s), giver("one")).expect("claims")
}

fn known(good_s: u64, refused_s: Option<u64>, revoked_s: Option<u64>) -> Known {
    let good = Some(good(good_s));
    Known { good, refused_at: refused_s.map(at), revoked_at: revoked_s.map(at) }
}

fn counts(known: Known, now_s: u64) -> bool {
    known.usable(&giver("one"), at(now_s), MAX_AGE_S).is_some()
}

#[test]
fn a_memory_counts_while_it_is_young_and_nothing_came_after_it() {
    assert!(counts(known(1_000, None, None), 1_000));
    assert!(counts(known(1_000, Some(999), Some(999)), 1_100));
    assert!(!counts(known(1_000, None, None), 1_101), "too old");
    for mark in [1_000, 1_001, 9_999] {
        assert!(!counts(known(1_000, Some(mark), None), 1_010), "refused at {mark}");
        assert!(!counts(known(1_000, None, Some(mark)), 1_010), "revoked at {mark}");
    }
    assert!(!counts(Known::default(), 1_000));
}

#[test]
fn another_system_behind_the_same_subscription_gave_nothing() {
    let now = at(1_000);
    assert!(known(1_000, None, None).usable(&giver("other"), now, MAX_AGE_S).is_none());
}

#[test]
fn stored_claims_are_held_to_the_rules_of_answers() {
    for claims in [r#"{"sub":"admin"}"#, r#"{"k":{}}"#, "[]", "no JSON", r#"{"k":"\u0000"}"#] {
        assert!(Good::read(claims, at(1), giver("one")).is_none(), "{claims}");
    }
}

#[test]
fn a_mark_is_kept_for_longer_than_any_memory_it_speaks_of() {
    let age_max_ms = u64::from(LAST_KNOWN_GOOD_MAX_AGE_MAX_S) * 1_000;
    let last_use = at(7).plus_ms(age_max_ms);
    assert!(mark_until_s(at(7)) > last_use.as_s() + 1);
}

/// Something that happened to a user, one a second, and how many seconds its write took; `None` when
/// it got lost.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Allowed { lands_after_s: Option<u64> },
    Refused,
    Revoked,
    Unasked,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => proptest::option::weighted(0.8, 0..40_u64)
            .prop_map(|lands_after_s| Happening::Allowed { lands_after_s }),
        1 => Just(Happening::Refused),
        1 => Just(Happening::Revoked),
        2 => Just(Happening::Unasked),
    ]
}

/// What the table shows at a moment: of each kind the latest that has landed by then.
fn table(story: &[Happening], now_s: u64) -> Known {
    let mut known = Known::default();
    for (at_s, happening) in (0..=now_s).zip(story) {
        match *happening {
            Happening::Allowed { lands_after_s: Some(after_s) } if at_s + after_s <= now_s => {
                let is_later = known.good.as_ref().is_none_or(|there| there.at < at(at_s));
                known.good = if is_later { Some(good(at_s)) } else { known.good };
            }
            Happening::Refused => known.refused_at = known.refused_at.max(Some(at(at_s))),
            Happening::Revoked => known.revoked_at = known.revoked_at.max(Some(at(at_s))),
            Happening::Allowed { .. } | Happening::Unasked => {}
        }
    }
    known
}

proptest! {
    /// The model: a stack of allows that every mark empties.
    #[test]
    fn what_counts_was_allowed_after_every_mark_and_within_its_age(
        story in prop::collection::vec(happening(), 1..300),
    ) {
        let mut since_mark: Vec<(u64, u64)> = Vec::new();
        for (now_s, happening) in (0..).zip(&story) {
            match *happening {
                Happening::Allowed { lands_after_s } => {
                    since_mark.extend(lands_after_s.map(|after_s| (now_s, now_s + after_s)));
                }
                Happening::Refused | Happening::Revoked => since_mark.clear(),
                Happening::Unasked => {}
            }
            let landed = since_mark.iter().filter(|(_, lands_s)| *lands_s <= now_s);
            let latest = landed.map(|(at_s, _)| *at_s).max();
            let expected = latest.filter(|at_s| now_s - at_s <= u64::from(MAX_AGE_S));
            let counts = table(&story, now_s).usable(&giver("one"), at(now_s), MAX_AGE_S);
            prop_assert_eq!(counts.map(|good| good.at), expected.map(at));
        }
    }
}
