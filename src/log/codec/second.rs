//! Encoding 2: entries as they were while settings were written by the order of their fields.
//!
//! As in [`first`](super::first), only what has changed since has a shape of its own here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CodecError;
use crate::domain::rule::RuleText;
use crate::domain::settings::{
    Connector, Deduplication, Detection, EventMonitor, Healing, Levels, Merchant, Rates, Routing, Scaling,
};
use crate::domain::{
    Act, Autonomy, Body, Command, ConnectorAccount, ConnectorName, Context, Currency, Decision, EffectId, EffectResult,
    EventKind, Method, Money, PaymentEvent, PaymentId, ProfileId, Purpose, ResourceSample, RuleId, Settings,
};

/// What happened, in the order of its variants then.
#[derive(Serialize, Deserialize)]
pub(super) enum SecondBody {
    EngineStarted { version: String, epoch: u64 },
    Configured(Box<SecondSettings>),
    Payment(Box<PaymentEvent>),
    Decided(Arc<Decision>),
    Commanded(Command),
    Intended { id: EffectId, act: Act },
    Ended { id: EffectId, result: EffectResult },
    Sampled(ResourceSample),
    Ticked,
    MerchantConfigured { profile: ProfileId, priority: Vec<ConnectorAccount> },
    PeerRuleStored { profile: ProfileId, kind: String, rule: String },
    MerchantDeleted { profile: ProfileId },
    RuleCreated { profile: ProfileId, purpose: Purpose, text: Box<RuleText> },
    RuleUpdated { profile: ProfileId, id: RuleId, text: Box<RuleText> },
    RuleActivated { profile: ProfileId, id: RuleId, active: bool },
    RuleDeleted { profile: ProfileId, id: RuleId },
    PaymentTold { profile: ProfileId, payment: PaymentId, context: Context, amount: Option<Money> },
    ScoresReset { profile: ProfileId },
}

/// The way to today's entries and back: all but the settings are the same.
macro_rules! both_ways {
    ($($variant:ident $(($value:ident))? $({ $($field:ident),+ })?),+ $(,)?) => {
        impl From<SecondBody> for Body {
            fn from(second: SecondBody) -> Self {
                match second {
                    SecondBody::Configured(settings) => Self::Configured(Settings::from(*settings).into()),
                    $(SecondBody::$variant $(($value))? $({ $($field),+ })? => Self::$variant $(($value))? $({ $($field),+ })?),+
                }
            }
        }

        impl TryFrom<&Body> for SecondBody {
            type Error = CodecError;

            #[allow(unreachable_patterns, reason = "there is one as soon as the alphabet grows")]
            fn try_from(body: &Body) -> Result<Self, CodecError> {
                Ok(match body.clone() {
                    Body::Configured(settings) => Self::Configured(Box::new(Settings::clone(&settings).into())),
                    $(Body::$variant $(($value))? $({ $($field),+ })? => Self::$variant $(($value))? $({ $($field),+ })?,)+
                    _ => return Err(CodecError::Content("encoding 2 knows no such entry".to_owned())),
                })
            }
        }
    };
}

both_ways! {
    EngineStarted { version, epoch },
    Payment(event),
    Decided(decision),
    Commanded(command),
    Intended { id, act },
    Ended { id, result },
    Sampled(sample),
    Ticked,
    MerchantConfigured { profile, priority },
    PeerRuleStored { profile, kind, rule },
    MerchantDeleted { profile },
    RuleCreated { profile, purpose, text },
    RuleUpdated { profile, id, text },
    RuleActivated { profile, id, active },
    RuleDeleted { profile, id },
    PaymentTold { profile, payment, context, amount },
    ScoresReset { profile },
}

/// A section's keys then, and the way to today's and back. What has been added since takes its default, and is left out.
macro_rules! then {
    ($($(#[$doc:meta])* $then:ident of $now:ident { $($field:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Serialize, Deserialize)]
        pub(super) struct $then { $($field: $type),+ }

        impl From<$then> for $now {
            #[allow(clippy::needless_update, reason = "needed as soon as a key is added")]
            fn from(then: $then) -> Self {
                Self { $($field: then.$field.into()),+, ..Self::default() }
            }
        }

        impl From<$now> for $then {
            fn from(now: $now) -> Self {
                Self { $($field: now.$field.into()),+ }
            }
        }
    )+};
}

then! {
    /// The settings of encodings 1 and 2.
    SecondSettings of Settings {
        seed: u64,
        event_monitor: SecondEventMonitor,
        routing: SecondRouting,
        detection: SecondDetection,
        healing: SecondHealing,
        autonomy: SecondLevels,
        scaling: SecondScaling,
        deduplication: SecondDeduplication,
        money: SecondRates,
        connectors: Table<ConnectorName, SecondConnector>,
        merchants: Table<ProfileId, SecondMerchant>,
    }
    SecondEventMonitor of EventMonitor { enabled: bool, poll_interval_ms: u64, batch_size: u64, ignore: Vec<EventKind> }
    SecondRouting of Routing {
        auto_create_merchants: bool,
        exploration: f64,
        pending_damping: f64,
        uniform_share: f64,
        uniform_margin: f64,
        breaker_failures: u64,
        probe_share: f64,
        probe_interval_s: u64,
        probe_successes: u64,
        pending_timeout_s: u64,
        change_points: bool,
    }
    SecondDetection of Detection {
        window_s: u64,
        min_attempts: u64,
        min_drop: f64,
        max_probability: f64,
        latency_ratio: f64,
        volume_spike: f64,
        volume_drop: f64,
        resolve_after_s: u64,
    }
    SecondHealing of Healing {
        enabled: bool,
        expiry_s: u64,
        verify_s: u64,
        reject_quiet_s: u64,
        execute_timeout_s: u64,
    }
    SecondLevels of Levels { priority: Autonomy, exclusion: Autonomy, scaling: Autonomy, veto_delay_s: u64 }
    SecondScaling of Scaling {
        enabled: bool,
        min_instances: u64,
        max_instances: u64,
        cpu_up_percent: f64,
        memory_up_percent: f64,
        queue_up: u64,
        cpu_down_percent: f64,
        memory_down_percent: f64,
        queue_down: u64,
        cooldown_s: u64,
    }
    SecondDeduplication of Deduplication { horizon_s: u64, max_payments: u64 }
    SecondRates of Rates { reference: Option<Currency>, dated: String, per_reference: BTreeMap<Currency, f64> }
    SecondConnector of Connector { methods: Vec<Method>, currencies: Vec<Currency>, fee_minor: u64, fee_percent: f64 }
    SecondMerchant of Merchant { name: String, priority: Vec<ConnectorAccount> }
}

/// A table whose values had another shape.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Table<K: Ord, V>(BTreeMap<K, V>);

impl<K: Ord, V, W: From<V>> From<Table<K, V>> for BTreeMap<K, W> {
    fn from(Table(then): Table<K, V>) -> Self {
        then.into_iter().map(|(key, value)| (key, value.into())).collect()
    }
}

impl<K: Ord, V: From<W>, W> From<BTreeMap<K, W>> for Table<K, V> {
    fn from(now: BTreeMap<K, W>) -> Self {
        Self(now.into_iter().map(|(key, value)| (key, value.into())).collect())
    }
}
