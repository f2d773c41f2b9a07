//! A future that is ready when it is polled again.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives way once, on any executor.
pub(super) fn pause() -> Pause {
    Pause { is_over: false }
}

pub(super) struct Pause {
    is_over: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_over {
            return Poll::Ready(());
        }
        self.is_over = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
