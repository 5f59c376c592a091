//! `[experiments.NAME]`: ways to route that are tried against each other, each on its share of the payments.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{factor, number_within, share};
use crate::domain::{Method, ProfileId, Time};

/// Most experiments in one configuration: each has counts in State, and is looked at for every decision in its time.
pub const EXPERIMENTS_MAX: usize = 16;
/// Most arms of one experiment; more would each wait long for their outcomes.
const ARMS_MAX: usize = 6;
/// Longest name of an experiment or an arm, in bytes: both are in every decision's note.
const NAME_MAX: usize = 32;

/// Who chooses in an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmPolicy {
    /// The engine, as it does without an experiment: priority lists are obeyed.
    #[default]
    Engine,
    /// The engine, whatever the merchant's priority list says.
    Unpinned,
    /// The merchant's priority list or its rule, else the request's own order.
    Priority,
    /// The order of the request's list.
    Static,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Arm {
    /// Its name, unique within the experiment.
    pub name: CompactString,
    /// Its share of the payments in scope, percent, in steps of 0.01.
    #[serde(deserialize_with = "percent_above_none")]
    pub share: f64,
    /// Who chooses.
    pub policy: ArmPolicy,
    /// Of the engine: the weight of the bonus for learning more, where it is another.
    #[serde(deserialize_with = "optional_factor")]
    pub exploration: Option<f64>,
    /// Of the engine: the share drawn among those close to the best, where it is another.
    #[serde(deserialize_with = "optional_share")]
    pub uniform_share: Option<f64>,
}

impl Default for Arm {
    fn default() -> Self {
        Self {
            name: CompactString::default(),
            share: 50.0,
            policy: ArmPolicy::default(),
            exploration: None,
            uniform_share: None,
        }
    }
}

impl Arm {
    /// Buckets of ten thousand.
    #[must_use]
    pub fn buckets(&self) -> u16 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10,000")]
        let buckets = libm::round(self.share.clamp(0.0, 100.0) * 100.0) as u16;
        buckets
    }
}

/// One experiment. Its first arm is the control: every other one is judged against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Experiment {
    /// The arms, the control first; two at least. Payments beyond their shares are in none.
    pub arms: Vec<Arm>,
    /// The merchants in scope; empty: all.
    pub merchants: Vec<ProfileId>,
    /// The methods in scope; empty: all.
    pub methods: Vec<Method>,
    /// When it begins; none: at once.
    pub start: Option<Time>,
    /// When it ends; none: it does not by itself.
    pub end: Option<Time>,
    /// Error probability that a winner, and that a loser, is found where there is none; above 0, at most 0.5.
    #[serde(deserialize_with = "share")]
    pub alpha: f64,
}

impl Default for Experiment {
    fn default() -> Self {
        Self { arms: Vec::new(), merchants: Vec::new(), methods: Vec::new(), start: None, end: None, alpha: 0.05 }
    }
}

impl Experiment {
    /// What cannot be, and what to do about it; none: it can be used.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if !(2..=ARMS_MAX).contains(&self.arms.len()) {
            return Some(format!("an experiment has 2 to {ARMS_MAX} arms, not {}", self.arms.len()));
        }
        for (index, arm) in self.arms.iter().enumerate() {
            if let Some(problem) = name_problem(&arm.name) {
                return Some(format!("arm {}: {problem}", index + 1));
            }
            if self.arms[..index].iter().any(|other| other.name == arm.name) {
                return Some(format!("two arms are called `{}`: give each its own name", arm.name));
            }
            let engine = matches!(arm.policy, ArmPolicy::Engine | ArmPolicy::Unpinned);
            if !engine && (arm.exploration.is_some() || arm.uniform_share.is_some()) {
                return Some(format!("arm `{}` follows an order: exploration and uniform_share are the engine's", arm.name));
            }
        }
        let buckets: u32 = self.arms.iter().map(|arm| u32::from(arm.buckets())).sum();
        if buckets > 10_000 {
            return Some(format!("the shares of the arms sum to {} %: 100 at most", f64::from(buckets) / 100.0));
        }
        if self.start.zip(self.end).is_some_and(|(start, end)| start >= end) {
            return Some("it ends before it begins".to_owned());
        }
        (self.alpha <= 0.0 || self.alpha > 0.5).then(|| format!("alpha is {}: allowed is more than 0, at most 0.5", self.alpha))
    }
}

/// Reads experiments by name, few and well named. Checked where a person wrote them; taken as they are from our own encoding.
///
/// # Errors
/// What cannot be, with the experiment's name.
pub fn experiments<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<CompactString, Experiment>, D::Error> {
    let human = from.is_human_readable();
    let experiments = BTreeMap::<CompactString, Experiment>::deserialize(from)?;
    if !human {
        return Ok(experiments);
    }
    if experiments.len() > EXPERIMENTS_MAX {
        return Err(D::Error::custom(format!("there are {} experiments: {EXPERIMENTS_MAX} at most", experiments.len())));
    }
    for (name, experiment) in &experiments {
        if let Some(problem) = name_problem(name).or_else(|| experiment.problem()) {
            return Err(D::Error::custom(format!("experiment {name}: {problem}")));
        }
    }
    Ok(experiments)
}

fn name_problem(name: &str) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let fits = (1..=NAME_MAX).contains(&name.len()) && name.chars().all(plain);
    (!fits).then(|| format!("`{name}` is no name: 1 to {NAME_MAX} letters, digits, `-`, `_`, `.`"))
}

fn percent_above_none<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number_within(from, 0.01, 100.0)
}

/// A number of [`factor`]'s range, where it may be left out.
fn optional_factor<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    struct Factor(#[serde(deserialize_with = "factor")] f64);
    Ok(Option::<Factor>::deserialize(from)?.map(|factor| factor.0))
}

/// A number of [`share`]'s range, where it may be left out.
fn optional_share<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    struct Share(#[serde(deserialize_with = "share")] f64);
    Ok(Option::<Share>::deserialize(from)?.map(|share| share.0))
}

#[cfg(test)]
mod tests {
    use crate::domain::Settings;

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(&format!("[experiments.x]\n{text}")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_experiment_is_read_and_kept_by_our_own_encoding() {
        let arms = "arms = [{ name = \"control\" }, { name = \"less\", share = 12.5, exploration = 0.3 }]\n";
        let settings = read(&format!("{arms}methods = [\"card\"]\nend = \"2026-12-01T00:00:00Z\"\n")).unwrap();
        let experiment = &settings.experiments["x"];
        assert_eq!((experiment.arms[1].buckets(), experiment.arms[1].exploration), (1_250, Some(0.3)));
        assert_eq!((experiment.end.unwrap().to_string().as_str(), experiment.alpha), ("2026-12-01T00:00:00.000Z", 0.05));
        let bytes = postcard::to_allocvec(&crate::domain::settings::Recorded::from(settings.clone())).unwrap();
        assert_eq!(*postcard::from_bytes::<crate::domain::settings::Recorded>(&bytes).unwrap(), settings);
        let state = postcard::to_allocvec(&settings).unwrap();
        assert_eq!(postcard::from_bytes::<Settings>(&state).unwrap(), settings);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_remedy() {
        let check = |text: &str, told: &str| {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
        };
        check("", "2 to 6 arms");
        check("arms = [{ name = \"a\" }, { name = \"a\" }]", "two arms are called `a`");
        check("arms = [{ name = \"a\" }, { name = \"\" }]", "arm 2: `` is no name");
        check("arms = [{ name = \"a\", share = 60 }, { name = \"b\" }]", "sum to 110 %");
        check("arms = [{ name = \"a\" }, { name = \"b\", policy = \"static\", exploration = 1 }]", "follows an order");
        check("arms = [{ name = \"a\" }, { name = \"b\", policy = \"best\" }]", "unknown variant `best`");
        check("arms = [{ name = \"a\" }, { name = \"b\", exploration = -1 }]", "allowed are 0 to 1000");
        check(
            "start = \"2026-12-02T00:00:00Z\"\nend = \"2026-12-01T00:00:00Z\"\narms = [{ name = \"a\" }, { name = \"b\" }]",
            "ends before it begins",
        );
        check("alpha = 0.6\narms = [{ name = \"a\" }, { name = \"b\" }]", "at most 0.5");
    }
}
