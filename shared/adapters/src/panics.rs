//! Panics: told by their place, never by their words.
//!
//! A panic speaks of what it tripped over: `expect` prints the error, a slice that ends inside a
//! character quotes the text. That text may be somebody's. So the place is logged and nothing else,
//! and what reaches the Lambda runtime, which would hand the words to whoever invoked the function,
//! has none.

use std::panic::{AssertUnwindSafe, PanicHookInfo, resume_unwind};

use futures_util::FutureExt as _;

/// The panic hook of a deployed function.
pub fn report(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    tracing::error!(at, "a panic");
}

/// Works an invocation. A panic in it goes on, without its words.
pub async fn wordless<T>(work: impl Future<Output = T>) -> T {
    // Boxed: an invocation's future is large, and its type is nested deeply enough as it is.
    match AssertUnwindSafe(Box::pin(work)).catch_unwind().await {
        Ok(done) => done,
        Err(_) => resume_unwind(Box::new(Wordless)),
    }
}

/// What is thrown in the place of a panic's words. The runtime knows texts, and makes of this
/// nothing but the fact.
struct Wordless;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_goes_on_without_its_words() {
        assert_eq!(wordless(async { 7 }).await, 7);
        let text = "naïve".to_owned();
        let work = wordless(async { text[..3].len() });
        let thrown = AssertUnwindSafe(work).catch_unwind().await.expect_err("a panic");
        assert!(thrown.is::<Wordless>());
        assert!(!thrown.is::<String>() && !thrown.is::<&str>());
    }
}
