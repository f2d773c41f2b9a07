//! Outages on demand, for demonstrations and for tests of the whole path.

use std::sync::{Arc, Mutex, PoisonError};

/// A service of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// SQS.
    Sqs,
    /// Secrets Manager.
    SecretsManager,
    /// KMS.
    Kms,
    /// Lambda.
    Lambda,
}

/// Something that goes wrong until it is cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every call of the service is answered 503 `ServiceUnavailable`.
    Down(Service),
    /// Every call of one operation is answered 503 `ServiceUnavailable`.
    OperationDown {
        /// The service.
        service: Service,
        /// The operation, e.g. `SendMessageBatch`.
        operation: String,
    },
    /// Every call of one operation is refused, as IAM refuses it.
    NotAllowed {
        /// The service.
        service: Service,
        /// The operation, e.g. `DescribeTable`.
        operation: String,
    },
    /// The mapping of this queue is disabled: its poller takes no further message.
    MappingDisabled(String),
    /// The endpoint's clock is off by so many seconds, as its answers say the time.
    ClockOff(i64),
    /// `SendMessageBatch` stores the other entries and answers `InternalError`, not the sender's
    /// fault, for the entries at these positions, counted from 0.
    BatchEntriesRefused(Vec<usize>),
}

/// The switch: what is set goes wrong at once and for everybody, until it is cleared. Clones
/// share the switch.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    set: Arc<Mutex<Vec<Fault>>>,
}

impl Faults {
    /// Switches a fault on.
    pub fn set(&self, fault: Fault) {
        self.with(|set| {
            if !set.contains(&fault) {
                set.push(fault);
            }
        });
    }

    /// Switches a fault off.
    pub fn clear(&self, fault: &Fault) {
        self.with(|set| set.retain(|it| it != fault));
    }

    /// Switches every fault off.
    pub fn clear_all(&self) {
        self.with(Vec::clear);
    }

    /// Whether this call must fail.
    pub(super) fn is_down(&self, service: Service, operation: &str) -> bool {
        self.with(|set| {
            set.iter().any(|fault| match fault {
                Fault::Down(down) => *down == service,
                Fault::OperationDown { service: of, operation: down } => {
                    *of == service && down == operation
                }
                Fault::NotAllowed { .. }
                | Fault::MappingDisabled(_)
                | Fault::ClockOff(_)
                | Fault::BatchEntriesRefused(_) => false,
            })
        })
    }

    /// Whether whoever makes this call may not.
    pub(super) fn forbids(&self, service: Service, operation: &str) -> bool {
        let forbidden = Fault::NotAllowed { service, operation: operation.to_owned() };
        self.with(|set| set.contains(&forbidden))
    }

    /// Whether the mapping of this queue is disabled.
    pub(crate) fn disables_mapping(&self, queue: &str) -> bool {
        self.with(|set| set.contains(&Fault::MappingDisabled(queue.to_owned())))
    }

    /// By how many seconds the endpoint's clock is off, where it is.
    pub(super) fn clock_off_s(&self) -> Option<i64> {
        self.with(|set| {
            set.iter().find_map(|fault| match fault {
                Fault::ClockOff(off_s) => Some(*off_s),
                Fault::Down(_)
                | Fault::OperationDown { .. }
                | Fault::NotAllowed { .. }
                | Fault::MappingDisabled(_)
                | Fault::BatchEntriesRefused(_) => None,
            })
        })
    }

    /// Whether this entry of a `SendMessageBatch` must fail.
    pub(super) fn refuses_entry(&self, position: usize) -> bool {
        self.with(|set| {
            set.iter().any(|fault| match fault {
                Fault::BatchEntriesRefused(positions) => positions.contains(&position),
                Fault::Down(_)
                | Fault::OperationDown { .. }
                | Fault::NotAllowed { .. }
                | Fault::MappingDisabled(_)
                | Fault::ClockOff(_) => false,
            })
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Fault>) -> T) -> T {
        act(&mut self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
