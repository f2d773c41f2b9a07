//! The log of a deployed function, and everything that any crate says.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic while writing")).into_owned()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while writing").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Listens from when it begins to the end of the process.
pub(crate) struct Watch {
    deployed: Written,
    everything: Written,
}

impl Watch {
    /// The subscriber of this process. There is one test in it.
    pub(crate) fn begin() -> Self {
        let watch = Self { deployed: Written::default(), everything: Written::default() };
        let (deployed, everything) = (watch.deployed.clone(), watch.everything.clone());
        tracing_subscriber::registry()
            .with(adapters::log::lines(LevelFilter::TRACE, move || deployed.clone()))
            .with(
                tracing_subscriber::fmt::layer()
                    .with_ansi(false)
                    .with_writer(move || everything.clone()),
            )
            .try_init()
            .expect("the first one");
        watch
    }

    /// Has a thread panic over this text, under the hook that a deployed function has.
    #[expect(clippy::unused_self, reason = "what the hook logs is what is watched")]
    pub(crate) fn panics_over(&self, text: &'static str) {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(adapters::panics::report));
        let panicked = std::thread::spawn(move || text.parse::<u32>().expect(text)).join();
        std::panic::set_hook(usual);
        assert!(panicked.is_err(), "a panic");
    }

    /// What a deployed function would have logged, at `trace`.
    pub(crate) fn deployed(&self) -> String {
        self.deployed.text()
    }

    /// What all crates said, at `trace`.
    pub(crate) fn everything(&self) -> String {
        self.everything.text()
    }
}
