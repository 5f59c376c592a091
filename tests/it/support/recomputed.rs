//! What a log's decisions are when they are made a second time.
#![allow(clippy::unwrap_used, reason = "recorded by this version, so that all of it is told")]

use std::sync::Arc;

use apos::domain::{Body, ConnectorAccount, Decision, Entry};
use apos::engine::route::decide_under;
use apos::engine::route::rules::Ruling;
use apos::engine::{State, apply};

/// Folds a log from zero; every decision in it, computed again on the view it was made on, is as it was recorded. Returns
/// the decisions, and the state at the end.
pub(crate) fn recomputed(log: &[Entry]) -> (Vec<Arc<Decision>>, State) {
    let (mut state, mut effects, mut left, mut decisions) = (State::new(), Vec::new(), log, Vec::new());
    for entry in log {
        let Body::Decided(recorded) = &entry.body else { continue };
        while let [next, rest @ ..] = left
            && next.position <= recorded.view
        {
            apply(&mut state, next, &mut effects);
            left = rest;
        }
        assert_eq!(state.position(), recorded.view);
        assert_eq!(again(&state, recorded), **recorded);
        let bytes = postcard::to_allocvec(&**recorded).unwrap();
        assert_eq!(postcard::from_bytes::<Decision>(&bytes).as_ref(), Ok(&**recorded), "it reads back as it was");
        decisions.push(recorded.clone());
    }
    for entry in left {
        apply(&mut state, entry, &mut effects);
    }
    (decisions, state)
}

fn again(state: &State, recorded: &Decision) -> Decision {
    let pending = |account: &ConnectorAccount| {
        recorded.candidates.iter().find(|one| one.account == *account).map_or(0, |one| one.pending)
    };
    let (request, at, ruling) = (recorded.request.clone(), recorded.decided_at.unwrap(), Ruling::recorded(recorded));
    decide_under(state.view(), &pending, request, at, ruling.as_ref()).unwrap()
}
