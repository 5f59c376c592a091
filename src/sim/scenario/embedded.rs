//! The scenarios inside the program.

/// One embedded scenario: its name and its file.
macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../config/scenarios/", $name, ".toml")))),+]
    };
}

/// Name and text of each, the plain ones first.
pub(super) const ALL: &[(&str, &str)] = embedded![
    "calm",
    "outage",
    "brownout",
    "black-friday",
    "latency",
    "bin-failure",
    "day",
    "fraud-burst",
    "acquirer-down-black-friday",
    "issuer-down",
    "issuer-maintenance-at-night",
    "certificate-expired",
    "credentials-of-one-merchant",
    "three-ds-provider-slow",
    "currency-misconfigured",
    "bin-attack",
    "account-takeover",
    "slow-leak",
    "flapping-connector",
    "second-outage",
    "bad-rule-deployed",
    "model-gone-wrong",
    "billing-run",
    "flash-sale",
    "two-faults-at-once",
    "hidden-by-auto-retry",
    "scheme-outage",
    "webhook-storm",
    "webhooks-late",
    "webhooks-lost",
    "redis-down",
    "postgres-slow",
    "leader-lost",
    "clock-behind",
    "rate-limited",
    "planned-maintenance",
    "quiet-night",
    "restless-saturday",
    "experiment-guardrail",
];
