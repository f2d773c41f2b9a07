//! Hand-made bad histories, one for each kind of lie: the checker finds it, and nothing else.

mod encryption;

use super::*;

fn pair(event: &str) -> Pair {
    Pair { event: event.to_owned(), subscription: "s1".to_owned() }
}

fn post(event: &str, at_ms: u64, attempt: u32, is_accepted: bool) -> Post {
    let endpoint = "https://s1.example.com/".to_owned();
    Post { pair: pair(event), endpoint, at_ms, attempt, is_accepted, is_encrypted: false }
}

fn dead(event: &str, reason: &str) -> Dead {
    Dead { pair: pair(event), reason: reason.to_owned() }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// One event, delivered at its second attempt.
fn honest() -> History {
    let endpoint = "https://s1.example.com/".to_owned();
    let always = Interval { endpoint, from_ms: 0, until_ms: u64::MAX };
    History {
        submitted: [("e1".to_owned(), DAY_MS - 50)].into(),
        accepted: [("e1".to_owned(), DAY_MS)].into(),
        subscribed: [("s1".to_owned(), vec![always])].into(),
        posts: vec![post("e1", DAY_MS + 100, 1, false), post("e1", DAY_MS + 30_100, 2, true)],
        calm_at_ms: DAY_MS * 2,
        attempts_max: 6,
        ..History::default()
    }
}

/// A day later another one, delivered at its second attempt, too.
fn honest_twice() -> History {
    let mut history = honest();
    history.submitted.insert("e2".to_owned(), DAY_MS * 2);
    history.accepted.insert("e2".to_owned(), DAY_MS * 2);
    history.posts.push(post("e2", DAY_MS * 2 + 100, 1, false));
    history.posts.push(post("e2", DAY_MS * 2 + 30_100, 2, true));
    history
}

#[test]
fn an_endpoint_that_is_posted_to_before_it_has_echoed_is_found() {
    let endpoint = || "https://s1.example.com/".to_owned();
    let echoes_at = |at_ms: Option<u64>| {
        found(|history| {
            history.to_be_verified.insert(endpoint());
            history.echoed_at_ms.extend(at_ms.map(|at_ms| (endpoint(), at_ms)));
        })
    };
    assert_eq!(echoes_at(Some(DAY_MS + 100)), []);
    let lie = [Lie::Unverified(pair("e1"))];
    assert_eq!(echoes_at(Some(DAY_MS + 101)), lie, "before its first event, not its second");
    assert_eq!(echoes_at(None), lie);
}

#[test]
fn a_wait_that_began_with_a_handshake_is_not_too_short_and_any_other_is() {
    let early = |change: &dyn Fn(&mut History)| {
        found(|history| {
            history.posts[1].at_ms = DAY_MS + 10_000;
            change(history);
        })
    };
    let to_be_verified = |history: &mut History| {
        let endpoint = "https://s1.example.com/".to_owned();
        history.to_be_verified.insert(endpoint.clone());
        history.echoed_at_ms.insert(endpoint, 0);
    };
    let too_early = [Lie::TooEarly(pair("e1"), 2)];
    assert_eq!(early(&to_be_verified), too_early, "nothing was made twice");
    let repeat = |history: &mut History| history.explain(Repeat::Delivery(pair("e1")));
    assert_eq!(early(&repeat), too_early, "nobody shook hands");
    assert_eq!(
        early(&|history| {
            to_be_verified(history);
            repeat(history);
        }),
        []
    );
}

fn found(change: impl FnOnce(&mut History)) -> Vec<Lie> {
    let mut history = honest();
    change(&mut history);
    check(&history).into_iter().collect()
}

#[test]
fn an_honest_history_holds() {
    assert_eq!(found(|_| {}), []);
    let given_up = |history: &mut History| {
        history.posts.truncate(1);
        history.dead.push(dead("e1", "http_410"));
    };
    assert_eq!(found(given_up), []);
    let posted_and_refused = |history: &mut History| {
        history.submitted.insert("e2".to_owned(), DAY_MS);
    };
    assert_eq!(found(posted_and_refused), []);
}

#[test]
fn a_lost_event_is_found() {
    assert_eq!(found(|history| history.posts.truncate(1)), [Lie::Lost(pair("e1"))]);
    assert_eq!(found(|history| history.posts.clear()), [Lie::Lost(pair("e1"))]);
}

#[test]
fn an_event_that_was_posted_before_somebody_subscribed_is_not_owed_to_them() {
    let subscribed_since = |from_ms| {
        move |history: &mut History| {
            history.posts.clear();
            // Posted first an hour before it was accepted: its producer had not heard the answer.
            history.submitted.insert("e1".to_owned(), DAY_MS - 3_600_000);
            let intervals = history.subscribed.get_mut("s1").expect("subscribed");
            intervals[0].from_ms = from_ms;
        }
    };
    assert_eq!(found(subscribed_since(DAY_MS - 1_800_000)), []);
    assert_eq!(found(subscribed_since(DAY_MS - 7_200_000)), [Lie::Lost(pair("e1"))]);
}

#[test]
fn whoever_was_not_subscribed_all_the_time_is_owed_nothing() {
    let ended = |until_ms| {
        move |history: &mut History| {
            history.posts.truncate(1);
            let intervals = history.subscribed.get_mut("s1").expect("subscribed");
            intervals[0].until_ms = until_ms;
        }
    };
    assert_eq!(found(ended(DAY_MS + 1_000)), []);
    assert_eq!(found(ended(DAY_MS * 3)), [Lie::Lost(pair("e1"))], "long after it was matched");
    let late = |history: &mut History| {
        history.posts.clear();
        let intervals = history.subscribed.get_mut("s1").expect("subscribed");
        intervals[0].from_ms = DAY_MS - 1_000;
    };
    assert_eq!(found(late), [], "a cache did not know of it yet");
}

#[test]
fn a_move_is_no_gap_and_a_gap_is_no_move() {
    let again_from = |from_ms| {
        move |history: &mut History| {
            history.posts.clear();
            let intervals = history.subscribed.get_mut("s1").expect("subscribed");
            intervals[0].until_ms = DAY_MS + 10;
            let endpoint = "https://moved.example.com/".to_owned();
            intervals.push(Interval { endpoint, from_ms, until_ms: u64::MAX });
        }
    };
    assert_eq!(found(again_from(DAY_MS + 10)), [Lie::Lost(pair("e1"))]);
    assert_eq!(found(again_from(DAY_MS + 11)), []);
}

#[test]
fn something_from_nowhere_is_found() {
    let from_nowhere = |history: &mut History| history.posts.push(post("e9", DAY_MS, 1, true));
    assert_eq!(found(from_nowhere), [Lie::Unexpected(pair("e9"))]);
    let nobody_subscribed = |history: &mut History| {
        history.posts[0].pair.subscription = "s9".to_owned();
    };
    assert!(matches!(found(nobody_subscribed).as_slice(), [Lie::Unexpected(_)]));
    let dead_from_nowhere = |history: &mut History| history.dead.push(dead("e9", "http_410"));
    assert_eq!(found(dead_from_nowhere), [Lie::Unexpected(pair("e9"))]);
}

#[test]
fn a_post_to_whoever_left_or_moved_is_found() {
    let left = |slack_ms| {
        move |history: &mut History| {
            history.slack_ms = slack_ms;
            let intervals = history.subscribed.get_mut("s1").expect("subscribed");
            intervals[0].until_ms = DAY_MS;
            history.posts[1].at_ms = DAY_MS + 31_000;
        }
    };
    assert_eq!(found(left(0)), [Lie::Unexpected(pair("e1"))]);
    assert_eq!(found(left(1_000)), []);
    let moved = |history: &mut History| history.posts[1].endpoint = "https://old/".to_owned();
    assert_eq!(found(moved), [Lie::Unexpected(pair("e1"))]);
}

/// What a repetition of this attempt of `e1` is called when these things are explained.
fn repeated(attempt: u32, explained: &[Repeat]) -> Vec<Lie> {
    let mut history = honest_twice();
    history.posts.push(post("e1", DAY_MS + 31_000, attempt, true));
    for repeat in explained {
        history.explain(repeat.clone());
    }
    check(&history).into_iter().collect()
}

#[test]
fn a_repetition_needs_an_explanation() {
    assert_eq!(repeated(1, &[]), [Lie::Repeated(pair("e1"), 1)]);
    assert_eq!(repeated(2, &[]), [Lie::Repeated(pair("e1"), 2)]);
    for attempt in [1, 2] {
        for explained in [
            Repeat::Event("e1".to_owned()),
            Repeat::Delivery(pair("e1")),
            Repeat::Attempt(pair("e1"), attempt),
        ] {
            assert_eq!(repeated(attempt, std::slice::from_ref(&explained)), [], "{explained:?}");
        }
    }
}

#[test]
fn what_happened_to_something_else_explains_no_repetition() {
    let to_somebody_else = Pair { subscription: "s2".to_owned(), ..pair("e1") };
    let elsewhere = [
        Repeat::Event("e2".to_owned()),
        Repeat::Delivery(pair("e2")),
        Repeat::Attempt(pair("e2"), 2),
        Repeat::Delivery(to_somebody_else.clone()),
        Repeat::Attempt(to_somebody_else, 2),
        Repeat::Attempt(pair("e1"), 1),
        Repeat::Attempt(pair("e1"), 3),
        Repeat::SetAside,
    ];
    assert_eq!(repeated(2, &elsewhere), [Lie::Repeated(pair("e1"), 2)]);
}

#[test]
fn what_happened_once_explains_one_repetition_of_each_attempt() {
    let again = |attempts: &[u32], times: usize| {
        let mut history = honest();
        let posts = attempts.iter().map(|attempt| post("e1", DAY_MS + 31_000, *attempt, true));
        history.posts.extend(posts);
        for _ in 0..times {
            history.explain(Repeat::Delivery(pair("e1")));
        }
        check(&history).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(again(&[1, 2], 1), []);
    assert_eq!(again(&[1, 2, 2], 1), [Lie::Repeated(pair("e1"), 2)]);
    assert_eq!(again(&[1, 2, 2], 2), []);
}

#[test]
fn clocks_that_disagree_explain_no_repetition() {
    let ahead = |history: &mut History| {
        history.posts.push(post("e1", DAY_MS + 31_000, 2, true));
        history.ahead_max_ms = 300_000;
    };
    assert_eq!(found(ahead), [Lie::Repeated(pair("e1"), 2)]);
}

#[test]
fn an_attempt_that_comes_too_early_is_found() {
    let at = |at_ms| move |history: &mut History| history.posts[1].at_ms = DAY_MS + at_ms;
    assert_eq!(found(at(24_100)), []);
    assert_eq!(found(at(24_099)), [Lie::TooEarly(pair("e1"), 2)]);
    let ahead = |history: &mut History| {
        at(24_099)(history);
        history.ahead_max_ms = 1;
    };
    assert_eq!(found(ahead), []);
}

#[test]
fn an_attempt_that_comes_too_late_is_found_where_nothing_stood_in_its_way() {
    let second = |history: &mut History| history.posts[1].at_ms = DAY_MS + 240_101;
    assert_eq!(found(second), [Lie::TooLate(pair("e1"), 2)]);
    let first = |history: &mut History| {
        history.posts[0].at_ms = DAY_MS + LATE_MS + 1;
        history.posts[1].at_ms = DAY_MS + LATE_MS + 30_001;
    };
    assert_eq!(found(first), [Lie::TooLate(pair("e1"), 1)]);
    let another_clock = |history: &mut History| {
        second(history);
        history.ahead_max_ms = 1;
    };
    assert_eq!(found(another_clock), []);
    let repeated = |history: &mut History| {
        second(history);
        history.posts.insert(1, post("e1", DAY_MS + 101, 1, false));
        history.explain(Repeat::Delivery(pair("e1")));
    };
    assert_eq!(found(repeated), [], "it waits for the last of those before it");
}

#[test]
fn a_breaker_stands_in_the_way_while_it_holds_the_delivery() {
    let held = |from_ms, until_ms| {
        move |history: &mut History| {
            history.posts[1].at_ms = DAY_MS + 240_101;
            history.held.insert(pair("e1"), vec![(from_ms, until_ms)]);
        }
    };
    assert_eq!(found(held(DAY_MS + 30_000, DAY_MS + 240_000)), []);
    assert_eq!(found(held(DAY_MS, DAY_MS + 240_000)), []);
    let late = [Lie::TooLate(pair("e1"), 2)];
    assert_eq!(found(held(DAY_MS, DAY_MS + 99)), late, "held before the attempt before it");
    assert_eq!(found(held(DAY_MS + 240_102, u64::MAX)), late, "held afterwards");
}

#[test]
fn once_nothing_goes_wrong_any_more_an_attempt_is_late_whatever_went_wrong_before() {
    let punctual_from = |punctual_from_ms| {
        move |history: &mut History| {
            history.posts[1].at_ms = DAY_MS + 400_000;
            history.punctual_from_ms = punctual_from_ms;
            history.explain(Repeat::Event("e1".to_owned()));
        }
    };
    let late = [Lie::TooLate(pair("e1"), 2)];
    assert_eq!(found(punctual_from(DAY_MS + 400_000 - LATE_MS - 1)), late);
    assert_eq!(found(punctual_from(DAY_MS + 400_000 - LATE_MS)), []);
    assert_eq!(found(punctual_from(u64::MAX)), []);
}

#[test]
fn a_redrive_stands_in_the_way_of_what_comes_after_it_alone() {
    let redriven = |at_ms| {
        move |history: &mut History| {
            history.posts[1].at_ms = DAY_MS + 240_101;
            history.redriven.insert(pair("e1"), vec![at_ms]);
        }
    };
    assert_eq!(found(redriven(DAY_MS + 240_101)), []);
    assert_eq!(found(redriven(DAY_MS + 240_102)), [Lie::TooLate(pair("e1"), 2)]);
}

#[test]
fn an_attempt_beyond_the_schedule_is_found() {
    assert_eq!(found(|history| history.attempts_max = 1), [Lie::TooMany(pair("e1"), 2)]);
}

#[test]
fn a_redrive_begins_the_schedule_anew_once() {
    let redriven = |times| {
        move |history: &mut History| {
            history.attempts_max = 1;
            history.posts[1].at_ms = DAY_MS + 200;
            history.redriven.insert(pair("e1"), vec![DAY_MS + 150; times]);
        }
    };
    assert_eq!(found(redriven(1)), []);
    let lies = found(redriven(0));
    assert_eq!(lies, [Lie::TooEarly(pair("e1"), 2), Lie::TooMany(pair("e1"), 2)]);
    let too_many = |history: &mut History| {
        redriven(1)(history);
        history.posts[1].attempt = 3;
    };
    assert_eq!(found(too_many), [Lie::TooMany(pair("e1"), 3)]);
}

#[test]
fn what_is_left_behind_is_found() {
    assert_eq!(found(|history| history.pending.push(pair("e1"))), [Lie::Pending(pair("e1"))]);
    assert_eq!(found(|history| history.queued = 3), [Lie::Queued(3)]);
    let no_reason = |history: &mut History| history.dead.push(dead("e1", ""));
    assert_eq!(found(no_reason), [Lie::Unexplained(pair("e1"))]);
}

#[test]
fn an_unreadable_record_that_vanished_is_found() {
    let vanished = |history: &mut History| history.garbage = 1;
    assert_eq!(found(vanished), [Lie::SetAside { garbage: 1, set_aside: 0 }]);
    let kept = |history: &mut History| (history.garbage, history.set_aside) = (1, 1);
    assert_eq!(found(kept), []);
    let twice = |history: &mut History| (history.garbage, history.set_aside) = (1, 2);
    assert_eq!(found(twice), [Lie::SetAside { garbage: 1, set_aside: 2 }]);
    let explained = |history: &mut History| {
        twice(history);
        history.explain(Repeat::SetAside);
    };
    assert_eq!(found(explained), []);
    let thrice = |history: &mut History| {
        explained(history);
        history.set_aside = 3;
    };
    assert_eq!(found(thrice), [Lie::SetAside { garbage: 1, set_aside: 3 }]);
}
