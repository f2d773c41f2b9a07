//! What a redrive by filter would do: counted by subscription and reason, and told before it is done.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::SubscriptionId;
use domain::ledger::entry::{Filter, Standing};
use domain::redrive::{Audience, Pace, Ports};
use domain::scope::Scope;
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::console::{Console, bad, count, heading, plain, words};
use crate::failure::Failure;

/// What a filter means, counted.
pub(super) struct Plan {
    pub(super) matched: u64,
    groups: BTreeMap<(Scope, SubscriptionId, String), u64>,
    audiences: BTreeMap<(Scope, SubscriptionId), Audience>,
}

impl Plan {
    pub(super) async fn count(
        filter: &Filter,
        ports: &impl Ports,
        console: &Console,
    ) -> Result<Self, Failure> {
        let mut plan = Self { matched: 0, groups: BTreeMap::new(), audiences: BTreeMap::new() };
        let (mut looked_at, mut after) = (0, None);
        loop {
            let page = ports.page(filter, after.as_ref()).await?;
            looked_at += page.looked_at;
            for entry in page.entries {
                let Standing::Dead { reason } = entry.standing else { continue };
                plan.matched += 1;
                *plan.groups.entry((entry.scope, entry.subscription_id, reason)).or_default() += 1;
            }
            for key in &page.unreadable {
                console.note(&format!("{} cannot be read by this release", plain(key)));
            }
            console.progress(|| format!("{looked_at} looked at, {} match", plan.matched));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let subscriptions: BTreeSet<(Scope, SubscriptionId)> = plan
            .groups
            .keys()
            .map(|(scope, subscription, _)| (scope.clone(), subscription.clone()))
            .collect();
        for (scope, subscription) in subscriptions {
            let audience = ports.audience(&scope, &subscription).await?;
            plan.audiences.insert((scope, subscription), audience);
        }
        Ok(plan)
    }

    pub(super) fn tell(&self, per_minute: u32, console: &Console) -> Result<(), Failure> {
        if self.matched == 0 {
            console.result(|| "No dead letter matches.".to_owned(), || self.object(per_minute))?;
            return Ok(());
        }
        let row = |number: &str, scope: &str, subscription: &str, reason: &str| {
            format!("{number:>10}  {scope:<28}  {subscription:<16}  {reason}")
        };
        console.line(&heading(&row("DELIVERIES", "SCOPE", "SUBSCRIPTION", "REASON")))?;
        for ((scope, subscription, reason), number) in &self.groups {
            let warning = will_stay(self.audience(scope, subscription));
            let warning = warning.map_or(String::new(), |warning| format!("  {}", bad(warning)));
            let line =
                row(&number.to_string(), &scope.key(), subscription.as_str(), &plain(reason));
            console.line(&format!("{line}{warning}"))?;
        }
        let last = Pace::new(Timestamp::from_ms(0), per_minute).moment(self.matched - 1);
        let deliveries = count(self.matched, "delivery", "deliveries");
        let pace = format!("at {per_minute} a minute the last is due in {}", words(last.as_ms()));
        console.line(&format!("{deliveries} in all; {pace}."))?;
        console.object(|| self.object(per_minute))?;
        Ok(())
    }

    /// Of how many scopes they are. An ID is a subscription's within its scope alone.
    pub(super) fn scopes(&self) -> usize {
        self.groups.keys().map(|(scope, ..)| scope).collect::<BTreeSet<_>>().len()
    }

    fn audience(&self, scope: &Scope, subscription: &SubscriptionId) -> Audience {
        let key = (scope.clone(), subscription.clone());
        self.audiences.get(&key).copied().unwrap_or(Audience::Listening)
    }

    fn object(&self, per_minute: u32) -> Value {
        let groups = self.groups.iter().map(|((scope, subscription, reason), number)| {
            let audience = match self.audience(scope, subscription) {
                Audience::Listening => "listening",
                Audience::Disabled => "disabled",
                Audience::Deleted => "deleted",
                Audience::Unreadable => "unreadable",
            };
            json!({
                "scope": scope.key(), "subscriptionId": subscription.as_str(), "reason": reason,
                "count": number, "subscription": audience,
            })
        });
        let groups: Vec<Value> = groups.collect();
        json!({"plan": {"matched": self.matched, "perMinute": per_minute, "groups": groups}})
    }
}

/// Why a redrive would leave it alone.
fn will_stay(audience: Audience) -> Option<&'static str> {
    match audience {
        Audience::Listening => None,
        Audience::Disabled => Some("will stay: the subscription is disabled"),
        Audience::Deleted => Some("will stay: the subscription is deleted"),
        Audience::Unreadable => Some("will stay: the subscription cannot be read"),
    }
}
