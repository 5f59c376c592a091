//! Another rule set: the rules that merchants would have had.
//!
//! Merchants that it does not name keep what was recorded of theirs. Their decisions are made again under the rule as it
//! was judged then, since what callers told to judge it on is not recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::adapters::json::{self, BadField};
use crate::adapters::peer::routing::CreateRequest;
use crate::domain::rule::{Algorithm, RuleText};
use crate::domain::{Approach, Body, ConnectorAccount, Decision, ProfileId, Purpose, Request, RuleId};
use crate::engine::route::RoutingView;
use crate::engine::route::rules::{Ruling, Terms};

/// A file of rules: one, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Many(Vec<serde_json::Value>),
    One(serde_json::Value),
}

/// A merchant that would have had no rule: `"algorithm": null`.
#[derive(Deserialize)]
struct Without {
    created_by: ProfileId,
}

/// By merchant, the rule in force from the stretch's beginning on; none: it would have had no rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OtherRules(BTreeMap<ProfileId, Option<RuleText>>);

impl OtherRules {
    /// Reads rules in the form of `POST /routing/create`, one or a list of them, one for each merchant.
    ///
    /// # Errors
    /// The first field that is not as it must be; in a list its path begins with the rule's place, from 0.
    pub fn read(text: &[u8]) -> Result<Self, BadField> {
        let (rules, listed) = match json::read(text)? {
            Written::Many(rules) => (rules, true),
            Written::One(rule) => (vec![rule], false),
        };
        let mut others = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate() {
            let within = |field: BadField| if listed { placed(place, &field) } else { field };
            let (profile, text) = one(rule).map_err(within)?;
            if others.insert(profile.clone(), text).is_some() {
                return Err(within(BadField::new("created_by", format!("{profile} has a rule already: one is in force"))));
            }
        }
        Ok(Self(others))
    }

    /// Whether a merchant's rule is another one here.
    pub(super) fn names(&self, profile: &ProfileId) -> bool {
        self.0.contains_key(profile)
    }

    /// Each merchant, with its rule.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ProfileId, Option<&RuleText>)> {
        self.0.iter().map(|(profile, text)| (profile, text.as_ref()))
    }

    /// Whether the rule of a merchant asks what a request alone may not answer.
    pub(super) fn asks(&self, profile: &ProfileId) -> bool {
        self.0.get(profile).and_then(Option::as_ref).is_some_and(|text| matches!(text.algorithm, Algorithm::Advanced(_)))
    }

    /// What a decision may choose, made again with what is recorded of it.
    pub(super) fn ruling<'r>(&self, view: &'r RoutingView, request: &Request, was: &'r Decision) -> Option<Ruling<'r>> {
        if self.names(&request.profile) {
            let in_order = matches!(was.approach, Approach::Rule(_));
            return view.ruling(request, Terms { in_order, ..Terms::default() });
        }
        Ruling::recorded(was)
    }
}

/// The accounts that the requests of merchants whose rules are others allowed.
#[derive(Debug, Default)]
pub(super) struct Met(BTreeMap<ProfileId, BTreeSet<ConnectorAccount>>);

impl Met {
    /// A request of such a merchant.
    pub(super) fn note(&mut self, request: &Request) {
        let known = self.0.entry(request.profile.clone()).or_default();
        for account in &request.eligible {
            if !known.contains(account) {
                known.insert(account.clone());
            }
        }
    }
}

impl OtherRules {
    /// What of the rules could not matter in the stretch, in words: a name that is written wrong looks just so.
    pub(super) fn unmet<'m>(&'m self, met: &'m Met) -> impl Iterator<Item = String> + 'm {
        self.all().filter_map(|(profile, text)| {
            let Some(known) = met.0.get(profile) else {
                return Some(format!("no decision of {profile} is recorded in the stretch: its rule changes nothing there"));
            };
            let means = |named: &ConnectorAccount, account: &ConnectorAccount| {
                let bare = named.reference().is_empty() || account.reference().is_empty();
                named == account || (bare && named.connector() == account.connector())
            };
            let all = text.into_iter().flat_map(|text| text.algorithm.accounts());
            let unmet = all.filter(|named| !known.iter().any(|account| means(named, account)));
            let unmet: BTreeSet<&str> = unmet.map(ConnectorAccount::as_str).collect();
            let unmet: Vec<&str> = unmet.into_iter().collect();
            (!unmet.is_empty())
                .then(|| format!("the rule of {profile} names {}, where none of its payments may go", unmet.join(", ")))
        })
    }
}

fn one(rule: &serde_json::Value) -> Result<(ProfileId, Option<RuleText>), BadField> {
    let bytes = rule.to_string();
    if rule.get("algorithm").is_some_and(serde_json::Value::is_null) {
        let Without { created_by } = json::read(bytes.as_bytes())?;
        return Ok((created_by, None));
    }
    let asked: CreateRequest = json::read(bytes.as_bytes())?;
    if asked.algorithm_for.unwrap_or(Purpose::Payment) != Purpose::Payment {
        return Err(BadField::new("algorithm_for", "only rules for payments decide where payments go"));
    }
    let profile = asked.created_by.clone();
    Ok((profile, Some(asked.text()?)))
}

fn placed(place: usize, field: &BadField) -> BadField {
    let dot = if field.field.is_empty() { "" } else { "." };
    BadField::new(format!("[{place}]{dot}{}", field.field), field.problem.clone())
}

/// The ids that rules created within the stretch have in the other fold: an entry's position, which may be another there.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeMap<RuleId, RuleId>);

impl Ids {
    /// A recorded rule has been created there under another id.
    pub(super) fn note(&mut self, recorded: RuleId, other: RuleId) {
        if recorded != other {
            self.0.insert(recorded, other);
        }
    }

    /// An entry about a rule, as it is meant there.
    pub(super) fn translated(&self, mut body: Body) -> Body {
        if let Body::RuleUpdated { id, .. } | Body::RuleActivated { id, .. } | Body::RuleDeleted { id, .. } = &mut body {
            *id = self.0.get(id).copied().unwrap_or(*id);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINGLE: &str = r#"{"type": "single", "data": {"gateway_name": "stripe", "gateway_id": "mca_1"}}"#;

    fn rule(profile: &str, algorithm: &str) -> String {
        format!(r#"{{"name": "r", "created_by": "{profile}", "algorithm": {algorithm}}}"#)
    }

    #[test]
    fn one_rule_or_a_list_is_read() {
        let one = OtherRules::read(rule("pro_1", SINGLE).as_bytes()).unwrap();
        let many = OtherRules::read(format!("[{}, {}]", rule("pro_1", SINGLE), rule("pro_2", "null")).as_bytes()).unwrap();
        let (first, second) = (ProfileId::parse("pro_1").unwrap(), ProfileId::parse("pro_2").unwrap());
        assert!(one.names(&first) && !one.names(&second));
        assert_eq!(many.all().map(|(_, text)| text.is_some()).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let refused = |text: String| OtherRules::read(text.as_bytes()).unwrap_err().to_string();
        let twice = refused(format!("[{}, {}]", rule("pro_1", SINGLE), rule("pro_1", SINGLE)));
        assert!(twice.starts_with("[1].created_by: pro_1 has a rule already"), "{twice}");
        let unknown = refused(format!("[{}]", rule("pro_1", r#"{"type": "double"}"#)));
        assert!(unknown.starts_with("[0].algorithm"), "{unknown}");
        let foreign = refused(r#"{"name": "r", "created_by": "pro_1", "algorithm_for": "payout", "algorithm": {}}"#.to_owned());
        assert!(foreign.starts_with("algorithm_for: only rules for payments"), "{foreign}");
        assert!(refused("{".to_owned()).contains("not JSON"));
    }
}
