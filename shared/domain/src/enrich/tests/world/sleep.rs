//! Waiting for a moment of the world's clock.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::World;
use crate::time::Timestamp;

/// Ends when the clock shows a moment.
pub(super) struct Sleep<'a> {
    pub(super) world: &'a World,
    pub(super) at: Timestamp,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.lock();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        state.timers.push((self.at, context.waker().clone()));
        Poll::Pending
    }
}
