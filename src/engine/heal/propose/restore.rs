//! Accounts: out of routing while one merchant's account fails, and back when its probes succeed.

use super::{Draft, Site};
use crate::domain::{Change, ConnectorAccount};
use crate::engine::route::Account;
use crate::engine::snapshot::{BlastRadius, Prediction};

/// Excluded accounts whose probes succeed again.
pub(super) fn drafts(site: &Site<'_>) -> Vec<Draft> {
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
