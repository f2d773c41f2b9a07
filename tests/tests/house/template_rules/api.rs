//! Who may call what.

use super::value_of;

/// What anybody may ask for: public keys, "ok", and the listener, whose tokens prove themselves.
pub(super) const OPEN_ROUTES: [&str; 3] =
    ["GET /.well-known/jwks.json", "GET /health", "POST /v1/sources/akamai-identity-cloud/events"];

pub(super) const STAGE: [&str; 5] = [
    "DestinationArn: !GetAtt AccessLogGroup.Arn",
    "ThrottlingRateLimit: !FindInMap [Scale, !Ref Scale, RequestsPerSecond]",
    "ThrottlingBurstLimit: !FindInMap [Scale, !Ref Scale, RequestsAtOnce]",
    "ThrottlingRateLimit: !FindInMap [Scale, !Ref Scale, PublicPerSecond]",
    "DetailedMetricsEnabled: true",
];

/// A route is closed by `SigV4` or a bearer token, unless it is one of those that are open.
pub(super) fn of_route(id: &str, text: &str) -> Vec<String> {
    let route = value_of(text, "RouteKey").unwrap_or_default();
    let by = value_of(text, "AuthorizationType").unwrap_or_default();
    let authorizer = value_of(text, "AuthorizerId").unwrap_or_default();
    let is_closed = match by {
        "NONE" => OPEN_ROUTES.contains(&route),
        "AWS_IAM" => true,
        "JWT" => authorizer.starts_with("!Ref ") && authorizer.ends_with("Authorizer"),
        "!If [CallersShowTokens, JWT, AWS_IAM]" => {
            authorizer == "!If [CallersShowTokens, !Ref CallersAuthorizer, !Ref AWS::NoValue]"
        }
        _ => false,
    };
    if is_closed { Vec::new() } else { vec![format!("{id}: {route} is open to anybody ({by})")] }
}

/// Services may invoke a function for one API or pool, never for all.
pub(super) fn of_permission(id: &str, text: &str) -> Vec<String> {
    let principal = value_of(text, "Principal").unwrap_or_default();
    let known = ["apigateway.amazonaws.com", "cognito-idp.amazonaws.com"];
    let is_bound = value_of(text, "SourceArn").is_some_and(|arn| arn != r#""*""#);
    if known.contains(&principal) && is_bound {
        Vec::new()
    } else {
        vec![format!("{id}: {principal} may invoke, from anywhere or unknown")]
    }
}
