//! Bad histories of subscriptions that name a key.

use super::*;

const ENDPOINT: &str = "https://s1.example.com/";

/// The honest history of a subscription that names a key, changed.
fn found_encrypted(change: impl FnOnce(&mut History)) -> Vec<Lie> {
    found(|history| {
        history.to_be_encrypted.insert(ENDPOINT.to_owned());
        for post in &mut history.posts {
            post.is_encrypted = true;
        }
        change(history);
    })
}

#[test]
fn what_is_posted_in_the_clear_where_a_key_is_named_is_found() {
    assert_eq!(found_encrypted(|_| {}), []);
    let in_clear = |history: &mut History| history.posts[0].is_encrypted = false;
    assert_eq!(found_encrypted(in_clear), [Lie::InClear(pair("e1"))], "accepted or not");
    let elsewhere = |history: &mut History| {
        in_clear(history);
        history.to_be_encrypted = ["https://s2.example.com/".to_owned()].into();
    };
    assert_eq!(found_encrypted(elsewhere), []);
}

#[test]
fn a_challenge_in_the_clear_where_a_key_is_named_is_found() {
    let challenged = |history: &mut History| {
        history.challenged_in_clear =
            [ENDPOINT, "https://s2.example.com/"].map(str::to_owned).into();
    };
    assert_eq!(found_encrypted(challenged), [Lie::ChallengedInClear(ENDPOINT.to_owned())]);
}

#[test]
fn who_is_dead_for_a_key_that_could_be_used_is_found() {
    let dead_for_its_key = |times: Option<usize>| {
        found_encrypted(|history| {
            history.posts.clear();
            history.dead.push(dead("e1", "encryption_key_unusable"));
            history.unusable_keys.extend(times.map(|times| ("s1".to_owned(), times)));
            history.unusable_keys.insert("s2".to_owned(), 7);
        })
    };
    assert_eq!(dead_for_its_key(Some(1)), []);
    for times in [None, Some(0)] {
        assert_eq!(dead_for_its_key(times), [Lie::Unexplained(pair("e1"))]);
    }
}

#[test]
fn a_wait_that_began_without_a_key_is_not_too_short() {
    let early = |repeats: usize| {
        found_encrypted(|history| {
            history.posts[1].at_ms = DAY_MS + 10_000;
            for _ in 0..repeats {
                history.explain(Repeat::Delivery(pair("e1")));
            }
        })
    };
    assert_eq!(early(0), [Lie::TooEarly(pair("e1"), 2)], "nothing was made twice");
    assert_eq!(early(1), []);
}
