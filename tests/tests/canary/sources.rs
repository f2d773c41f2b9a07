//! What a third party's source posts to the listener, and who would like to be it.

use adapters::item::from_json;
use local::aws::{Fault, Service};
use serde_json::{Value, json};
use testkit::akamai::{
    MEDIA_TYPE, PATH, claims, event, header, impostor, row, signer, token, token_of,
};

use crate::stack::{Stack, s};
use crate::words::{DATUM, MALFORMED, ROW, SUB};

/// Claims about a user, full of what is nobody else's business.
fn personal(event_id: &str) -> Value {
    let mut event = event("entityUpdated", event_id);
    event["sub"] = SUB.into();
    event["globalSub"] = format!("capture-v1://us.janraincapture.com/app/user/{SUB}").into();
    event["note"] = DATUM.into();
    claims(&json!({ "entityUpdated": event }))
}

pub(crate) async fn play(stack: &Stack) {
    let akamai = signer();
    let token_with = |name: &str, value: Value| {
        let mut claims = personal("refused");
        claims[name] = value;
        token(&akamai, &claims)
    };
    let (status, said) = stack.post(PATH, MEDIA_TYPE, token(&akamai, &personal("canary-1"))).await;
    assert_eq!((status, said.as_str()), (202, ""));
    let mut profile = personal("canary-2");
    profile["events"]["entityUpdated"]["entityType"] = "profile".into();
    let test = token_of(&akamai, "test", MALFORMED);
    for ignored in [token(&akamai, &profile), test] {
        let (status, said) = stack.post(PATH, MEDIA_TYPE, ignored).await;
        assert_eq!((status, said.as_str()), (202, ""));
    }
    let with_event = |name: &str, value: Value| {
        let mut event = event("entityUpdated", "refused");
        event[name] = value;
        claims(&json!({ "entityUpdated": event }))
    };
    let odd_header = |name: &str| {
        let mut header = header();
        header[name] = MALFORMED.into();
        akamai.sign_text(&header.to_string(), personal("refused").to_string().as_bytes())
    };
    for refused in [
        MALFORMED.to_owned(),
        format!("{MALFORMED}.{MALFORMED}.{MALFORMED}"),
        token(&impostor(), &personal("refused")),
        odd_header("typ"),
        odd_header("alg"),
        odd_header("kid"),
        odd_header("crit"),
        token_with("iss", json!(MALFORMED)),
        token_with("aud", json!([MALFORMED])),
        token_with("iat", json!(MALFORMED)),
        token_with("jti", json!([MALFORMED])),
        token_with("events", json!({MALFORMED: {}, "entityUpdated": MALFORMED})),
        token(&akamai, &with_event("captureApplicationId", json!(MALFORMED))),
        token(&akamai, &with_event("captureApplicationId", json!(format!("{MALFORMED} #")))),
        token(&akamai, &with_event("sub", json!([MALFORMED]))),
        token(&akamai, &with_event("attributes", json!({MALFORMED: MALFORMED}))),
    ] {
        let (status, said) = stack.post(PATH, MEDIA_TYPE, refused).await;
        assert_eq!(status, 400, "{said}");
    }
    let (status, _) = stack.post(PATH, &format!("application/{MALFORMED}"), MALFORMED).await;
    assert_eq!(status, 415);
    trouble(stack).await;
}

/// A row that makes no sense, one whose keys are nowhere, and tables that are down.
async fn trouble(stack: &Stack) {
    let of = |application: &str, event_id: &str| {
        let mut claims = personal(event_id);
        claims["events"]["entityUpdated"]["captureApplicationId"] = application.into();
        token(&signer(), &claims)
    };
    let mut nowhere = row(&Value::Null);
    nowhere["jwksUri"] = format!("https://{ROW}:{ROW}@{ROW}/").into();
    for (application, row) in [
        ("senseless", json!({"propertyId": ROW, "issuer": ROW, "enabled": ROW, "jwks": ROW})),
        ("nowhere", nowhere),
    ] {
        let members = row.as_object().expect("an object").iter();
        let attributes = members.map(|(name, value)| (name.clone(), from_json(value)));
        let mut item: crate::stack::Item = attributes.collect();
        item.insert("pk".to_owned(), s(format!("SOURCE#akamai_identity_cloud#{application}")));
        item.insert("sk".to_owned(), s("CONFIG"));
        stack.put("subscriptions", item).await;
        let (status, said) = stack.post(PATH, MEDIA_TYPE, of(application, "refused")).await;
        assert_eq!(status, 503, "{said}");
    }
    let faults = stack.local.aws().faults();
    faults.set(Fault::Down(Service::DynamoDb));
    let (status, said) = stack.post(PATH, MEDIA_TYPE, of(MALFORMED, "refused")).await;
    assert_eq!(status, 503, "{said}");
    faults.clear_all();
}
