//! The table of event types: what each is called, who can emit it, who may listen to it.
//!
//! All knowledge that differs by type stands in this file, and nowhere as a string comparison.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where an event originates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The identity platform itself: hosted journeys and the login API.
    NextIdentity,
    /// Akamai Identity Cloud, a third party: it can emit only the three user events.
    AkamaiIdentityCloud,
}

impl Source {
    /// Its name in rows and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NextIdentity => "next_identity",
            Self::AkamaiIdentityCloud => "akamai_identity_cloud",
        }
    }
}

/// What kind of subscription an event type belongs to. It also decides the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Changes to users, listened to per property. Carries no personal data.
    UserDataChange,
    /// Occasions for an e-mail or SMS, listened to per client ID. Carries personal data.
    TransactionalEmail,
    /// Logins, decided and listened to per client ID.
    Enrich,
}

impl Category {
    /// Its name in rows, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserDataChange => "user_data_change",
            Self::TransactionalEmail => "transactional_email",
            Self::Enrich => "enrich",
        }
    }
}

/// The standard data set of an event type: the members of `data` whose shape is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSet {
    /// `dataSourceInfo{attributes[], captureApplicationId, captureClientId, entityType, globalSub, sub}`.
    DataChange,
    /// `user{…}` and `verification{url, channel, expiresAt}`.
    EmailWithLink,
    /// `user{email, phoneNumber, givenName, familyName, locale}`.
    Email,
    /// `ip`, `userAgent`, `authMethod`, `user{…}`.
    Login,
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $category:ident, $data:ident, $akamai:literal;)*) => {
        /// Something that happened to an end user.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl EventType {
            /// Every event type, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The last segment of its `type`, by which queue messages and logs name it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its category, and with it the kind of scope it needs.
            #[must_use]
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* }
            }

            /// The shape of its `data`.
            #[must_use]
            pub const fn data_set(self) -> DataSet {
                match self { $(Self::$variant => DataSet::$data,)* }
            }

            const fn akamai_emits(self) -> bool {
                match self { $(Self::$variant => $akamai,)* }
            }
        }
    };
}

event_types! {
    /// A user was invited; before the e-mail or SMS goes out.
    PreRegistration, "preRegistration", TransactionalEmail, EmailWithLink, false;
    /// A user registered; before the verification message goes out.
    Registration, "registration", TransactionalEmail, EmailWithLink, false;
    /// The verification message was asked for again.
    ResendVerification, "resendVerification", TransactionalEmail, EmailWithLink, false;
    /// A password reset was asked for; before the message goes out.
    ForgotPassword, "forgotPassword", TransactionalEmail, EmailWithLink, false;
    /// A password was changed.
    PasswordUpdated, "passwordUpdated", TransactionalEmail, Email, false;
    /// A user logged in from a device not seen before (older documentation).
    NewDevice, "newDevice", TransactionalEmail, Email, false;
    /// A user lost access to a property.
    UserRevokedPropertyAccess, "userRevokedPropertyAccess", UserDataChange, DataChange, false;
    /// User name and password were accepted, in a hosted journey or by the login API.
    Login, "login", Enrich, Login, false;
    /// A user record came into being.
    UserCreated, "userCreated", UserDataChange, DataChange, true;
    /// A user record changed.
    UserUpdated, "userUpdated", UserDataChange, DataChange, true;
    /// A user record was deleted.
    UserDeleted, "userDeleted", UserDataChange, DataChange, true;
}

impl EventType {
    /// Whether this source can emit it. The platform itself can emit all of them, the three user
    /// events included: a user directory of its own is a source too.
    #[must_use]
    pub const fn is_emitted_by(self, source: Source) -> bool {
        match source {
            Source::NextIdentity => true,
            Source::AkamaiIdentityCloud => self.akamai_emits(),
        }
    }

    /// Whether a user's access ends with it: nothing that was said of the user before counts any
    /// more.
    #[must_use]
    pub const fn ends_access(self) -> bool {
        match self {
            Self::UserRevokedPropertyAccess | Self::UserDeleted => true,
            Self::PreRegistration
            | Self::Registration
            | Self::ResendVerification
            | Self::ForgotPassword
            | Self::PasswordUpdated
            | Self::NewDevice
            | Self::Login
            | Self::UserCreated
            | Self::UserUpdated => false,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// The `type` string of every event type, for example `account/v1/userCreated`.
///
/// Only two of these strings are documented verbatim; a deployment whose platform spells the
/// others differently renames them here, once for ingest, delivery and enrich.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypeNames(BTreeMap<EventType, String>);

/// A renaming that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNames {
    /// Not a JSON object of strings.
    #[error(
        "expected a JSON object such as {{\"passwordUpdated\":\"account/v1/passwordChanged\"}}"
    )]
    Shape,
    /// The member names no event type.
    #[error("{0:?} is no event type; known are {known}", known = known_names())]
    Unknown(String),
    /// Empty, too long, or with characters that do not belong into a `type`.
    #[error("the name of {0} must be 1 to 128 printable ASCII characters")]
    Text(&'static str),
    /// Two event types would be called the same, in full or by their last segment.
    #[error("{0} and {1} would have the same name, or the same last segment")]
    Twice(&'static str, &'static str),
}

/// The names of all event types, for error messages.
fn known_names() -> String {
    let names: Vec<_> = EventType::ALL.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

impl Default for EventTypeNames {
    fn default() -> Self {
        let name = |kind: &EventType| (*kind, format!("account/v1/{}", kind.name()));
        Self(EventType::ALL.iter().map(name).collect())
    }
}

impl EventTypeNames {
    /// The default names, with those of a JSON object put in their place
    /// (`{"passwordUpdated":"account/v1/passwordChanged"}`).
    pub fn renamed(json: &str) -> Result<Self, InvalidNames> {
        let renames: BTreeMap<String, String> =
            serde_json::from_str(json).map_err(|_| InvalidNames::Shape)?;
        let mut names = Self::default();
        for (name, uri) in renames {
            let kind = EventType::from_name(&name).ok_or(InvalidNames::Unknown(name))?;
            if uri.is_empty() || uri.len() > 128 || !uri.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(InvalidNames::Text(kind.name()));
            }
            names.0.insert(kind, uri);
        }
        for kind in EventType::ALL {
            let same = |other: &&EventType| {
                *other != kind && names.last_segment(**other) == names.last_segment(*kind)
            };
            if let Some(other) = EventType::ALL.iter().find(same) {
                return Err(InvalidNames::Twice(kind.name(), other.name()));
            }
        }
        Ok(names)
    }

    /// The `type` string: the member of `events` in a notification.
    #[must_use]
    pub fn uri(&self, kind: EventType) -> &str {
        // Every variant is present from `default` on.
        self.0.get(&kind).map_or(kind.name(), String::as_str)
    }

    fn last_segment(&self, kind: EventType) -> &str {
        let uri = self.uri(kind);
        uri.rsplit('/').next().unwrap_or(uri)
    }

    /// Reads a `type`: the full string, or its last segment.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<EventType> {
        let by_uri = |kind: &&EventType| self.uri(**kind) == text;
        let by_segment = |kind: &&EventType| self.last_segment(**kind) == text;
        let all = EventType::ALL;
        all.iter().find(by_uri).or_else(|| all.iter().find(by_segment)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_eleven_types_with_their_categories() {
        let of = |category| {
            let is = |kind: &&EventType| kind.category() == category;
            EventType::ALL.iter().filter(is).count()
        };
        assert_eq!(EventType::ALL.len(), 11);
        assert_eq!(of(Category::TransactionalEmail), 6);
        assert_eq!(of(Category::UserDataChange), 4);
        assert_eq!(of(Category::Enrich), 1);
    }

    #[test]
    fn akamai_can_emit_the_three_user_events_and_nothing_else() {
        for kind in EventType::ALL {
            let user_event = matches!(
                kind,
                EventType::UserCreated | EventType::UserUpdated | EventType::UserDeleted
            );
            assert_eq!(kind.is_emitted_by(Source::AkamaiIdentityCloud), user_event, "{kind:?}");
            assert!(kind.is_emitted_by(Source::NextIdentity), "{kind:?}");
        }
    }

    #[test]
    fn a_type_is_read_by_its_full_name_and_by_its_last_segment() {
        let names = EventTypeNames::default();
        for kind in EventType::ALL {
            assert_eq!(names.parse(names.uri(*kind)), Some(*kind));
            assert_eq!(names.parse(kind.name()), Some(*kind));
        }
        for bad in ["", "account/v1/", "account/v2/login", "LOGIN", "v1/login", "logout"] {
            assert_eq!(names.parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_deployment_can_rename_a_type_but_not_make_two_alike() {
        let names = EventTypeNames::renamed(r#"{"passwordUpdated":"account/v1/passwordChanged"}"#)
            .expect("a valid renaming");
        assert_eq!(names.uri(EventType::PasswordUpdated), "account/v1/passwordChanged");
        assert_eq!(names.parse("passwordChanged"), Some(EventType::PasswordUpdated));
        assert_eq!(names.parse("passwordUpdated"), None);
        assert_eq!(
            EventTypeNames::renamed(r#"{"login":"account/v1/registration"}"#),
            Err(InvalidNames::Twice("registration", "login"))
        );
        assert_eq!(
            EventTypeNames::renamed(r#"{"login":"other/registration"}"#),
            Err(InvalidNames::Twice("registration", "login"))
        );
        assert_eq!(
            EventTypeNames::renamed(r#"{"logout":"x"}"#),
            Err(InvalidNames::Unknown("logout".to_owned()))
        );
        assert_eq!(EventTypeNames::renamed("[]"), Err(InvalidNames::Shape));
    }
}
