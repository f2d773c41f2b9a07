//! Looking and moving, on a queue in memory that can be told to fail.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::*;

const T0: Timestamp = Timestamp::from_ms(1_000_000);

/// A dead-letter queue that hands out a message a call, again and again until it is deleted.
#[derive(Default)]
struct Two {
    aside: Mutex<Vec<Aside>>,
    next: Mutex<usize>,
    back: Mutex<Vec<(String, String)>>,
    shown: Mutex<Vec<Receipt>>,
    is_refusing: bool,
    is_keeping: bool,
}

impl Ports for Two {
    fn now(&self) -> Timestamp {
        T0
    }

    async fn receive(&self) -> Result<Vec<Aside>, OurFault> {
        let mut next = self.next.lock().expect("one thread");
        let message = self.aside.lock().expect("one thread").get(*next).cloned();
        *next += 1;
        Ok(message.into_iter().collect())
    }

    async fn send_back(&self, records: &[&Aside]) -> Vec<Sent> {
        if self.is_refusing {
            return vec![Sent::Unconfirmed; records.len()];
        }
        let sent = records.iter().map(|record| (record.group(), record.body.clone()));
        self.back.lock().expect("one thread").extend(sent);
        vec![Sent::Confirmed; records.len()]
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<bool> {
        vec![!self.is_keeping; receipts.len()]
    }

    async fn show_again(&self, receipts: &[Receipt]) {
        self.shown.lock().expect("one thread").extend_from_slice(receipts);
    }
}

fn aside(id: &str, body: &str) -> Aside {
    Aside {
        id: id.to_owned(),
        receipt: Receipt(format!("r-{id}")),
        sent_at: T0,
        receives: 1,
        reason: Some("invalid_content".to_owned()),
        group: None,
        body: body.to_owned(),
    }
}

/// Nothing here waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the ports of these tests answer at once"),
    }
}

fn moved(ports: &Two, record: &Aside) -> Vec<Moved> {
    now(async {
        let mut look = Look::begin(ports);
        let records = look.next().await.expect("a queue that can be reached");
        assert_eq!(records.len(), 1);
        let moved = move_back(std::slice::from_ref(record), &mut look).await;
        look.end().await;
        moved
    })
}

#[test]
fn a_record_is_deleted_once_its_send_is_confirmed_and_not_before() {
    for (is_refusing, is_keeping, outcome, sent, shown) in [
        (false, false, Moved::Back, 1, 0),
        (true, false, Moved::NotSent, 0, 1),
        (false, true, Moved::NotDeleted, 1, 1),
    ] {
        let record = aside("m1", "a body");
        let ports =
            Two { aside: vec![record.clone()].into(), is_refusing, is_keeping, ..Two::default() };
        assert_eq!(moved(&ports, &record), [outcome]);
        assert_eq!(ports.back.lock().expect("one thread").len(), sent);
        assert_eq!(ports.shown.lock().expect("one thread").len(), shown, "{outcome:?}");
    }
}

#[test]
fn a_look_sees_each_message_once_and_none_that_came_after_it_began() {
    let late = Aside { sent_at: T0.plus_ms(1), ..aside("late", "") };
    let ports = Two {
        aside: vec![aside("m1", ""), aside("m1", ""), late, aside("m2", "")].into(),
        ..Two::default()
    };
    let ids = now(async {
        let mut look = Look::begin(&ports);
        let mut ids = Vec::new();
        for _ in 0..3 {
            let records = look.next().await.expect("a queue that can be reached");
            ids.push(records.first().map(|record| record.id.clone()));
        }
        look.end().await;
        ids
    });
    assert_eq!(ids, [Some("m1".to_owned()), Some("m2".to_owned()), None]);
    assert_eq!(ports.shown.lock().expect("one thread").len(), 4, "all are shown again");
}

#[test]
fn a_record_goes_back_under_the_group_of_its_like() {
    let events = r#"{"EventsV1":{"events":[{"id":"e1","type":"userCreated",
        "source":"next_identity","occurredAt":1,"acceptedAt":2,"scope":"PROPERTY#p1",
        "propertyId":"p1","sub":"u1","data":{}}]}}"#;
    let retry = r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":1}}"#;
    for (body, group) in [(events, "PROPERTY#p1"), (retry, "dlv_x"), ("no message", "set-aside")] {
        assert_eq!(aside("m1", body).group(), group);
    }
    let had = Aside { group: Some("s1".to_owned()), ..aside("m1", retry) };
    assert_eq!(had.group(), "s1");
}

#[test]
fn records_are_meant_by_id_by_reason_or_all_together() {
    let ours = aside("m1", "");
    let moved_by_sqs = Aside { reason: None, ..aside("m2", "") };
    let reason = |code: &str| Selection::Reason(ReasonPattern(code.to_owned()));
    for (selection, expected) in [
        (Selection::All, [true, true]),
        (reason("invalid_content"), [true, false]),
        (reason(RECEIVES_USED_UP), [false, true]),
        (Selection::Ids(["m2".to_owned()].into()), [false, true]),
    ] {
        assert_eq!([&ours, &moved_by_sqs].map(|record| selection.matches(record)), expected);
    }
}
