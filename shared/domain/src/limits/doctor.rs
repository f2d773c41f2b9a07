//! Bounds of `workflows doctor`: from where on a stack is called ill.

/// How long the delivery function may run, in seconds: template.yaml's `Timeout`.
pub const DELIVERY_TIMEOUT_S: u64 = 30;
/// How long a queue hides what was received, at least, in seconds: six times the function's time-out
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
pub const QUEUE_HIDDEN_MIN_S: u64 = 6 * DELIVERY_TIMEOUT_S;
/// A clock that is off by more is told of: `iat`, `exp` and `webhook-timestamp` are compared to the
/// second, with little tolerance.
pub const CLOCK_OFF_TOLD_MS: u64 = 5_000;
/// A clock that is off by more cannot sign for AWS
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>).
pub const CLOCK_OFF_MAX_MS: u64 = 5 * 60 * 1_000;
/// A key that has signed for longer is told of. The README advises a month.
pub const KEY_AGE_TOLD_MS: u64 = 90 * 24 * 60 * 60 * 1_000;
