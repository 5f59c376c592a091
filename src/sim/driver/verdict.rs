//! Which fault explains which incident: what an attentive person would say who knows what was broken.

use std::time::Duration;

use crate::domain::{ConnectorName, ProfileId, Time};
use crate::engine::snapshot::{AnomalyType, IncidentRow};
use crate::sim::scenario::{Fault, FaultKind, Scenario};

/// How long after a fault's end an incident is still due to it: windows, late outcomes and time-outs run on.
const AFTERMATH: Duration = Duration::from_mins(2);

/// What an incident's slice names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Named<'s> {
    connector: Option<&'s str>,
    bin: Option<&'s str>,
    merchant: Option<&'s str>,
}

impl<'s> Named<'s> {
    /// Reads `connector adyen`, `adyen × BIN 424242`, `account adyen:mca_lumen_ad`, `merchant pro_lumen`, `all traffic`.
    fn of(slice: &'s str) -> Self {
        if let Some(connector) = slice.strip_prefix("connector ") {
            return Self { connector: Some(connector), ..Self::default() };
        }
        if let Some(account) = slice.strip_prefix("account ") {
            return Self { connector: account.split(':').next(), ..Self::default() };
        }
        if let Some(merchant) = slice.strip_prefix("merchant ") {
            return Self { merchant: Some(merchant), ..Self::default() };
        }
        let (connector, bin) = slice.split_once(" × BIN ").unzip();
        Self { connector, bin, ..Self::default() }
    }
}

/// The fault of a scenario, by number, that an incident is due to: there when it was noticed, announced by nobody, and
/// hitting nothing else than the incident names.
pub(in crate::sim) fn explains(scenario: &Scenario, row: &IncidentRow) -> Option<usize> {
    let named = Named::of(&row.slice);
    let faults = scenario.faults.iter().map(toml::Spanned::get_ref).enumerate();
    let candidates = faults.filter(|(_, fault)| {
        !fault.planned && touches_payments(fault.kind) && is_there(scenario, fault, row.detected_at) && agrees(fault, named)
    });
    // Of several the one that shows itself so, then the one that hits just this, then the first.
    let fit = |(number, fault): &(usize, &Fault)| (!shows_as(fault.kind, row.kind), !is_exact(scenario, *number, &row.slice));
    candidates.min_by_key(fit).map(|(number, _)| number)
}

/// Whether a fault shows itself first of all as such an anomaly: more payments, slow ones, or failing ones.
const fn shows_as(fault: FaultKind, anomaly: AnomalyType) -> bool {
    let volume = matches!(
        fault,
        FaultKind::TrafficSpike
            | FaultKind::BillingRun
            | FaultKind::FraudBurst
            | FaultKind::BinAttack
            | FaultKind::AccountTakeover
    );
    let slow = matches!(fault, FaultKind::LatencySpike | FaultKind::ThreeDsSlow);
    match anomaly {
        AnomalyType::VolumeSpike | AnomalyType::VolumeDrop | AnomalyType::PotentialFraud => volume,
        AnomalyType::UnusualPattern => slow || matches!(fault, FaultKind::Brownout),
        AnomalyType::HighFailureRate => !volume && !slow,
    }
}

/// Whether an incident of such a slice names exactly what the fault hits.
pub(in crate::sim) fn is_exact(scenario: &Scenario, fault: usize, slice: &str) -> bool {
    let Some(fault) = scenario.faults.get(fault).map(toml::Spanned::get_ref) else { return false };
    let connector = fault.connector.as_ref().map(ConnectorName::as_str);
    let merchant = fault.merchant.as_ref().map(ProfileId::as_str);
    let named = Named::of(slice);
    match fault.kind {
        FaultKind::Outage | FaultKind::CredentialsExpired if merchant.is_some() => {
            named.merchant == merchant || (slice.starts_with("account ") && named.connector == connector)
        }
        FaultKind::Outage | FaultKind::Brownout | FaultKind::CredentialsExpired | FaultKind::LatencySpike => {
            slice == format!("connector {}", connector.unwrap_or_default())
        }
        FaultKind::BinFailure => named.bin == fault.bin.map(|bin| bin.to_string()).as_deref() && named.connector == connector,
        FaultKind::BadRule => named.merchant.is_some() && merchant.is_none_or(|merchant| named.merchant == Some(merchant)),
        FaultKind::TrafficSpike if merchant.is_none() => slice == "all traffic",
        FaultKind::TrafficSpike
        | FaultKind::BillingRun
        | FaultKind::FraudBurst
        | FaultKind::BinAttack
        | FaultKind::AccountTakeover => named.merchant.is_some() && merchant.is_none_or(|m| named.merchant == Some(m)),
        _ => false,
    }
}

/// Whether anybody should have noticed a fault: it harms payments, and nobody announced it.
pub(in crate::sim) fn calls_for_attention(fault: &Fault) -> bool {
    !fault.planned && touches_payments(fault.kind)
}

/// Troubles of our own with messages and processes are no incident of the payments.
const fn touches_payments(kind: FaultKind) -> bool {
    !matches!(
        kind,
        FaultKind::WebhookStorm
            | FaultKind::WebhookDelay
            | FaultKind::WebhookLoss
            | FaultKind::ClockSkew
            | FaultKind::LogDown
            | FaultKind::LeaderDown
            | FaultKind::TablesSlow
    )
}

fn is_there(scenario: &Scenario, fault: &Fault, at: Time) -> bool {
    let from = scenario.start + fault.at;
    from <= at && at <= from + fault.lasts + AFTERMATH
}

/// Whether a fault and an incident name no two different things.
fn agrees(fault: &Fault, named: Named<'_>) -> bool {
    let same = |hit: Option<&str>, named: Option<&str>| hit.is_none() || named.is_none() || hit == named;
    // A rule that sends all to one connector overloads that one, and takes from every other.
    let connector = if fault.kind == FaultKind::BadRule { None } else { fault.connector.as_ref().map(ConnectorName::as_str) };
    same(connector, named.connector)
        && same(fault.bin.map(|bin| bin.to_string()).as_deref(), named.bin)
        && same(fault.merchant.as_ref().map(ProfileId::as_str), named.merchant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_read_as_they_are_written() {
        let check = |slice, connector, bin, merchant| assert_eq!(Named::of(slice), Named { connector, bin, merchant });
        check("connector adyen", Some("adyen"), None, None);
        check("adyen × BIN 424242", Some("adyen"), Some("424242"), None);
        check("account adyen:mca_lumen_ad", Some("adyen"), None, None);
        check("merchant pro_lumen", None, None, Some("pro_lumen"));
        check("all traffic", None, None, None);
    }

    #[test]
    fn of_two_faults_at_once_each_explains_what_it_does() {
        let check = |fault: FaultKind, anomaly: AnomalyType| assert!(shows_as(fault, anomaly), "{fault:?} {anomaly:?}");
        check(FaultKind::TrafficSpike, AnomalyType::VolumeSpike);
        check(FaultKind::LatencySpike, AnomalyType::UnusualPattern);
        check(FaultKind::Outage, AnomalyType::HighFailureRate);
        check(FaultKind::Brownout, AnomalyType::HighFailureRate);
        assert!(!shows_as(FaultKind::TrafficSpike, AnomalyType::UnusualPattern), "a sale makes no connector slow");
    }

    #[test]
    fn a_fault_explains_what_it_hits_and_nothing_else() {
        let scenario = Scenario::named("bin-failure").unwrap();
        let agree = |slice: &str| agrees(scenario.faults[0].get_ref(), Named::of(slice));
        for slice in ["checkout × BIN 424242", "connector checkout", "merchant pro_lumen", "all traffic"] {
            assert!(agree(slice), "{slice}");
        }
        for slice in ["adyen × BIN 424242", "connector adyen", "checkout × BIN 411111"] {
            assert!(!agree(slice), "{slice}");
        }
        assert!(is_exact(&scenario, 0, "checkout × BIN 424242") && !is_exact(&scenario, 0, "connector checkout"));
    }
}
