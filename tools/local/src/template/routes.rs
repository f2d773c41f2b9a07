//! Routes of the HTTP API: which request wakes which function.
//!
//! A route names an integration, and that a function, or an alias of one
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-route.html>).
//! Who may call a route is not read: on a laptop nobody signs.

use super::property::Property;
use super::resolve::Reason;
use super::{Account, Function, TemplateError};

/// An HTTP request that wakes a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Method in capitals, or `ANY`.
    pub method: String,
    /// Path as the API Gateway writes it, e.g. `/v1/events`.
    pub path: String,
}

/// An `AWS::ApiGatewayV2::Route` and the logical ID of its integration.
pub(super) struct Declared {
    route: Route,
    integration: String,
}

/// An `AWS::ApiGatewayV2::Integration`: its logical ID, and the ARN of what it invokes.
pub(super) struct Integration {
    logical_id: String,
    function_arn: String,
}

impl Declared {
    pub(super) fn read(root: &Property<'_>) -> Result<Self, TemplateError> {
        let key = root.require("RouteKey")?;
        let text = key.text()?;
        let Some((method, path)) = text.split_once(' ') else {
            return Err(key.wrong(Reason::UnknownValue(text)));
        };
        let target = root.require("Target")?;
        let text = target.text()?;
        let Some(integration) = text.strip_prefix("integrations/") else {
            return Err(target.wrong(Reason::UnknownValue(text)));
        };
        Ok(Self {
            route: Route { method: method.to_owned(), path: path.to_owned() },
            integration: integration.to_owned(),
        })
    }
}

impl Integration {
    pub(super) fn read(root: &Property<'_>) -> Result<Self, TemplateError> {
        Ok(Self {
            logical_id: root.resource().to_owned(),
            function_arn: root.require("IntegrationUri")?.text()?,
        })
    }
}

/// Gives each route to its function.
pub(super) fn give(
    routes: Vec<Declared>,
    integrations: &[Integration],
    functions: &mut [Function],
    account: &Account,
) -> Result<(), TemplateError> {
    for Declared { route, integration } in routes {
        let found = integrations.iter().find(|it| it.logical_id == integration);
        let arn = found.map(|it| it.function_arn.as_str()).unwrap_or_default();
        let function = functions.iter_mut().find(|function| {
            let own = account.function_arn(&function.name);
            // An alias of a function stands behind its ARN.
            arn.strip_prefix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        let Some(function) = function else {
            return Err(TemplateError::Property {
                resource: integration,
                property: "IntegrationUri".to_owned(),
                reason: Reason::UnknownReference(arn.to_owned()),
            });
        };
        function.routes.push(route);
    }
    Ok(())
}
