//! The front: where a stack takes events in, and how whoever posts them shows who they are.

use std::path::PathBuf;

use adapters::answer::{Heard, TurnedAway};
use adapters::api::{ApiUrl, BearerToken, CallFailed, Caller, post_events};
use adapters::settings::{self, Environment};
use clap::Args;

use crate::access::Access;
use crate::api::ApiArguments;
use crate::failure::Failure;
use crate::input;

const EVENTS_URL: &str = "WORKFLOWS_EVENTS_URL";

const TOKEN_FILE: &str = "WORKFLOWS_TOKEN_FILE";

/// Where events go, and who posts them.
#[derive(Args)]
pub(crate) struct FrontArguments {
    #[command(flatten)]
    api: ApiArguments,
    /// Where events go, where the stack's `Front` is `FunctionUrls`: its output `EventsUrl`; else
    /// `WORKFLOWS_EVENTS_URL`, unless --url or --local say which stack
    #[arg(long, value_name = "URL", value_parser = ApiUrl::parse)]
    events_url: Option<ApiUrl>,
    /// A bearer token, where the stack has `CallersIssuer`: it is shown with events, which are then
    /// not signed; `-` is standard input; else `WORKFLOWS_TOKEN_FILE`, unless --local is given
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Where events go, and who posts them.
pub(crate) struct Front {
    url: ApiUrl,
    caller: Caller,
}

impl FrontArguments {
    /// The API that is meant, wherever events go.
    pub(crate) fn api(&self, access: &Access) -> Result<ApiUrl, Failure> {
        self.api.require(access)
    }

    /// The front that is meant.
    pub(crate) async fn open(&self, access: &Access) -> Result<Front, Failure> {
        let url = match self.events_url(access)? {
            Some(url) => url,
            None => self.api(access)?,
        };
        let caller = match self.token_file(access) {
            Some(_) if url.is_of_function() => {
                return Err(Failure::Usage(
                    "a function URL takes no token: leave out --token-file and WORKFLOWS_TOKEN_FILE, \
                     and the events are signed",
                ));
            }
            Some(path) => {
                let text = input::read_secret(&path)?;
                let token = BearerToken::parse(&text);
                let wrong =
                    |refusal| Failure::File { path, problem: format!("the token: {refusal}") };
                Caller::Bearing(token.map_err(wrong)?)
            }
            None if url.is_signed() => Caller::Signing(Box::new(access.config().await?)),
            None => Caller::Anybody,
        };
        Ok(Front { url, caller })
    }

    /// The file with the token, where one is meant.
    pub(crate) fn token_file(&self, access: &Access) -> Option<PathBuf> {
        let said = || settings::optional(&Environment, TOKEN_FILE).map(PathBuf::from);
        // Another stack's token is nothing for the laptop's.
        self.token_file.clone().or_else(|| said().filter(|_| !access.is_local()))
    }

    fn events_url(&self, access: &Access) -> Result<Option<ApiUrl>, Failure> {
        if self.events_url.is_some() {
            return Ok(self.events_url.clone());
        }
        // The environment's belongs to the environment's API, and to no other.
        if self.api.is_given() || access.is_local() {
            return Ok(None);
        }
        let wrong =
            |_| Failure::Usage("WORKFLOWS_EVENTS_URL: expected an https URL, the output EventsUrl");
        let said = settings::optional(&Environment, EVENTS_URL);
        said.map(|text| ApiUrl::parse(&text).map_err(wrong)).transpose()
    }
}

impl Front {
    /// Posts events as they are.
    pub(crate) async fn post(&self, body: Vec<u8>) -> Result<Heard, CallFailed> {
        post_events(&self.url, body, &self.caller).await
    }

    /// What whoever signs must be allowed.
    pub(crate) fn action(&self) -> Option<&'static str> {
        match self.caller {
            Caller::Signing(_) if self.url.is_of_function() => Some("lambda:InvokeFunctionUrl"),
            Caller::Signing(_) => Some("execute-api:Invoke"),
            Caller::Anybody | Caller::Bearing(_) => None,
        }
    }

    /// What to do where somebody before the stack has answered.
    pub(crate) fn advice(&self, why: Option<TurnedAway>) -> &'static str {
        let Some(why) = why else {
            return "is the URL the stack's, and does it run this release?";
        };
        match (why, &self.caller) {
            (TurnedAway::Unauthorized, Caller::Bearing(_)) => {
                "is the token of the stack's CallersIssuer, for its CallersAudience, and not expired? \
                 Where the stack has no CallersIssuer, events are signed: leave out --token-file"
            }
            (TurnedAway::Unauthorized, Caller::Anybody | Caller::Signing(_)) => {
                "where the stack has CallersIssuer, callers show a bearer token: --token-file"
            }
            (TurnedAway::Forbidden, Caller::Bearing(_)) => {
                "has the token the stack's CallersScope? Where the stack has no CallersIssuer, events \
                 are signed: leave out --token-file"
            }
            (TurnedAway::Forbidden, Caller::Signing(_)) if self.url.is_of_function() => {
                "have lambda:InvokeFunctionUrl and lambda:InvokeFunction allowed on the ingest function; \
                 is --events-url the output EventsUrl of this stack?"
            }
            (TurnedAway::Forbidden, Caller::Anybody | Caller::Signing(_)) => {
                "have execute-api:Invoke allowed on POST /v1/events. Where the stack has CallersIssuer, \
                 callers show a bearer token: --token-file; where its Front is FunctionUrls, events go to \
                 its output EventsUrl: --events-url"
            }
            (TurnedAway::NotFound, Caller::Bearing(_)) => {
                "is the URL the stack's? Where its Front is FunctionUrls, events go to its output \
                 EventsUrl, and are signed: --events-url, without --token-file"
            }
            (TurnedAway::NotFound, Caller::Anybody | Caller::Signing(_)) => {
                "is the URL the stack's? Where its Front is FunctionUrls, events go to its output \
                 EventsUrl: --events-url"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapters::aws::SdkConfig;

    #[test]
    fn who_is_turned_away_is_told_which_other_ways_there_are() {
        let signing = || Caller::Signing(Box::new(SdkConfig::builder().build()));
        let bearing = || Caller::Bearing(BearerToken::parse("a").expect("a token"));
        let api = "https://abc.execute-api.eu-central-1.amazonaws.com";
        let function = "https://abc.lambda-url.eu-central-1.on.aws/v1/events";
        let (shows, goes) = ("--token-file", "--events-url");
        for (url, caller, action, [unauthorized, forbidden, missing]) in [
            (api, signing(), Some("execute-api:Invoke"), [shows, goes, goes]),
            (function, signing(), Some("lambda:InvokeFunctionUrl"), [shows, goes, goes]),
            (api, bearing(), None, [shows, shows, goes]),
            (api, Caller::Anybody, None, [shows, goes, goes]),
        ] {
            let front = Front { url: ApiUrl::parse(url).expect("a URL"), caller };
            assert_eq!(front.action(), action);
            for (why, named) in [
                (TurnedAway::Unauthorized, unauthorized),
                (TurnedAway::Forbidden, forbidden),
                (TurnedAway::NotFound, missing),
            ] {
                let advice = front.advice(Some(why));
                assert!(advice.contains(named), "{advice}");
                let is_action_named = action.is_none_or(|action| advice.contains(action));
                assert!(is_action_named || why != TurnedAway::Forbidden, "{advice}");
            }
        }
    }
}
