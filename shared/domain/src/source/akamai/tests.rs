//! What is believed, and what is not: every way in which a token may fail, and by which rule.

use serde_json::{Value, json};

use super::super::tests::{
    ISSUER, NOW_S, URL, application, claims, event, patched, sign, sign_under, source_with,
};
use super::*;
use crate::jose::KeySet;
use crate::subscription::KeySource;

const NOW: Timestamp = Timestamp::from_ms(NOW_S * 1_000);

fn judge_with(token: &str, source: &AkamaiSource, url: Option<&str>) -> Result<Proven, SetRefusal> {
    let unproven = Unproven::parse(token.as_bytes())?;
    let KeySource::Pinned(keys) = &source.keys else { unreachable!("pinned") };
    let wanted = unproven.wanted_key();
    let key = keys.find(wanted.kid, wanted.algorithm).ok_or(SetRefusal::Key)?;
    unproven.prove(key, source, Audience { url, now: NOW })
}

fn judge(token: &str) -> Result<Proven, SetRefusal> {
    judge_with(token, &source_with(&json!({})), Some(URL))
}

/// What comes of these claims: an event's ID, what it is ignored for, or why it is refused.
fn outcome(judged: Result<Proven, SetRefusal>) -> Result<Result<String, Ignored>, SetRefusal> {
    judged.map(|proven| match proven {
        Proven::Event(event) => Ok(event.id.to_string()),
        Proven::Ignored(ignored) => Err(ignored),
    })
}

fn event_of(claims: &Value) -> Event {
    match judge(&sign(&claims.to_string())) {
        Ok(Proven::Event(event)) => *event,
        Ok(Proven::Ignored(ignored)) => unreachable!("{ignored:?}"),
        Err(refusal) => unreachable!("{refusal}"),
    }
}

fn refusal_of(claims: &Value) -> Option<SetRefusal> {
    judge(&sign(&claims.to_string())).err()
}

/// The documented claims with another event.
fn with_event(name: &str, event: &Value) -> Value {
    patched(claims(), &json!({"events": {name: event}}))
}

#[test]
fn the_documented_events_become_the_three_user_events() {
    for (name, kind) in [
        ("entityCreated", EventType::UserCreated),
        ("entityUpdated", EventType::UserUpdated),
        ("entityDeleted", EventType::UserDeleted),
    ] {
        let read = event_of(&with_event(name, &event()));
        assert_eq!(read.kind, kind);
        assert!(read.kind.is_emitted_by(read.source));
        assert_eq!(read.source, Source::AkamaiIdentityCloud);
        assert_eq!(read.id.as_str(), "aic_00000000-0000-4000-8000-000000000001");
        assert_eq!(read.occurred_at, NOW.minus_ms(7_000));
        assert_eq!(read.accepted_at, NOW);
        assert_eq!(read.scope.key(), "PROPERTY#p1");
        assert_eq!(read.property_id.map(String::from).as_deref(), Some("p1"));
        assert!(read.client_id.is_none());
        assert_eq!(read.sub.as_ref().map(Sub::as_str), Some("u1"));
        let data: Value = serde_json::from_str(read.data.get()).expect("JSON");
        let info = patched(event(), &json!({"id": null}));
        assert_eq!(data, json!({ "dataSourceInfo": info }));
    }
}

#[test]
fn what_stands_beside_the_documented_members_is_passed_on_to_the_byte() {
    let odd = r#"{"captureApplicationId":"capture-app-1","entityType":"user","sub":"u1",
        "id":"e1","more": 1.50,"\u0061ttributes":[ ]}"#;
    let claims = claims().to_string().replacen(&event().to_string(), odd, 1);
    let Ok(Proven::Event(read)) = judge(&sign(&claims)) else { unreachable!("an event") };
    assert_eq!(
        read.data.get(),
        r#"{"dataSourceInfo":{"captureApplicationId":"capture-app-1","entityType":"user","sub":"u1","more":1.50,"attributes":[ ]}}"#
    );
}

#[test]
fn an_id_that_is_none_of_ours_is_hashed_and_stays_the_same() {
    let id_of =
        |id: &str| event_of(&with_event("entityUpdated", &patched(event(), &json!({"id": id})))).id;
    assert_eq!(id_of("7").as_str(), "aic_7");
    assert_eq!(id_of(&"x".repeat(60)).as_str().len(), 64);
    for odd in ["x".repeat(61), "a b".to_owned(), "é".to_owned(), "x".repeat(10_000)] {
        assert_eq!(id_of(&odd), id_of(&odd));
        assert_eq!(id_of(&odd).as_str().len(), 47, "{odd}");
    }
    assert_ne!(id_of("a b"), id_of("a  b"));
}

#[test]
fn a_row_decides_client_id_entity_types_and_issuers() {
    let source = source_with(&json!({
        "clientId": "c9", "entityTypes": ["customer"],
        "issuer": ["Akamai Identity Cloud", "https://v1.api.eu.janrain.com/c/webhooks"],
    }));
    let customer = patched(event(), &json!({"entityType": "customer"}));
    let older =
        patched(with_event("entityUpdated", &customer), &json!({"iss": "Akamai Identity Cloud"}));
    let Ok(Proven::Event(read)) = judge_with(&sign(&older.to_string()), &source, Some(URL)) else {
        unreachable!("an event")
    };
    assert_eq!(read.client_id.map(String::from).as_deref(), Some("c9"));
    let user = patched(claims(), &json!({"iss": "Akamai Identity Cloud"}));
    let judged = judge_with(&sign(&user.to_string()), &source, Some(URL));
    let term = SourceTerm::parse("user").ok();
    assert_eq!(outcome(judged), Ok(Err(Ignored::EntityType(term))));
    let newer = judge_with(&sign(&claims().to_string()), &source, Some(URL));
    assert_eq!(outcome(newer), Err(SetRefusal::Issuer));
}

#[test]
fn a61_the_audience_is_this_listener_as_a_string_or_among_others() {
    let other = "https://other.example.com/";
    for (aud, is_ours) in [
        (json!(URL), true),
        (json!([URL]), true),
        (json!([other, URL]), true),
        (json!(other), false),
        (json!([other]), false),
        (json!([]), false),
        (json!([URL, 7]), false),
        (json!(7), false),
        (json!({"0": URL}), false),
        (json!(format!("{URL}/")), false),
        (json!(URL.to_uppercase()), false),
    ] {
        let refusal = refusal_of(&patched(claims(), &json!({"aud": aud})));
        assert_eq!(refusal, (!is_ours).then_some(SetRefusal::Audience), "{aud}");
    }
    assert_eq!(refusal_of(&patched(claims(), &json!({"aud": null}))), Some(SetRefusal::Audience));
    // Where the row says how the listener is registered, that alone counts.
    let registered = source_with(&json!({"audience": [other]}));
    let token = sign(&claims().to_string());
    assert_eq!(judge_with(&token, &registered, Some(URL)).err(), Some(SetRefusal::Audience));
    let token = sign(&patched(claims(), &json!({"aud": other})).to_string());
    assert!(judge_with(&token, &registered, None).is_ok());
    // Where neither it nor the request says, nothing does.
    assert_eq!(
        judge_with(&token, &source_with(&json!({})), None).err(),
        Some(SetRefusal::Audience)
    );
}

#[test]
fn a_test_and_what_we_do_not_know_are_no_mistake() {
    let ignored = |name: &str, event: &Value| {
        let token = sign(&with_event(name, event).to_string());
        let unproven = Unproven::parse(token.as_bytes()).unwrap_or_else(|it| unreachable!("{it}"));
        assert!(unproven.application().is_none());
        unproven.into_ignored()
    };
    assert_eq!(ignored("test", &json!({"id": "t1"})), Ignored::Test);
    assert_eq!(ignored("sessionEnded", &json!({"id": "t1"})), Ignored::UnknownEvent(None));
    for (name, expected) in [
        ("test", Ignored::Test),
        ("sessionEnded", Ignored::UnknownEvent(SourceTerm::parse("sessionEnded").ok())),
        ("not a word", Ignored::UnknownEvent(None)),
    ] {
        let judged = judge(&sign(&with_event(name, &event()).to_string()));
        assert_eq!(outcome(judged), Ok(Err(expected)), "{name}");
    }
}

#[test]
fn old_is_no_mistake_and_the_future_is_one() {
    let day_s = 24 * 60 * 60;
    for (patch, is_sound) in [
        (json!({"iat": NOW_S - 7 * day_s, "toe": NOW_S - 8 * day_s}), true),
        (json!({"iat": 0, "toe": 0}), true),
        (json!({"iat": NOW_S + 300, "toe": NOW_S + 300}), true),
        (json!({"iat": NOW_S + 301}), false),
        (json!({"toe": NOW_S + 301}), false),
        (json!({"exp": NOW_S - 299, "nbf": NOW_S + 299}), true),
        (json!({"exp": NOW_S - 300}), false),
        (json!({"nbf": NOW_S + 301}), false),
        (json!({"iat": null}), false),
        (json!({"toe": null}), false),
        (json!({"iat": NOW_S.to_string()}), false),
        (json!({"toe": 1.5}), false),
        (json!({"toe": -1}), false),
        (json!({"toe": true}), false),
        (json!({"toe": u64::MAX}), false),
        (json!({"exp": "soon"}), false),
    ] {
        let refusal = refusal_of(&patched(claims(), &patch));
        assert_eq!(refusal, (!is_sound).then_some(SetRefusal::Time), "{patch}");
    }
}

#[test]
fn a55_a57_a60_headers_that_are_not_akamai_s_are_refused_before_anything_is_looked_up() {
    let claims = claims().to_string();
    let parsed = |header: &str| Unproven::parse(sign_under(header, &claims).as_bytes()).err();
    for (header, refusal) in [
        (r#"{"typ":"secevent+jwt","alg":"none","kid":"k1"}"#, SetRefusal::Algorithm),
        (r#"{"typ":"secevent+jwt","alg":"HS256","kid":"k1"}"#, SetRefusal::Algorithm),
        (r#"{"typ":"secevent+jwt","alg":"PS256","kid":"k1"}"#, SetRefusal::Algorithm),
        (r#"{"typ":"secevent+jwt","alg":"RS512","kid":"k1"}"#, SetRefusal::Algorithm),
        (r#"{"typ":"secevent+jwt","kid":"k1"}"#, SetRefusal::Algorithm),
        (r#"{"typ":"secevent+jwt","alg":"RS256"}"#, SetRefusal::KeyId),
        (r#"{"typ":"secevent+jwt","alg":"RS256","kid":""}"#, SetRefusal::KeyId),
        (r#"{"typ":"JWT","alg":"RS256","kid":"k1"}"#, SetRefusal::Type),
        (r#"{"alg":"RS256","kid":"k1"}"#, SetRefusal::Type),
        (r#"{"typ":"secevent+jwt","alg":"RS256","kid":"k1","crit":[]}"#, SetRefusal::Header),
        (r#"{"typ":"secevent+jwt","alg":"RS256","kid":"k1","jwk":{}}"#, SetRefusal::Header),
        (r#"{"typ":"secevent+jwt","alg":"RS256","alg":"RS256","kid":"k1"}"#, SetRefusal::Token),
    ] {
        assert_eq!(parsed(header), Some(refusal), "{header}");
    }
    let jku =
        r#"{"typ":"secevent+jwt","alg":"RS256","kid":"k1","jku":"https://attacker.example/"}"#;
    assert!(judge(&sign_under(jku, &claims)).is_ok(), "passed over");
}

#[test]
fn whatever_is_changed_after_signing_does_not_verify() {
    let token = sign(&claims().to_string());
    let other = sign(&patched(claims(), &json!({"jti": "another"})).to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    let mixed = format!("{}.{}.{}", parts[0], others[1], parts[2]);
    assert_eq!(judge(&mixed).err(), Some(SetRefusal::Signature));
    let spaced = sign(&format!(" {}", claims()));
    let signature = spaced.rsplit('.').next().expect("a signature");
    let moved = format!("{}.{}.{signature}", parts[0], parts[1]);
    assert_eq!(judge(&moved).err(), Some(SetRefusal::Signature));
    let elsewhere = source_with(&json!({}));
    let ec = KeySet::parse(br#"{"keys":[]}"#).expect("a set");
    let elsewhere = AkamaiSource { keys: KeySource::Pinned(ec), ..elsewhere };
    assert_eq!(judge_with(&token, &elsewhere, Some(URL)).err(), Some(SetRefusal::Key));
}

#[test]
fn a61_a_payload_that_says_something_else_is_refused_by_its_rule() {
    let events = |events: Value| patched(claims(), &json!({ "events": events }));
    let changed = |patch: Value| with_event("entityUpdated", &patched(event(), &patch));
    for (claims, refusal) in [
        (patched(claims(), &json!({"iss": null})), SetRefusal::Issuer),
        (patched(claims(), &json!({"iss": [ISSUER]})), SetRefusal::Issuer),
        (patched(claims(), &json!({"iss": format!("{ISSUER}/")})), SetRefusal::Issuer),
        (patched(claims(), &json!({"iss": ISSUER.to_uppercase()})), SetRefusal::Issuer),
        (patched(claims(), &json!({"jti": null})), SetRefusal::Identifiers),
        (patched(claims(), &json!({"jti": ""})), SetRefusal::Identifiers),
        (patched(claims(), &json!({"jti": 7})), SetRefusal::Identifiers),
        (patched(claims(), &json!({"txn": ["t"]})), SetRefusal::Identifiers),
        (patched(claims(), &json!({"events": null})), SetRefusal::Events),
        (events(json!({})), SetRefusal::Events),
        (events(json!([event()])), SetRefusal::Events),
        (events(json!("entityUpdated")), SetRefusal::Events),
        (events(json!({"entityUpdated": "x"})), SetRefusal::Events),
        (events(json!({"entityUpdated": event(), "entityDeleted": event()})), SetRefusal::Events),
        (changed(json!({"captureApplicationId": null})), SetRefusal::Application),
        (changed(json!({"captureApplicationId": 7})), SetRefusal::Application),
        (changed(json!({"captureApplicationId": "a#b"})), SetRefusal::Application),
        (changed(json!({"captureApplicationId": "another"})), SetRefusal::Event),
        (changed(json!({"id": null})), SetRefusal::Event),
        (changed(json!({"id": ""})), SetRefusal::Event),
        (changed(json!({"id": 7})), SetRefusal::Event),
        (changed(json!({"sub": null})), SetRefusal::Event),
        (changed(json!({"sub": "é"})), SetRefusal::Event),
        (changed(json!({"entityType": null})), SetRefusal::Event),
        (changed(json!({"entityType": ["user"]})), SetRefusal::Event),
        (changed(json!({"attributes": "email"})), SetRefusal::Event),
        (changed(json!({"attributes": [{"email": "ada@example.com"}]})), SetRefusal::Event),
        (changed(json!({"globalSub": 7})), SetRefusal::Event),
    ] {
        assert_eq!(refusal_of(&claims), Some(refusal), "{claims}");
    }
}

#[test]
fn a35_a73_a74_what_is_no_token_or_can_be_read_in_two_ways_is_refused() {
    let token = sign(&claims().to_string());
    for bad in [
        "",
        ".",
        "..",
        "...",
        "[]",
        "{}",
        "e30.e30",
        &format!("{token}."),
        &format!("{token}\n"),
        &format!(" {token}"),
        &token.replacen('.', "=.", 1),
        &token.to_uppercase(),
    ] {
        assert_eq!(Unproven::parse(bad.as_bytes()).err(), Some(SetRefusal::Token), "{bad:?}");
    }
    assert_eq!(Unproven::parse(b"\xff.e30.AQID").err(), Some(SetRefusal::Token));
    let huge = "x".repeat(SET_BYTES_MAX + 1);
    assert_eq!(Unproven::parse(huge.as_bytes()).err(), Some(SetRefusal::TooLarge));
    let twice = claims().to_string().replacen("\"iss\"", "\"jti\":\"a\",\"iss\"", 1);
    let in_event =
        claims().to_string().replacen("\"sub\":\"u1\"", "\"sub\":\"u1\",\"sub\":\"u2\"", 1);
    let deep = claims().to_string().replacen("[\"email\"]", &"[".repeat(40), 1);
    for payload in [&twice, &in_event, &deep, "", "[]", "7", "{", "\u{feff}{}"] {
        assert_ne!(payload, claims().to_string());
        let refusal = Unproven::parse(sign(payload).as_bytes()).err();
        let expected = if payload.is_empty() { SetRefusal::Token } else { SetRefusal::Payload };
        assert_eq!(refusal, Some(expected), "{payload}");
    }
}

#[test]
fn an_application_is_read_before_anything_is_proven_and_no_more_than_that() {
    let token = sign(&claims().to_string());
    let forged = format!("{}.AQID", token.rsplit_once('.').expect("a signature").0);
    let unproven = Unproven::parse(forged.as_bytes()).unwrap_or_else(|it| unreachable!("{it}"));
    assert_eq!(unproven.application(), Some(&application()));
    assert_eq!(judge(&forged).err(), Some(SetRefusal::Signature));
}
