//! What the engine is told to do: thresholds, limits, merchants, connectors, autonomy.
//!
//! Everything `apply` and `decide` read of the configuration is in [`Settings`], which enters by the log. The
//! defaults are here; `config/apos.toml` lists every key with its default, and a test holds the two together. Values
//! out of range are refused when they are read, so that the file's line can be named.

mod adoption;
mod connector;
mod experiment;
mod learning;
mod objective;
mod recorded;

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize};

pub use adoption::{Adoption, MerchantAdoption};
pub use connector::{AmountRange, Connector, Fee, ThreeDs, Window};
pub use experiment::{Arm, ArmPolicy, EXPERIMENTS_MAX, Experiment, experiments};
pub use learning::Learning;
pub use objective::Objective;
pub use recorded::Recorded;

use super::{ActionClass, Autonomy, ConnectorAccount, ConnectorName, Currency, ProfileId};

/// A whole number from `MIN` to `MAX`.
pub(crate) fn whole<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(from: D) -> Result<u64, D::Error> {
    let value = u64::deserialize(from)?;
    if (MIN..=MAX).contains(&value) {
        return Ok(value);
    }
    Err(serde::de::Error::custom(format!("{value} is out of range: allowed are {MIN} to {MAX}")))
}

/// A share, 0 to 1.
fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number_within(from, 0.0, 1.0)
}

/// A percentage, 0 to 100.
fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number_within(from, 0.0, 100.0)
}

/// A factor, 0 to 1,000.
fn factor<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    number_within(from, 0.0, 1_000.0)
}

fn number_within<'de, D: Deserializer<'de>>(from: D, low: f64, high: f64) -> Result<f64, D::Error> {
    let value = f64::deserialize(from)?;
    if value.is_finite() && value >= low && value <= high {
        return Ok(value);
    }
    Err(serde::de::Error::custom(format!("{value} is out of range: allowed are {low} to {high}")))
}

/// Rates by currency, each above 0. Checked where a person wrote them; taken as they are from our own encoding.
fn rates<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Currency, f64>, D::Error> {
    struct Rate(f64);
    impl<'de> Deserialize<'de> for Rate {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let human = from.is_human_readable();
            let rate = f64::deserialize(from)?;
            if human && !(rate.is_finite() && rate > 0.0) {
                return Err(serde::de::Error::custom(format!("{rate} is no rate: a finite number above 0 is")));
            }
            Ok(Self(rate))
        }
    }
    let rates = BTreeMap::<Currency, Rate>::deserialize(from)?;
    Ok(rates.into_iter().map(|(currency, Rate(rate))| (currency, rate)).collect())
}

/// Accounts, each once. Checked where a person wrote them; taken as they are from our own encoding.
fn distinct<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ConnectorAccount>, D::Error> {
    let human = from.is_human_readable();
    let accounts = Vec::<ConnectorAccount>::deserialize(from)?;
    let twice = (1..accounts.len()).find(|&index| accounts[..index].contains(&accounts[index]));
    match twice.filter(|_| human) {
        Some(index) => Err(serde::de::Error::custom(format!("the list names `{}` twice", accounts[index]))),
        None => Ok(accounts),
    }
}

/// The engine's whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seed of every draw the engine makes (exploration, probes, the uniform slice).
    pub seed: u64,
    /// `[event_monitor]`
    pub event_monitor: EventMonitor,
    /// `[routing]`
    pub routing: Routing,
    /// `[learning]`
    pub learning: Learning,
    /// `[detection]`
    pub detection: Detection,
    /// `[healing]`
    pub healing: Healing,
    /// `[autonomy]`
    pub autonomy: Levels,
    /// `[adoption]`
    pub adoption: Adoption,
    /// `[scaling]`
    pub scaling: Scaling,
    /// `[deduplication]`
    pub deduplication: Deduplication,
    /// What `[hyperswitch]` says to the engine.
    pub fetching: Fetching,
    /// `[money]`
    pub money: Rates,
    /// `[connectors.NAME]`
    pub connectors: BTreeMap<ConnectorName, Connector>,
    /// `[merchants.PROFILE]`
    pub merchants: BTreeMap<ProfileId, Merchant>,
    /// `[experiments.NAME]`
    #[serde(deserialize_with = "experiments")]
    pub experiments: BTreeMap<CompactString, Experiment>,
}

/// The event monitor: what is taken in and counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventMonitor {
    /// Whether the Redis Stream of payment events is read.
    pub enabled: bool,
    /// How long one read of the stream waits for entries, in milliseconds.
    #[serde(deserialize_with = "whole::<_, 1, 60_000>")]
    pub poll_interval_ms: u64,
    /// How many entries one read takes at most.
    #[serde(deserialize_with = "whole::<_, 1, 10_000>")]
    pub batch_size: u64,
    /// Kinds of events that are dropped before they count; by default none.
    pub ignore: Vec<super::EventKind>,
}

impl Default for EventMonitor {
    fn default() -> Self {
        Self { enabled: true, poll_interval_ms: 100, batch_size: 50, ignore: Vec::new() }
    }
}

/// The decision engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// Whether an unknown merchant is created when it is first heard of, instead of refused.
    pub auto_create_merchants: bool,
    /// Weight of the bonus for learning more (κ); 0 never explores.
    #[serde(deserialize_with = "factor")]
    pub exploration: f64,
    /// How much each attempt in flight shrinks that bonus (ρ).
    #[serde(deserialize_with = "factor")]
    pub pending_damping: f64,
    /// Share of decisions drawn uniformly among those close to the best.
    #[serde(deserialize_with = "share")]
    pub uniform_share: f64,
    /// How close to the best an account must be for that draw, in points of expected success (0 to 1).
    #[serde(deserialize_with = "share")]
    pub uniform_margin: f64,
    /// Gateway-class failures in a row that open an account's breaker.
    #[serde(deserialize_with = "whole::<_, 2, 1_000>")]
    pub breaker_failures: u64,
    /// Share of decisions that probe an open or excluded account.
    #[serde(deserialize_with = "share")]
    pub probe_share: f64,
    /// A probe is due after so many seconds without one, whatever the share says.
    #[serde(deserialize_with = "whole::<_, 1, 3_600>")]
    pub probe_interval_s: u64,
    /// Probes in a row that must succeed before the breaker closes.
    #[serde(deserialize_with = "whole::<_, 1, 100>")]
    pub probe_successes: u64,
    /// After so many seconds without an outcome an attempt counts as unknown and no longer as in flight.
    #[serde(deserialize_with = "whole::<_, 10, 86_400>")]
    pub pending_timeout_s: u64,
    /// Whether change-points re-open what was learnt.
    pub change_points: bool,
    /// What is answered when every account that the caller allows is excluded.
    pub when_none_left: WhenNoneLeft,
}

/// What is answered when nothing is left to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum WhenNoneLeft {
    /// The least bad of those that are excluded, with the reason.
    #[default]
    LeastBad,
    /// No decision, with every account's reason; probes of what may be well again flow all the same.
    Refuse,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            auto_create_merchants: true,
            exploration: 1.3,
            pending_damping: 0.3,
            uniform_share: 0.01,
            uniform_margin: 0.05,
            breaker_failures: 5,
            probe_share: 0.01,
            probe_interval_s: 10,
            probe_successes: 5,
            pending_timeout_s: 900,
            change_points: true,
            when_none_left: WhenNoneLeft::LeastBad,
        }
    }
}

/// The anomaly detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detection {
    /// Length of the window that is judged, in seconds.
    #[serde(deserialize_with = "whole::<_, 5, 60>")]
    pub window_s: u64,
    /// Attempts a slice needs in the window before its rate is judged: small samples must not alarm.
    #[serde(deserialize_with = "whole::<_, 5, 100_000>")]
    pub min_attempts: u64,
    /// Smallest drop of the attempt rate that is an anomaly, in points (0 to 1).
    #[serde(deserialize_with = "share")]
    pub min_drop: f64,
    /// Largest probability of the observation under the baseline that is an anomaly; of a BIN on a connector, of which
    /// there are many, a hundredth of it.
    #[serde(deserialize_with = "share")]
    pub max_probability: f64,
    /// Smallest ratio of mean latency to its baseline that is an anomaly.
    #[serde(deserialize_with = "factor")]
    pub latency_ratio: f64,
    /// Smallest ratio of volume to its baseline that is a spike.
    #[serde(deserialize_with = "factor")]
    pub volume_spike: f64,
    /// Largest ratio of volume to its baseline that is a drop.
    #[serde(deserialize_with = "share")]
    pub volume_drop: f64,
    /// An incident is resolved after so many seconds without the anomaly.
    #[serde(deserialize_with = "whole::<_, 5, 86_400>")]
    pub resolve_after_s: u64,
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            window_s: 30,
            min_attempts: 20,
            min_drop: 0.10,
            max_probability: 1e-5,
            latency_ratio: 2.0,
            volume_spike: 2.5,
            volume_drop: 0.3,
            resolve_after_s: 30,
        }
    }
}

/// The self-healing service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Healing {
    /// Whether repairs are proposed.
    pub enabled: bool,
    /// A proposal nobody answered lapses after so many seconds; it never approves itself.
    #[serde(deserialize_with = "whole::<_, 10, 86_400>")]
    pub expiry_s: u64,
    /// After its execution an action is verified for so many seconds.
    #[serde(deserialize_with = "whole::<_, 5, 3_600>")]
    pub verify_s: u64,
    /// After a rejection the same repair is not proposed again for so many seconds.
    #[serde(deserialize_with = "whole::<_, 0, 86_400>")]
    pub reject_quiet_s: u64,
    /// How long an executor may try before an effect counts as refused, in seconds.
    #[serde(deserialize_with = "whole::<_, 1, 600>")]
    pub execute_timeout_s: u64,
}

impl Default for Healing {
    fn default() -> Self {
        Self { enabled: true, expiry_s: 600, verify_s: 30, reject_quiet_s: 600, execute_timeout_s: 30 }
    }
}

/// The autonomy ladder at start; operators move it while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// Priority lists of pinned merchants.
    pub priority: Autonomy,
    /// Excluding and restoring connector accounts.
    pub exclusion: Autonomy,
    /// Scaling by one instance.
    pub scaling: Autonomy,
    /// Stopping and promoting arms of experiments.
    pub experiments: Autonomy,
    /// At `veto`, an action waits so many seconds for one.
    #[serde(deserialize_with = "whole::<_, 5, 3_600>")]
    pub veto_delay_s: u64,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            priority: Autonomy::Approve,
            exclusion: Autonomy::Approve,
            scaling: Autonomy::Approve,
            experiments: Autonomy::Approve,
            veto_delay_s: 60,
        }
    }
}

impl Levels {
    /// The level of a class.
    #[must_use]
    pub const fn of(&self, class: ActionClass) -> Autonomy {
        match class {
            ActionClass::Priority => self.priority,
            ActionClass::Exclusion => self.exclusion,
            ActionClass::Scaling => self.scaling,
            ActionClass::Experiments => self.experiments,
        }
    }

    /// Sets the level of a class.
    pub const fn set(&mut self, class: ActionClass, level: Autonomy) {
        match class {
            ActionClass::Priority => self.priority = level,
            ActionClass::Exclusion => self.exclusion = level,
            ActionClass::Scaling => self.scaling = level,
            ActionClass::Experiments => self.experiments = level,
        }
    }
}

/// The resource manager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scaling {
    /// Whether scaling is proposed.
    pub enabled: bool,
    /// Fewest instances.
    #[serde(deserialize_with = "whole::<_, 1, 10_000>")]
    pub min_instances: u64,
    /// Most instances.
    #[serde(deserialize_with = "whole::<_, 1, 10_000>")]
    pub max_instances: u64,
    /// Scale up above this CPU use, percent.
    #[serde(deserialize_with = "percent")]
    pub cpu_up_percent: f64,
    /// Scale up above this memory use, percent.
    #[serde(deserialize_with = "percent")]
    pub memory_up_percent: f64,
    /// Scale up above this queue depth.
    #[serde(deserialize_with = "whole::<_, 1, 1_000_000>")]
    pub queue_up: u64,
    /// Scale down below this CPU use, percent (with memory and queue).
    #[serde(deserialize_with = "percent")]
    pub cpu_down_percent: f64,
    /// Scale down below this memory use, percent (with CPU and queue).
    #[serde(deserialize_with = "percent")]
    pub memory_down_percent: f64,
    /// Scale down below this queue depth (with CPU and memory).
    #[serde(deserialize_with = "whole::<_, 0, 1_000_000>")]
    pub queue_down: u64,
    /// After a change of scale, none for so many seconds.
    #[serde(deserialize_with = "whole::<_, 1, 86_400>")]
    pub cooldown_s: u64,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            enabled: true,
            min_instances: 2,
            max_instances: 10,
            cpu_up_percent: 75.0,
            memory_up_percent: 80.0,
            queue_up: 100,
            cpu_down_percent: 30.0,
            memory_down_percent: 40.0,
            queue_down: 10,
            cooldown_s: 300,
        }
    }
}

/// How long, and for how many payments, repeats are recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deduplication {
    /// The horizon, in seconds of the log's time.
    #[serde(deserialize_with = "whole::<_, 60, 2_592_000>")]
    pub horizon_s: u64,
    /// The most payments remembered; the oldest go first.
    #[serde(deserialize_with = "whole::<_, 1_000, 100_000_000>")]
    pub max_payments: u64,
}

/// Attempts that the switch hides, as far as the engine must know: whether somebody asks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Fetching {
    /// The most payments that wait to be asked for; the oldest go first. 0: nobody asks, and none waits.
    #[serde(deserialize_with = "whole::<_, 0, 100_000>")]
    pub max_waiting: u64,
}

impl Default for Deduplication {
    fn default() -> Self {
        Self { horizon_s: 7 * 86_400, max_payments: 8_000_000 }
    }
}

/// Reference rates: what totals over currencies are shown in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// The currency of totals.
    pub reference: Option<Currency>,
    /// The date of the rates, shown beside every total.
    pub dated: String,
    /// Units of each currency that one unit of the reference buys; above 0.
    #[serde(deserialize_with = "rates")]
    pub per_reference: BTreeMap<Currency, f64>,
}

impl Default for Rates {
    /// Reference rates of the European Central Bank, rounded; replace them by current ones.
    fn default() -> Self {
        let rates = [
            ("EUR", 1.0),
            ("USD", 1.08),
            ("GBP", 0.85),
            ("CHF", 0.95),
            ("SEK", 11.3),
            ("PLN", 4.3),
            ("JPY", 162.0),
            ("INR", 90.0),
            ("BRL", 5.9),
        ];
        Self {
            reference: Currency::parse("EUR").ok(),
            dated: "2025-01-02".to_owned(),
            per_reference: rates.into_iter().filter_map(|(code, rate)| Some((Currency::parse(code).ok()?, rate))).collect(),
        }
    }
}

/// A merchant known beforehand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Merchant {
    /// The name shown on screens; the profile id when empty.
    pub name: String,
    /// Accounts in fixed order, each once, for a merchant pinned to a priority list; empty: the bandit chooses.
    #[serde(deserialize_with = "distinct")]
    pub priority: Vec<ConnectorAccount>,
    /// What its payments are routed for; by default success alone.
    pub objective: Objective,
    /// How much of its traffic the engine routes, where it is not as of all.
    pub adoption: MerchantAdoption,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_say_what_is_allowed() {
        let refused = toml::from_str::<Settings>("[event_monitor]\nbatch_size = 0\n").unwrap_err().to_string();
        assert!(refused.contains("line 2") && refused.contains("1 to 10000"), "{refused}");
        let unknown = toml::from_str::<Settings>("[routing]\nexploratoin = 1.0\n").unwrap_err().to_string();
        assert!(unknown.contains("line 2") && unknown.contains("exploration"), "{unknown}");
    }

    #[test]
    fn the_seed_documents_values_are_the_defaults() {
        let settings = Settings::default();
        assert_eq!((settings.event_monitor.poll_interval_ms, settings.event_monitor.batch_size), (100, 50));
        assert_eq!((settings.scaling.queue_up, settings.scaling.cooldown_s), (100, 300));
        assert_eq!(settings.routing.breaker_failures, 5);
    }
}
