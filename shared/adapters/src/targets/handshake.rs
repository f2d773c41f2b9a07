//! The way of a challenge: a POST like a notification's, whose reply is read to its end.

use bytes::Bytes;
use domain::enrich::{Connection, Reply as Document};
use domain::outcome::Outcome;
use domain::verification::{Message, Reply};
use http::Method;

use super::{Targets, notification_headers, read, retry_after};
use crate::clock::within;
use crate::targets::exchange::Message as Request;
use crate::targets::failure::Failure;

impl Targets {
    /// Posts a challenge and reads the whole reply, by its deadline at the latest.
    pub async fn challenge(&self, message: Message) -> Result<Reply, Outcome> {
        let Message { url, notification, headers, deadline } = message;
        let headers = notification_headers(&headers, &notification);
        let body = Bytes::from(notification.into_body());
        let request = Request { method: Method::POST, headers, body };
        let whole = async {
            let answer = self.client.send(&url, request, Connection::Kept).await?;
            let retry_after = retry_after(&answer.head.headers);
            let Document { status, body, .. } = read(answer).await?;
            Ok::<_, Failure>(Reply { status, retry_after, body })
        };
        match within(deadline, whole).await {
            None => Err(Outcome::TimedOut),
            Some(replied) => replied.map_err(|failure| failure.outcome),
        }
    }
}
