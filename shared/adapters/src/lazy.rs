//! An AWS client that is made when it is first used.
//!
//! Each service's SDK reads its table of partitions and compiles its patterns when its first client is made:
//! 0.4 million instructions, a tenth of ingest's way to its first answer, for services that most
//! execution environments never call.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use aws_config::SdkConfig;

/// The client, or how it is made. Clones are the same one.
pub struct Lazy<C>(Arc<LazyLock<C, Make<C>>>);

type Make<C> = Box<dyn FnOnce() -> C + Send>;

impl<C: Send + Sync + 'static> Lazy<C> {
    /// With this configuration, by the SDK's own constructor.
    #[must_use]
    pub fn new(config: &SdkConfig, make: impl FnOnce(&SdkConfig) -> C + Send + 'static) -> Self {
        let config = config.clone();
        Self(Arc::new(LazyLock::new(Box::new(move || make(&config)))))
    }
}

impl<C: Send + 'static> From<C> for Lazy<C> {
    /// One that was made already.
    fn from(client: C) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(move || client))))
    }
}

impl<C> Clone for Lazy<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Deref for Lazy<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_is_made_once_and_not_before_it_is_used() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let config = SdkConfig::builder().build();
        let lazy = Lazy::new(&config, |_| MADE.fetch_add(1, Ordering::SeqCst));
        let clone = lazy.clone();
        assert_eq!(MADE.load(Ordering::SeqCst), 0);
        assert_eq!((*lazy, *clone), (0, 0));
        assert_eq!(MADE.load(Ordering::SeqCst), 1);
        assert_eq!(*Lazy::from(7), 7);
    }
}
