//! Queues, tables, secrets and keys, with the values AWS takes where the template is silent.

use super::TemplateError;
use super::property::Property;
use super::resolve::Reason;

/// An `AWS::SQS::Queue`. All times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Logical ID in the template, e.g. `EventsQueue`.
    pub logical_id: String,
    /// Name, e.g. `events`.
    pub name: String,
    /// How long a received message stays hidden: 0 to 43,200, 30 by default.
    pub visibility_timeout_s: u32,
    /// How long a message is kept: 60 to 1,209,600, four days by default.
    pub retention_s: u32,
    /// How long `ReceiveMessage` waits by default: 0 to 20.
    pub receive_wait_s: u32,
    /// How long a new message stays hidden: 0 to 900.
    pub delay_s: u32,
    /// The largest message, in bytes: 1,024 to 1,048,576, the latter by default.
    pub message_size_max_bytes: u32,
    /// Where messages go that are received too often.
    pub redrive: Option<Redrive>,
}

/// A queue's redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub dead_letter_queue_arn: String,
    /// After so many receives without a delete the next one moves the message: 1 to 1,000.
    pub receive_count_max: u32,
}

/// An `AWS::DynamoDB::Table`. Its billing mode is not read: here every table is on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Logical ID in the template, e.g. `SubscriptionsTable`.
    pub logical_id: String,
    /// Name, e.g. `subscriptions`.
    pub name: String,
    /// Attributes that keys use.
    pub attributes: Vec<Attribute>,
    /// The primary key: partition, then sort.
    pub keys: Vec<Key>,
    /// Global secondary indexes.
    pub indexes: Vec<Index>,
    /// The attribute that holds the time to live, if that is switched on.
    pub ttl_attribute: Option<String>,
}

/// An attribute that a key uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: AttributeKind,
}

/// The types that a key attribute can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// `S`
    Text,
    /// `N`
    Number,
    /// `B`
    Binary,
}

impl AttributeKind {
    /// As DynamoDB writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "S",
            Self::Number => "N",
            Self::Binary => "B",
        }
    }
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The attribute.
    pub attribute: String,
    /// Its part in the key.
    pub role: KeyRole,
}

/// The parts of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// `HASH`
    Partition,
    /// `RANGE`
    Sort,
}

impl KeyRole {
    /// As DynamoDB writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partition => "HASH",
            Self::Sort => "RANGE",
        }
    }
}

/// A global secondary index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its key: partition, then sort.
    pub keys: Vec<Key>,
    /// What it carries.
    pub projection: Projection,
}

/// What an index carries besides its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// The whole item.
    All,
    /// Nothing.
    KeysOnly,
    /// These attributes.
    Include(Vec<String>),
}

/// An `AWS::SecretsManager::Secret`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Logical ID in the template, e.g. `SigningKeysSecret`.
    pub logical_id: String,
    /// Name, e.g. `signing-keys`.
    pub name: String,
    /// The value that the template gives it, if any.
    pub initial_value: Option<String>,
}

/// An `AWS::KMS::Key`, of which nothing else is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKey {
    /// Logical ID in the template, e.g. `WebhookSecretsKey`; here also the key's ID.
    pub logical_id: String,
}

/// An `AWS::KMS::Alias`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsAlias {
    /// Name, e.g. `alias/webhook-secrets`.
    pub name: String,
    /// The ID of the key that it stands for.
    pub key_id: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("logical_id", &self.logical_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn read(root: &Property<'_>) -> Result<Self, TemplateError> {
        let redrive = match root.get("RedrivePolicy")? {
            None => None,
            Some(policy) => Some(Redrive {
                dead_letter_queue_arn: policy.require("deadLetterTargetArn")?.text()?,
                receive_count_max: policy.require("maxReceiveCount")?.number()?,
            }),
        };
        let seconds = |key, default| Ok(root.number_of(key)?.unwrap_or(default));
        Ok(Self {
            logical_id: root.resource().to_owned(),
            name: root.physical_name()?,
            visibility_timeout_s: seconds("VisibilityTimeout", 30)?,
            retention_s: seconds("MessageRetentionPeriod", 345_600)?,
            receive_wait_s: seconds("ReceiveMessageWaitTimeSeconds", 0)?,
            delay_s: seconds("DelaySeconds", 0)?,
            message_size_max_bytes: root.number_of("MaximumMessageSize")?.unwrap_or(1_048_576),
            redrive,
        })
    }
}

impl Table {
    pub(super) fn read(root: &Property<'_>) -> Result<Self, TemplateError> {
        let attributes = root.items_of("AttributeDefinitions")?;
        let indexes = root.items_of("GlobalSecondaryIndexes")?;
        Ok(Self {
            logical_id: root.resource().to_owned(),
            name: root.physical_name()?,
            attributes: attributes.iter().map(Attribute::read).collect::<Result<_, _>>()?,
            keys: keys(root)?,
            indexes: indexes.iter().map(Index::read).collect::<Result<_, _>>()?,
            ttl_attribute: ttl_attribute(root)?,
        })
    }
}

impl Attribute {
    fn read(of: &Property<'_>) -> Result<Self, TemplateError> {
        let kind = of.require("AttributeType")?;
        Ok(Self {
            name: of.require("AttributeName")?.text()?,
            kind: match kind.text()?.as_str() {
                "S" => AttributeKind::Text,
                "N" => AttributeKind::Number,
                "B" => AttributeKind::Binary,
                other => return Err(kind.wrong(Reason::UnknownValue(other.to_owned()))),
            },
        })
    }
}

impl Key {
    fn read(of: &Property<'_>) -> Result<Self, TemplateError> {
        let role = of.require("KeyType")?;
        Ok(Self {
            attribute: of.require("AttributeName")?.text()?,
            role: match role.text()?.as_str() {
                "HASH" => KeyRole::Partition,
                "RANGE" => KeyRole::Sort,
                other => return Err(role.wrong(Reason::UnknownValue(other.to_owned()))),
            },
        })
    }
}

impl Index {
    fn read(of: &Property<'_>) -> Result<Self, TemplateError> {
        let projection = of.require("Projection")?;
        let kind = projection.require("ProjectionType")?;
        Ok(Self {
            name: of.require("IndexName")?.text()?,
            keys: keys(of)?,
            projection: match kind.text()?.as_str() {
                "ALL" => Projection::All,
                "KEYS_ONLY" => Projection::KeysOnly,
                "INCLUDE" => {
                    let names = projection.items_of("NonKeyAttributes")?;
                    Projection::Include(names.iter().map(Property::text).collect::<Result<_, _>>()?)
                }
                other => return Err(kind.wrong(Reason::UnknownValue(other.to_owned()))),
            },
        })
    }
}

impl Secret {
    pub(super) fn read(root: &Property<'_>) -> Result<Self, TemplateError> {
        Ok(Self {
            logical_id: root.resource().to_owned(),
            name: root.physical_name()?,
            initial_value: root.text_of("SecretString")?,
        })
    }
}

impl KmsKey {
    pub(super) fn read(root: &Property<'_>) -> Self {
        Self { logical_id: root.resource().to_owned() }
    }
}

impl KmsAlias {
    pub(super) fn read(root: &Property<'_>) -> Result<Self, TemplateError> {
        Ok(Self { name: root.physical_name()?, key_id: root.require("TargetKeyId")?.text()? })
    }
}

fn keys(of: &Property<'_>) -> Result<Vec<Key>, TemplateError> {
    of.items_of("KeySchema")?.iter().map(Key::read).collect()
}

fn ttl_attribute(root: &Property<'_>) -> Result<Option<String>, TemplateError> {
    let Some(ttl) = root.get("TimeToLiveSpecification")? else {
        return Ok(None);
    };
    let enabled = ttl.require("Enabled")?.text()?;
    if enabled.eq_ignore_ascii_case("true") {
        Ok(Some(ttl.require("AttributeName")?.text()?))
    } else {
        Ok(None)
    }
}
