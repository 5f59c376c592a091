//! Overrides: an operator's change instead of the one that was proposed, checked and weighed as a proposal is.

use std::collections::BTreeSet;

use super::propose::{Draft, Site, chosen_account, chosen_moves, chosen_scale, name};
use super::{Action, Subject};
use crate::domain::{Change, ConnectorAccount, PriorityMove};

/// The change an operator gave, as it is to be made: what is now is taken from the state, never from the operator.
///
/// # Errors
/// Why it cannot stand for what was proposed, and what to do.
pub(super) fn checked(proposed: &Change, given: &Change, site: &Site<'_>) -> Result<Change, String> {
    match (proposed, given) {
        (Change::ReorderPriority { moves: proposed }, Change::ReorderPriority { moves }) => reorder(proposed, moves, site),
        (Change::ExcludeAccount { account: proposed }, Change::ExcludeAccount { account })
        | (Change::RestoreAccount { account: proposed }, Change::RestoreAccount { account }) => {
            is_alternative(proposed, account, site).map(|()| given.clone())
        }
        (Change::Scale { .. }, Change::Scale { to, .. }) => scale(*to, site),
        (Change::SetArm { .. }, Change::SetArm { .. }) => {
            Err("what becomes of an arm is as its figures say: approve the action or reject it".to_owned())
        }
        _ => Err(format!(
            "the override is `{}`, the action `{}`: an override must be of the same kind",
            given.name(),
            proposed.name()
        )),
    }
}

/// Some of the merchants that were proposed, each with its own accounts in another order.
fn reorder(proposed: &[PriorityMove], given: &[PriorityMove], site: &Site<'_>) -> Result<Change, String> {
    if given.is_empty() {
        return Err("the override moves no merchant: name at least one, or reject the action".to_owned());
    }
    let mut seen = BTreeSet::new();
    let mut moves = Vec::new();
    for PriorityMove { profile, after, .. } in given {
        let merchant = name(site.view, profile);
        if !proposed.iter().any(|one| one.profile == *profile) {
            return Err(format!("{merchant} is not among the merchants of the action: take it out"));
        }
        if !seen.insert(profile) {
            return Err(format!("{merchant} is named twice: name it once"));
        }
        let before = site.view.priority(profile).unwrap_or_default().to_vec();
        let sorted = |accounts: &[ConnectorAccount]| {
            let mut accounts = accounts.to_vec();
            accounts.sort();
            accounts
        };
        if sorted(&before) != sorted(after) {
            return Err(format!("the new order of {merchant} must hold exactly its own accounts, each once"));
        }
        if before == *after {
            return Err(format!("the new order of {merchant} is the one it has: take it out"));
        }
        moves.push(PriorityMove { profile: profile.clone(), before, after: after.clone() });
    }
    Ok(Change::ReorderPriority { moves })
}

/// An account that is known, of the same connector.
fn is_alternative(proposed: &ConnectorAccount, given: &ConnectorAccount, site: &Site<'_>) -> Result<(), String> {
    if site.view.account(given).is_none() {
        return Err(format!("no account is called {given}: name one that `GET /v1/connectors` lists"));
    }
    if given.connector() != proposed.connector() {
        return Err(format!("{given} is not an account of {}: the action is about that connector", proposed.connector()));
    }
    Ok(())
}

fn scale(to: u16, site: &Site<'_>) -> Result<Change, String> {
    let Some(from) = site.scaler.instances() else {
        return Err("how many instances there are is not known: wait for the next sample".to_owned());
    };
    if from == to {
        return Err(format!("there are {to} instances already: name another number, or reject the action"));
    }
    Ok(Change::Scale { from, to })
}

impl Action {
    /// Becomes what an operator chose: every sentence and figure is of that change now.
    pub(super) fn overridden(&mut self, change: Change, who: &str, site: &Site<'_>) {
        let row = &self.row;
        let draft = match change {
            Change::ReorderPriority { moves } => {
                Some(Draft { subject: self.subject.clone(), ..chosen_moves(row, moves, who, site) })
            }
            Change::ExcludeAccount { .. } | Change::RestoreAccount { .. } => chosen_account(row, change, who, site),
            Change::Scale { from, to } => Some(chosen_scale(row, (from, to), who, site)),
            // None is ever put in the place of another.
            Change::SetArm { .. } => None,
        };
        if let Some(draft) = draft {
            let subject: Subject = draft.subject.clone();
            draft.renew(self, site);
            self.subject = subject;
        }
    }
}
