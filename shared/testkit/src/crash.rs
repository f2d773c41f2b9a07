//! Crashes: a future that is dropped where it waits.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls a future this many times and then drops it, done or not; `None` when it was not.
///
/// The world's calls wait for nothing outside, so a future made of them is done after finitely
/// many polls, and each number of polls below that is another moment to crash at.
pub fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..times).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}
