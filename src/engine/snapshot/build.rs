//! Builds the snapshot of a state.

use std::collections::BTreeMap;

use super::{
    AccountRow, ActionStatus, AdoptionView, AtRisk, BreakerState, ConnectorRow, Conservative, Header, Health, IncidentRow,
    KillSwitch, MerchantAdoptionRow, MerchantRow, SPARK_BUCKETS, Snapshot,
};
use crate::domain::numbers::as_f64;
use crate::domain::settings::Rates;
use crate::domain::{ActionClass, ConnectorAccount, ConnectorName, Currency, Money};
use crate::engine::detect;
use crate::engine::heal::Action;
use crate::engine::monitor::{Slice, Watched};
use crate::engine::state::State;

/// Seconds the header's and the connectors' rates are taken over.
const MINUTE: u64 = 60;
/// Merchants listed that do not follow all in everything; more are counted.
const MERCHANTS_APART: usize = 100;
/// Below this attempt rate a connector counts as down: most attempts fail.
const DOWN: f64 = 0.5;

/// All that screens and the API may see of a state.
#[must_use]
pub fn snapshot(state: &State) -> Snapshot {
    let view = &state.view;
    let incidents = incidents(state);
    Snapshot {
        position: view.position,
        at: view.at,
        epoch: state.epoch,
        header: header(state, &incidents),
        adoption: adoption(state),
        experiments: state.experiments.rows(view),
        connectors: view.connectors.iter().map(|(number, name)| connector(state, number, name)).collect(),
        incidents,
        actions: actions(state),
        resting: state.healer.rests.told(view.at),
        hindsights: state.healer.shadowed.hindsights(&view.settings.money),
        shadows: state.healer.shadowed.view(&view.settings.money, view.at),
        learning: state.learning.view(&view.settings.learning, view.at),
        scaling: state.scaler.view(&view.settings.scaling, view.at),
        events: state.feed.rows(view),
        analytics: state.analyst.view(view),
        merchants: merchants(state),
        statistics: state.statistics.clone(),
        outcomes: state.healer.outcomes().cloned().collect(),
    }
}

fn adoption(state: &State) -> AdoptionView {
    let (view, adoption) = (&state.view, state.view.adoption());
    let killed = adoption.killed.as_ref();
    let mut merchants: Vec<MerchantAdoptionRow> = adoption
        .merchants
        .iter()
        .filter_map(|(number, own)| {
            let profile = view.profiles.name(*number)?.clone();
            Some(MerchantAdoptionRow { profile, dial: own.dial, shadow: own.shadow })
        })
        .take(MERCHANTS_APART)
        .collect();
    merchants.sort_by(|a, b| a.profile.cmp(&b.profile));
    AdoptionView {
        dial: adoption.dial,
        shadow: adoption.shadow,
        kill_switch: killed.map(|killed| KillSwitch {
            since: killed.at,
            by: killed.by.to_string(),
            reason: killed.reason.to_string(),
        }),
        conservative: adoption
            .cautious
            .as_ref()
            .map(|cautious| Conservative { since: cautious.since, sentence: cautious.sentence.clone() }),
        merchants,
        merchants_apart: adoption.merchants.len(),
        reports: state.shadow.view(view, &view.settings.money),
    }
}

fn header(state: &State, incidents: &[IncidentRow]) -> Header {
    let at = state.view.at;
    let all = state.monitor.get(Slice::All);
    let minute = all.map(|all| all.window.sums(at, MINUTE)).unwrap_or_default();
    // The running second is not over, so the ten before it are taken.
    let recent = all.map(|all| all.window.sums(at, 11).started - all.window.sums(at, 1).started).unwrap_or_default();
    let open = || incidents.iter().filter(|incident| incident.resolved_at.is_none());
    Header {
        payments_per_s: as_f64(recent) / 10.0,
        attempt_rate: (minute.answered() > 0).then(|| as_f64(minute.approved) / as_f64(minute.answered())),
        attempts: minute.answered(),
        baseline_rate: all.and_then(|all| all.baseline.attempt_rate()),
        at_risk: at_risk(detect::at_risk(&state.incidents), &state.view.settings.money),
        autonomy: state.configured.then(|| state.healer.levels.clone()),
        open_incidents: u32::try_from(open().count()).unwrap_or(u32::MAX),
        pending_actions: state.healer.pending(),
        attempts_unseen: state.statistics.attempts_unseen,
        attempts_coverage: state.statistics.attempts_coverage(),
    }
}

/// The sums by currency, and in the reference currency where every currency has a rate.
fn at_risk(by_currency: BTreeMap<Currency, i64>, rates: &Rates) -> AtRisk {
    let by_currency: Vec<Money> = by_currency.into_iter().map(|(currency, minor)| Money::new(minor, currency)).collect();
    let total = rates.reference.and_then(|reference| {
        let parts: Option<Vec<f64>> =
            by_currency.iter().map(|m| Some(m.major() / rates.per_reference.get(&m.currency)?)).collect();
        let unit = f64::from(10_u32.pow(reference.exponent()));
        #[expect(clippy::cast_possible_truncation, reason = "an estimate; saturates")]
        let minor = libm::round(parts?.iter().sum::<f64>() * unit) as i64;
        Some(Money::new(minor, reference))
    });
    AtRisk { total, rates_dated: rates.dated.clone(), by_currency }
}

fn connector(state: &State, number: u32, name: &ConnectorName) -> ConnectorRow {
    let at = state.view.at;
    let watched = state.monitor.get(Slice::Connector(number));
    let sums = watched.map(|w| w.window.sums(at, MINUTE)).unwrap_or_default();
    let total = state.monitor.get(Slice::All).map_or(0, |all| all.window.sums(at, MINUTE).answered());
    let accounts = accounts(state, number);
    let told = state.view.settings.connectors.get(name);
    let attempt_rate = (sums.answered() > 0).then(|| as_f64(sums.approved) / as_f64(sums.answered()));
    ConnectorRow {
        name: name.clone(),
        health: health(state, number, attempt_rate, &accounts),
        attempt_rate,
        attempts: sums.answered(),
        baseline_rate: watched.and_then(|w| w.baseline.attempt_rate()),
        latency_ms: (sums.timed > 0).then(|| libm::exp(sums.log_latency / as_f64(sums.timed))),
        share: as_f64(sums.answered()) / as_f64(total.max(1)),
        pending: state.view.pending.get(number as usize).copied().unwrap_or(0),
        rate_spark: watched.map_or_else(|| vec![None; SPARK_BUCKETS], |w| rate_spark(w, state)),
        volume_spark: watched.map_or_else(|| vec![0; SPARK_BUCKETS], |w| volume_spark(w, state)),
        accounts,
        maintenance: told.map(|told| told.planned(at).cloned().collect()).unwrap_or_default(),
    }
}

fn rate_spark(watched: &Watched, state: &State) -> Vec<Option<f32>> {
    let rate = |approved: u16, answered: u32| {
        (answered > 0).then(|| f32::from(approved) / f32::from(u16::try_from(answered).unwrap_or(u16::MAX)))
    };
    let series = watched.window.series(state.view.at);
    series.iter().map(|b| rate(b.approved, u32::from(b.approved) + u32::from(b.failed) + u32::from(b.excused))).collect()
}

fn volume_spark(watched: &Watched, state: &State) -> Vec<u32> {
    let series = watched.window.series(state.view.at);
    series.iter().map(|b| u32::from(b.approved) + u32::from(b.failed) + u32::from(b.excused)).collect()
}

fn accounts(state: &State, connector: u32) -> Vec<AccountRow> {
    let named = state.view.account_names.iter().zip(state.view.accounts.iter());
    let told = |account: &ConnectorAccount| state.view.settings.connectors.get(account.connector());
    let mine = named.filter(|(_, account)| account.connector == connector);
    mine.map(|((number, name), account)| {
        let (attempts, approved) = state.analyst.account(number);
        AccountRow {
            account: name.clone(),
            breaker: if account.breaker.open.is_some() { BreakerState::Open } else { BreakerState::Closed },
            breaker_reason: account.breaker.open.map(|(_, reason)| reason.sentence()),
            excluded: account.excluded.is_some(),
            maintenance_until: told(name).and_then(|told| told.maintained_until(name, state.view.at)),
            consecutive_failures: account.breaker.consecutive,
            probe_successes: account.breaker.probe_successes,
            attempts,
            approved,
        }
    })
    .collect()
}

fn health(state: &State, connector: u32, rate: Option<f64>, accounts: &[AccountRow]) -> Health {
    let open = accounts.iter().filter(|account| account.breaker == BreakerState::Open).count();
    let incident = state
        .incidents
        .open_ones()
        .any(|i| matches!(i.slice, Slice::Connector(c) | Slice::Account(c, _) | Slice::Bin(c, _) if c == connector));
    // An incident sees it in its shorter windows, most of a minute before the row's own rate has fallen.
    let fails = state.incidents.open_ones().any(|i| i.slice == Slice::Connector(connector) && i.is_critical());
    match rate {
        _ if open > 0 && open == accounts.len() => Health::Down,
        Some(rate) if rate < DOWN && incident => Health::Down,
        _ if fails => Health::Down,
        _ if incident || open > 0 => Health::Degraded,
        None => Health::Quiet,
        Some(_) => Health::Healthy,
    }
}

/// Open ones first, then by severity, then the newest.
fn incidents(state: &State) -> Vec<IncidentRow> {
    let rates = &state.view.settings.money;
    let total = |row: &IncidentRow| {
        let by_currency = row.at_risk.iter().map(|money| (money.currency, money.minor)).collect();
        at_risk(by_currency, rates).total.filter(|_| !row.at_risk.is_empty())
    };
    let rows = state.incidents.iter().map(|incident| &incident.row);
    let mut rows: Vec<IncidentRow> = rows.map(|row| IncidentRow { at_risk_total: total(row), ..row.clone() }).collect();
    rows.sort_by_key(|row| (row.resolved_at.is_some(), core::cmp::Reverse((row.severity, row.detected_at, row.id))));
    rows
}

/// Pending first, what answers an incident before the rest and scaling last; then in progress, then the newest.
fn actions(state: &State) -> Vec<super::ActionRow> {
    let over = |id| state.incidents.get(id).is_none_or(|incident| !incident.is_open());
    let rests =
        |action: &Action| state.healer.rests_until(action, state.view.at).filter(|_| !action.row.incident.is_some_and(over));
    let mut rows: Vec<super::ActionRow> =
        state.healer.iter().map(|action| super::ActionRow { rests_until: rests(action), ..action.row.clone() }).collect();
    let rank = |row: &super::ActionRow| match row.status {
        ActionStatus::Pending if row.incident.is_some() => 0,
        ActionStatus::Pending if row.class != ActionClass::Scaling => 1,
        ActionStatus::Pending => 2,
        ActionStatus::InProgress => 3,
        _ => 4,
    };
    rows.sort_by_key(|row| (rank(row), core::cmp::Reverse(row.id)));
    rows
}

fn merchants(state: &State) -> Vec<MerchantRow> {
    let named = state.view.profiles.iter().zip(state.view.merchants.iter());
    let mut rows: Vec<MerchantRow> = named
        .map(|((_, profile), merchant)| MerchantRow {
            profile: profile.clone(),
            name: state
                .view
                .settings
                .merchants
                .get(profile)
                .map(|m| m.name.clone())
                .filter(|n| !n.is_empty())
                .unwrap_or_else(|| profile.to_string()),
            priority: merchant.priority.clone(),
        })
        .collect();
    rows.sort_by(|a, b| a.profile.cmp(&b.profile));
    rows
}
