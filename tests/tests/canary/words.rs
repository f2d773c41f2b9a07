//! The canaries, by where they are put.

use testkit::canary::Canary;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $place:literal: $word:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $word;)*

        /// All of them.
        pub(crate) fn all() -> Vec<Canary> {
            vec![$(Canary::new($place, $name)),*]
        }
    };
}

words! {
    /// A producer's `Authorization` header.
    AUTHORIZATION = "authorization header": "canaryqauthorization1";
    /// Another header of a producer's.
    COOKIE = "cookie": "canaryqcookie2xx";
    /// The query of a request to us.
    REQUEST_QUERY = "request query": "canaryqrequestquery3";
    /// The local part of an end user's address.
    EMAIL = "e-mail": "canaryqemail4xx";
    /// Any other datum of an end user's.
    DATUM = "data": "canaryqdatum5xx";
    /// An end user's identifier.
    SUB = "sub": "canaryqsub6xxxx";
    /// The code in a verification URL: who has it is the user.
    CODE = "verification URL": "canaryqcode7xxx";
    /// Values of postings and logins that are refused.
    MALFORMED = "malformed input": "canaryqmalformed8";
    /// The query of an endpoint.
    ENDPOINT_QUERY = "endpoint query": "canaryqendpoint9x";
    /// The user in an endpoint that is refused for it.
    ENDPOINT_USER = "endpoint user": "canaryqenduser22";
    /// The password in an endpoint that is refused for it.
    ENDPOINT_PASSWORD = "endpoint password": "canaryqpassword10";
    /// The query of a key set's URL.
    KEY_SET_QUERY = "key set query": "canaryqkeysetquery11";
    /// The body of a key set that is refused.
    KEY_SET = "key set": "canaryqkeyset12x";
    /// The body of a target's reply.
    REPLY_BODY = "reply body": "canaryqreplybody13";
    /// Headers of a target's reply.
    REPLY_HEADER = "reply header": "canaryqreplyheader14";
    /// A target's answer to a login that does not prove itself.
    ANSWER = "unproven answer": "canaryqanswer15x";
    /// The value of a claim that a target sets.
    CLAIM = "claim": "canaryqclaim16xx";
    /// The name of a claim that two targets set differently.
    CLAIM_NAME = "claim name": "canaryqclaimname17";
    /// Values of rows that cannot be read.
    ROW = "row": "canaryqrow18xxxx";
    /// Records that cannot be read.
    RECORD = "record": "canaryqrecord19x";
    /// A ledger item that cannot be read.
    ITEM = "ledger item": "canaryqitem20xxx";
    /// A secret that holds no keys.
    SECRET = "secret": "canaryqsecret21x";
}

/// What other crates print at `trace`, among it every message that the AWS SDK sends.
pub(crate) const SEEN: [&str; 6] = [EMAIL, DATUM, SUB, CODE, ENDPOINT_QUERY, ROW];
