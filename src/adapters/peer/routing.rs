//! `POST /routing/create`, `/update`, `/activate`, `/deactivate`, `/delete`, `/list`: a merchant's routing rules.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::algorithm::{self, AsWritten};
use crate::adapters::json::{self, BadField};
use crate::domain::rule::{DESCRIPTION_MAX, RuleText, TEXT_MAX};
use crate::domain::{ProfileId, Purpose, Rule, RuleId, Time};

/// `POST /routing/create`. Metadata beside it is not kept: the peer's lists do not show it either.
#[derive(Debug, Deserialize)]
pub struct CreateRequest {
    /// The profile.
    pub created_by: ProfileId,
    /// What the rule routes; payments when absent.
    #[serde(default)]
    pub algorithm_for: Option<Purpose>,
    name: String,
    description: Option<String>,
    algorithm: Json,
}

/// `POST /routing/update`.
#[derive(Debug, Deserialize)]
pub struct UpdateRequest {
    /// The profile.
    pub created_by: ProfileId,
    /// The rule.
    pub routing_algorithm_id: String,
    name: String,
    description: Option<String>,
    algorithm: Json,
}

impl CreateRequest {
    /// What was written, checked.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn text(self) -> Result<RuleText, BadField> {
        text(self.name, self.description, &self.algorithm)
    }
}

impl UpdateRequest {
    /// What was written, checked.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn text(self) -> Result<RuleText, BadField> {
        text(self.name, self.description, &self.algorithm)
    }
}

fn text(name: String, description: Option<String>, algorithm: &Json) -> Result<RuleText, BadField> {
    if name.is_empty() || name.len() > TEXT_MAX {
        return Err(BadField::new("name", format!("it has {} bytes; allowed are 1 to {TEXT_MAX}", name.len())));
    }
    let description = description.unwrap_or_default();
    if description.len() > DESCRIPTION_MAX {
        let told = format!("it has {} bytes; at most {DESCRIPTION_MAX} are allowed", description.len());
        return Err(BadField::new("description", told));
    }
    json::impersonal("name", &name)?;
    json::impersonal("description", &description)?;
    impersonal(algorithm)?;
    let (algorithm, bytes) = algorithm::read(algorithm)?;
    Ok(RuleText { name, description, algorithm, bytes })
}

/// Refuses an algorithm with a word that holds what is a person's.
fn impersonal(algorithm: &Json) -> Result<(), BadField> {
    match algorithm {
        Json::String(word) => json::impersonal("algorithm", word),
        Json::Array(values) => values.iter().try_for_each(impersonal),
        Json::Object(fields) => fields.values().try_for_each(impersonal),
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
    }
}

/// `POST /routing/activate`, `/deactivate` and `/delete`.
#[derive(Debug, Deserialize)]
pub struct ChosenRequest {
    /// The profile.
    pub created_by: ProfileId,
    /// The rule.
    pub routing_algorithm_id: String,
}

/// The answer to what writes a rule.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    rule_id: RuleId,
    name: &'a str,
    algorithm_for: Purpose,
    created_at: String,
    modified_at: String,
}

impl<'a> Written<'a> {
    /// The answer about a rule.
    #[must_use]
    pub fn of(rule: &'a Rule) -> Self {
        Self {
            rule_id: rule.id,
            name: &rule.text.name,
            algorithm_for: rule.purpose,
            created_at: stamp(rule.created_at),
            modified_at: stamp(rule.modified_at),
        }
    }
}

/// A rule in a list.
#[derive(Debug, Serialize)]
pub struct Listed<'a> {
    id: RuleId,
    created_by: &'a ProfileId,
    name: &'a str,
    description: &'a str,
    algorithm_data: AsWritten<'a>,
    algorithm_for: Purpose,
    created_at: String,
    modified_at: String,
}

impl<'a> Listed<'a> {
    /// A merchant's rule, as it was written.
    #[must_use]
    pub fn of(profile: &'a ProfileId, rule: &'a Rule) -> Self {
        Self {
            id: rule.id,
            created_by: profile,
            name: &rule.text.name,
            description: &rule.text.description,
            algorithm_data: AsWritten(&rule.text.algorithm),
            algorithm_for: rule.purpose,
            created_at: stamp(rule.created_at),
            modified_at: stamp(rule.modified_at),
        }
    }
}

/// The peer's way to write a time, in UTC.
fn stamp(at: Time) -> String {
    at.timestamp().strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
