//! Where a stack stands: the account, the region and the endpoint, and the names they make.

/// An AWS account as the local endpoint plays it.
///
/// The one place that knows how queue URLs and ARNs look, for the template's `!Ref` and `!GetAtt`
/// and for the endpoint's answers alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Account number, twelve digits.
    pub id: String,
    /// Region, e.g. `us-east-1`.
    pub region: String,
    /// The endpoint without a trailing slash, e.g. `http://127.0.0.1:4566`.
    pub endpoint_url: String,
}

impl Account {
    /// The account that the local endpoint plays: 000000000000 in us-east-1.
    #[must_use]
    pub fn local(endpoint_url: impl Into<String>) -> Self {
        Self {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint_url: endpoint_url.into(),
        }
    }

    /// The URL of a queue, e.g. `http://127.0.0.1:4566/000000000000/events`.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.endpoint_url, self.id)
    }

    /// The ARN of a queue.
    #[must_use]
    pub fn queue_arn(&self, name: &str) -> String {
        self.arn("sqs", name)
    }

    /// The ARN of a table.
    #[must_use]
    pub fn table_arn(&self, name: &str) -> String {
        self.arn("dynamodb", &format!("table/{name}"))
    }

    /// The ARN of a function.
    #[must_use]
    pub fn function_arn(&self, name: &str) -> String {
        self.arn("lambda", &format!("function:{name}"))
    }

    /// The ARN of a secret. AWS ends it with six random characters; here they are always the
    /// same, so that the template and the endpoint agree.
    #[must_use]
    pub fn secret_arn(&self, name: &str) -> String {
        self.arn("secretsmanager", &format!("secret:{name}-aBcDeF"))
    }

    /// The ARN of a KMS key. AWS gives keys random IDs; here a key's ID is its logical ID, so that the
    /// template and the endpoint agree.
    #[must_use]
    pub fn kms_key_arn(&self, id: &str) -> String {
        self.arn("kms", &format!("key/{id}"))
    }

    /// The ARN of an alias of a KMS key; `alias` begins with `alias/`.
    #[must_use]
    pub fn kms_alias_arn(&self, alias: &str) -> String {
        self.arn("kms", alias)
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.id)
    }
}
