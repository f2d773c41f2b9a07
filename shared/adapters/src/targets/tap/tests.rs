//! The tap by itself: when a reader is stopped, and when it goes on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;

/// A reader of `said` eight bytes at a time, who tells of a head once so many are read.
async fn hear(said: &[u8], bytes_max: u64, head_bytes: usize) -> (Result<(), HeadTooLong>, u64) {
    let (mut theirs, ours) = tokio::io::duplex(64);
    let (mut tap, read) = Tap::new(ours);
    let said = said.to_vec();
    let target = tokio::spawn(async move { theirs.write_all(&said).await });
    let (tell, told) = oneshot::channel();
    let reader = tokio::spawn(async move {
        let (mut buffer, mut heard, mut tell) = ([0; 8], 0, Some(tell));
        while let Ok(read @ 1..) = tap.read(&mut buffer).await {
            heard += read;
            if heard >= head_bytes
                && let Some(tell) = tell.take()
            {
                tell.send(()).expect("somebody who waits");
            }
        }
    });
    let came = read.within_head(bytes_max, told).await.map(|told| told.expect("a reader"));
    if came.is_ok() {
        target.await.expect("a task").expect("written whole");
        reader.await.expect("a task");
    }
    (came, read.count())
}

#[tokio::test]
async fn a43_a_reader_is_stopped_beyond_the_bound_while_no_head_has_come() {
    assert_eq!(hear(&[b'x'; 4_096], 100, usize::MAX).await, (Err(HeadTooLong), 104));
}

#[tokio::test]
async fn a43_a_head_that_came_with_what_was_read_last_is_heard_and_what_follows_it_is_read() {
    for head_bytes in [1, 96, 97, 104] {
        assert_eq!(hear(&[b'x'; 4_096], 100, head_bytes).await, (Ok(()), 4_096), "{head_bytes}");
    }
    assert_eq!(hear(&[b'x'; 4_096], 100, 105).await, (Err(HeadTooLong), 104));
}

#[tokio::test]
async fn a43_each_head_has_the_bound_for_itself() {
    let (mut theirs, ours) = tokio::io::duplex(64);
    let (mut tap, read) = Tap::new(ours);
    for _ in 0..100 {
        theirs.write_all(&[b'x'; 64]).await.expect("room");
        let mut head = [0; 64];
        let came = read.within_head(64, tap.read_exact(&mut head)).await;
        assert!(came.is_ok_and(|head| head.is_ok()));
    }
    assert_eq!(read.count(), 6_400);
}
