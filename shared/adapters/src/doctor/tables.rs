//! A table of `DynamoDB`, described.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndexDescription, KeySchemaElement, KeyType,
    PointInTimeRecoveryStatus, ProjectionType, TableDescription, TimeToLiveStatus,
};
use domain::doctor::Unseen;
use domain::doctor::tables::{IndexFacts, KeyAttribute, TableFacts};

use super::unseen::unseen;

/// The tables' client.
pub struct TableClient(Client);

impl TableClient {
    /// With this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }
}

/// Looks at a table.
pub async fn table(client: &TableClient, name: &str) -> Result<TableFacts, Unseen> {
    let TableClient(client) = client;
    let on = format!("table/{name}");
    let describe = client.describe_table().table_name(name).send();
    let described =
        describe.await.map_err(|error| unseen(&error, "dynamodb:DescribeTable", &on))?;
    let (ttl, is_recoverable) = tokio::join!(ttl(client, name), is_recoverable(client, name));
    let table = described.table.ok_or(Unseen::NotThere)?;
    Ok(facts(&table, ttl, is_recoverable))
}

async fn ttl(client: &Client, name: &str) -> Result<Option<String>, Unseen> {
    let action = "dynamodb:DescribeTimeToLive";
    let describe = client.describe_time_to_live().table_name(name).send().await;
    let described = describe.map_err(|error| unseen(&error, action, &format!("table/{name}")))?;
    let ttl = described.time_to_live_description;
    let is_on = |status: &TimeToLiveStatus| {
        matches!(status, TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    };
    let on = ttl.filter(|ttl| ttl.time_to_live_status.as_ref().is_some_and(is_on));
    Ok(on.and_then(|ttl| ttl.attribute_name))
}

async fn is_recoverable(client: &Client, name: &str) -> Result<bool, Unseen> {
    let action = "dynamodb:DescribeContinuousBackups";
    let describe = client.describe_continuous_backups().table_name(name).send().await;
    let described = describe.map_err(|error| unseen(&error, action, &format!("table/{name}")))?;
    let backups = described.continuous_backups_description;
    let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
    let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
    Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
}

fn facts(
    table: &TableDescription,
    ttl: Result<Option<String>, Unseen>,
    is_recoverable: Result<bool, Unseen>,
) -> TableFacts {
    let kinds = table.attribute_definitions();
    let index = |index: &GlobalSecondaryIndexDescription| {
        let projection = index.projection();
        let kind = projection.and_then(|projection| projection.projection_type());
        let names = projection.map(|projection| projection.non_key_attributes().to_vec());
        IndexFacts {
            name: index.index_name().unwrap_or_default().to_owned(),
            // The emulators leave it out of an index that is always there.
            status: index.index_status().map_or("ACTIVE", |status| status.as_str()).to_owned(),
            key: key(index.key_schema(), kinds),
            holds: names.filter(|_| kind != Some(&ProjectionType::All)),
        }
    };
    TableFacts {
        status: table.table_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        key: key(table.key_schema(), kinds),
        indexes: table.global_secondary_indexes().iter().map(index).collect(),
        ttl,
        is_recoverable,
    }
}

/// A key's attributes with their types, hash first.
fn key(schema: &[KeySchemaElement], kinds: &[AttributeDefinition]) -> Vec<KeyAttribute> {
    let mut schema: Vec<&KeySchemaElement> = schema.iter().collect();
    schema.sort_by_key(|element| element.key_type() != &KeyType::Hash);
    let attribute = |element: &KeySchemaElement| {
        let name = element.attribute_name();
        let kind = kinds.iter().find(|kind| kind.attribute_name() == name);
        let kind = kind.map_or("?", |kind| kind.attribute_type().as_str());
        (name.to_owned(), kind.to_owned())
    };
    schema.into_iter().map(attribute).collect()
}
