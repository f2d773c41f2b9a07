//! Who may call what.

use super::value_of;

/// What anybody may ask for: public keys, "ok", and the listener and the built-in
/// target, whose tokens prove themselves.
pub(super) const OPEN_ROUTES: [&str; 4] = [
    "GET /.well-known/jwks.json",
    "GET /health",
    "POST /v1/doctor",
    "POST /v1/sources/akamai-identity-cloud/events",
];

pub(super) const STAGE: [&str; 3] = [
    "DestinationArn: !GetAtt AccessLogGroup.Arn",
    "ThrottlingRateLimit: !FindInMap [Scale, !Ref Scale, RequestsPerSecond]",
    "ThrottlingBurstLimit: !FindInMap [Scale, !Ref Scale, RequestsAtOnce]",
];

/// What anybody may call has a limit of its own, so that it takes no place from those who sign.
pub(super) fn of_stage(id: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for route in OPEN_ROUTES {
        let (_, own) = text.split_once(&format!("        {route}:\n")).unwrap_or_default();
        let limits: Vec<&str> = own.lines().take(2).map(str::trim).collect();
        let is_limited = matches!(
            limits.as_slice(),
            [rate, burst] if rate.starts_with("ThrottlingRateLimit: ")
                && burst.starts_with("ThrottlingBurstLimit: ")
        );
        if !is_limited {
            found.push(format!("{id}: {route} has no limit of its own"));
        }
    }
    found
}

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
