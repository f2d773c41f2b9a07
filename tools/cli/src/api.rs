//! Which API: where a stack takes events in and publishes its keys.

use adapters::api::ApiUrl;
use adapters::settings::{Environment, Strings as _};
use clap::Args;

use crate::access::Access;
use crate::failure::Failure;

/// Where `cargo local` serves the API unless it is told otherwise.
const LOCAL: &str = "http://127.0.0.1:3000";

const VARIABLE: &str = "WORKFLOWS_URL";

/// Which API.
#[derive(Args)]
pub(crate) struct ApiArguments {
    /// The API: the stack's output `ApiUrl`; else `WORKFLOWS_URL`, or with --local that of `cargo
    /// local`
    #[arg(long, value_name = "URL", value_parser = ApiUrl::parse)]
    url: Option<ApiUrl>,
}

impl ApiArguments {
    /// Whether the command line names it.
    pub(crate) const fn is_given(&self) -> bool {
        self.url.is_some()
    }

    /// The API that is meant, where one is.
    pub(crate) fn find(&self, access: &Access) -> Result<Option<ApiUrl>, Failure> {
        if let Some(url) = &self.url {
            return Ok(Some(url.clone()));
        }
        let said = Environment.get(VARIABLE).filter(|url| !url.is_empty());
        let text = if access.is_local() { Some(LOCAL.to_owned()) } else { said };
        let wrong = |_| Failure::Usage("WORKFLOWS_URL: expected an https URL, the output ApiUrl");
        text.map(|text| ApiUrl::parse(&text).map_err(wrong)).transpose()
    }

    /// The API that is meant.
    pub(crate) fn require(&self, access: &Access) -> Result<ApiUrl, Failure> {
        self.find(access)?.ok_or(Failure::Usage("say where: --url, WORKFLOWS_URL or --local"))
    }
}
