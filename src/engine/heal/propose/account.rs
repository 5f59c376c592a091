//! Accounts: out of routing while one merchant's account fails, and back when its probes succeed.

use super::{Draft, Site, about};
use crate::domain::numbers::as_f64;
use crate::domain::{Change, ConnectorAccount, ProfileId};
use crate::engine::detect::{Incident, rate_of, scaled};
use crate::engine::heal::Subject;
use crate::engine::monitor::Slice;
use crate::engine::route::Account;
use crate::engine::snapshot::{ActionRow, AnomalyType, BlastRadius, Prediction};

/// Takes an account out of routing that fails alone and that a pinned merchant is sent to first. For merchants that are
/// free the breaker does the same by itself.
pub(super) fn exclude(incident: &Incident, site: &Site<'_>) -> Option<Draft> {
    let Slice::Account(_, number) = incident.slice else { return None };
    let account = site.view.account_names.name(number)?;
    let merchants = sent_first_to(account, site);
    if incident.row.kind != AnomalyType::HighFailureRate || merchants.is_empty() {
        return None;
    }
    let evidence = incident.now.clone();
    let next = site.view.priority(merchants.first()?).and_then(|order| order.iter().find(|next| *next != account));
    Some(Draft {
        subject: Subject::Repair(incident.slice),
        blast: blast(incident.slice, &merchants, site),
        sentence: format!("Exclude {account}: it fails while the connector's other accounts do not"),
        incident: Some(incident.row.id),
        confidence: 1.0 - evidence.probability,
        confidence_basis: format!("one less the probability of {} attempts doing so badly by chance", evidence.samples),
        against: vec!["the merchant chose this order; contracts or volumes may depend on it".to_owned()],
        alternatives: vec![
            format!("Do nothing: about {} a minute go on being lost", about(&incident.row.at_risk)),
            "Have the merchant's credentials and configuration at the connector checked: one account alone fails".to_owned(),
        ],
        predicted: Prediction {
            rate_now: Some(evidence.observed),
            target: next.map_or_else(|| "no other account".to_owned(), ToString::to_string),
            ..Prediction::default()
        },
        evidence: Some(evidence),
        undo: "u restores the account, at once; APOS proposes it when the account's probes succeed".to_owned(),
        noticed_at: incident.row.detected_at,
        change: Change::ExcludeAccount { account: account.clone() },
    })
}

/// Whom taking an account out touches.
fn blast(slice: Slice, merchants: &[ProfileId], site: &Site<'_>) -> BlastRadius {
    let Some(watched) = site.monitor.get(slice) else { return BlastRadius::default() };
    let minute = as_f64(watched.window.sums(site.view.at, 60).answered());
    let all = site.monitor.get(Slice::All).map_or(0, |all| all.window.sums(site.view.at, 60).answered());
    BlastRadius {
        payments_per_min: minute,
        amount_per_min: watched.tickets().map(|(share, ticket)| scaled(ticket, share * minute)).collect(),
        methods: watched.methods().collect(),
        share: minute / as_f64(all.max(1)),
        merchants: merchants.to_vec(),
    }
}

/// The account an operator chose instead, in words and figures; none where it is not known.
pub(in crate::engine::heal) fn chosen(row: &ActionRow, change: Change, who: &str, site: &Site<'_>) -> Option<Draft> {
    let (Change::ExcludeAccount { account } | Change::RestoreAccount { account }) = &change else { return None };
    let (number, state) = site.view.account(account)?;
    let slice = Slice::Account(state.connector, number);
    let excludes = matches!(change, Change::ExcludeAccount { .. });
    let (verb, undo) = if excludes { ("Exclude", "u restores it") } else { ("Restore", "u excludes it again") };
    let sums = site.monitor.get(slice).map(|watched| watched.window.sums(site.view.at, 60)).unwrap_or_default();
    Some(Draft {
        sentence: format!("{verb} {account}, as {who} chose"),
        subject: if excludes { Subject::Repair(slice) } else { Subject::Restore(account.clone()) },
        incident: row.incident,
        evidence: row.evidence.clone(),
        confidence: row.confidence,
        confidence_basis: format!("of what was proposed: {}", row.confidence_basis),
        against: row.against.clone(),
        alternatives: vec![format!("What was proposed: {}", row.sentence)],
        blast: blast(slice, &sent_first_to(account, site), site),
        predicted: Prediction { rate_now: rate_of(&sums), target: account.to_string(), ..Prediction::default() },
        undo: format!("{undo}, at once"),
        noticed_at: row.proposed_at,
        change,
    })
}

/// Pinned merchants whose first usable choice is the account, and who have another.
fn sent_first_to(account: &ConnectorAccount, site: &Site<'_>) -> Vec<ProfileId> {
    let usable = |name: &&ConnectorAccount| site.view.account(name).is_none_or(|(_, state)| state.excluded.is_none());
    let named = site.view.profiles.iter().zip(site.view.merchants.iter());
    named
        .filter(|(_, merchant)| merchant.priority.iter().filter(usable).count() > 1)
        .filter(|(_, merchant)| merchant.priority.iter().find(usable) == Some(account))
        .map(|((_, profile), _)| profile.clone())
        .collect()
}

/// Excluded accounts whose probes succeed again.
pub(super) fn restores(site: &Site<'_>) -> Vec<Draft> {
    let needed = site.view.settings.routing.probe_successes;
    let names = site.view.account_names.iter().map(|(_, name)| name);
    names
        .zip(site.view.accounts.iter())
        .filter(|(_, state)| state.excluded.is_some() && u64::from(state.breaker.probe_successes) >= needed)
        .map(|(account, state)| restore(account, state, site))
        .collect()
}

fn restore(account: &ConnectorAccount, state: &Account, site: &Site<'_>) -> Draft {
    let probes = f64::from(state.breaker.probe_successes);
    Draft {
        subject: Subject::Restore(account.clone()),
        sentence: format!("Restore {account}: its last {probes:.0} probes succeeded"),
        change: Change::RestoreAccount { account: account.clone() },
        incident: None,
        evidence: None,
        // Laplace's rule of succession: after n successes in a row the next succeeds with probability (n+1)/(n+2).
        confidence: (probes + 1.0) / (probes + 2.0),
        confidence_basis: format!("rule of succession on {probes:.0} probes in a row"),
        against: vec!["few probes prove little; the fault may come and go".to_owned()],
        alternatives: vec!["Do nothing: the account goes on getting probes only".to_owned()],
        blast: BlastRadius::default(),
        predicted: Prediction { target: account.to_string(), ..Prediction::default() },
        undo: "u excludes the account again, at once".to_owned(),
        noticed_at: state.excluded.unwrap_or(site.view.at),
    }
}
