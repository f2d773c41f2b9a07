//! Functions: what wakes them, how long they may run, and their environment.

use std::collections::BTreeMap;

use super::resolve::{Reason, Resolver};
use super::resources::Queue;
use super::routes::Route;
use super::{Account, TemplateError, property::Property};

/// An `AWS::Serverless::Function`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Logical ID in the template, e.g. `DeliveryFunction`.
    pub logical_id: String,
    /// Name, e.g. `local-DeliveryFunction`.
    pub name: String,
    /// How long one invocation may run, in seconds: 1 to 900, 3 by default.
    pub timeout_s: u32,
    /// Environment variables, those of `Globals` included. A reference to a queue is its URL, to
    /// a table its name, to a secret its ARN.
    pub environment: BTreeMap<String, String>,
    /// The queues that wake it.
    pub queue_mappings: Vec<QueueMapping>,
    /// The HTTP requests that wake it.
    pub routes: Vec<Route>,
    /// The schedules that wake it, as written, e.g. `rate(1 minute)`.
    pub schedules: Vec<String>,
}

/// A queue that wakes a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMapping {
    /// Name of the queue, e.g. `events`.
    pub queue: String,
    /// The most messages of one invocation: 1 to 10,000, 10 by default.
    pub batch_size: u32,
    /// How long to gather a batch, in seconds: 0 to 300.
    pub batching_window_s: u32,
    /// The most invocations at once, 2 to 1,000, if limited.
    pub maximum_concurrency: Option<u32>,
    /// Whether the function's answer names the messages that failed.
    pub report_batch_item_failures: bool,
}

impl Function {
    pub(super) fn read(
        root: &Property<'_>,
        resolver: &Resolver<'_>,
    ) -> Result<Self, TemplateError> {
        let globals = Property::of_globals(resolver);
        let timeout_s = match root.number_of("Timeout")? {
            Some(own) => own,
            None => globals.number_of("Timeout")?.unwrap_or(3),
        };
        let mut function = Self {
            logical_id: root.resource().to_owned(),
            name: root.physical_name()?,
            timeout_s,
            environment: environment(&globals)?,
            queue_mappings: Vec::new(),
            routes: Vec::new(),
            schedules: Vec::new(),
        };
        function.environment.extend(environment(root)?);
        for (_, event) in root.entries_of("Events")? {
            function.add(&event)?;
        }
        Ok(function)
    }

    fn add(&mut self, event: &Property<'_>) -> Result<(), TemplateError> {
        let kind = event.require("Type")?.text()?;
        let properties = event.get("Properties")?;
        match (kind.as_str(), properties) {
            ("SQS", Some(of)) => self.queue_mappings.push(QueueMapping::read(&of)?),
            ("Schedule", Some(of)) => self.schedules.push(of.require("Schedule")?.text()?),
            ("ScheduleV2", Some(of)) => {
                self.schedules.push(of.require("ScheduleExpression")?.text()?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Turns the ARNs of the mappings into the names of the queues they belong to.
    pub(super) fn name_queues(
        &mut self,
        queues: &[Queue],
        account: &Account,
    ) -> Result<(), TemplateError> {
        for mapping in &mut self.queue_mappings {
            let named = queues.iter().find(|queue| account.queue_arn(&queue.name) == mapping.queue);
            let Some(queue) = named else {
                return Err(TemplateError::Property {
                    resource: self.logical_id.clone(),
                    property: "Events.Queue".to_owned(),
                    reason: Reason::UnknownReference(mapping.queue.clone()),
                });
            };
            mapping.queue.clone_from(&queue.name);
        }
        Ok(())
    }
}

impl QueueMapping {
    fn read(of: &Property<'_>) -> Result<Self, TemplateError> {
        let scaling = of.get("ScalingConfig")?;
        let mut reports = false;
        for kind in of.items_of("FunctionResponseTypes")? {
            reports |= kind.text()? == "ReportBatchItemFailures";
        }
        Ok(Self {
            queue: of.require("Queue")?.text()?,
            batch_size: of.number_of("BatchSize")?.unwrap_or(10),
            batching_window_s: of.number_of("MaximumBatchingWindowInSeconds")?.unwrap_or(0),
            maximum_concurrency: match scaling {
                Some(scaling) => scaling.number_of("MaximumConcurrency")?,
                None => None,
            },
            report_batch_item_failures: reports,
        })
    }
}

fn environment(of: &Property<'_>) -> Result<BTreeMap<String, String>, TemplateError> {
    let Some(environment) = of.get("Environment")? else {
        return Ok(BTreeMap::new());
    };
    let variables = environment.entries_of("Variables")?;
    let variables = variables.into_iter();
    variables.map(|(name, value)| Ok((name, value.text()?))).collect()
}
