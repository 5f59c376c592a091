//! What the other engine is told: of each attempt that would have gone elsewhere, that it is over, and no more.

use super::*;
use crate::domain::Request;
use crate::domain::settings::Merchant;
use crate::domain::testing::{self, account, profile};
use crate::engine::{decide, snapshot};

const A: &str = "adyen:mca_1";
const B: &str = "stripe:mca_1";

/// A configuration whose one merchant has a fixed list.
fn pinned(list: [&str; 2]) -> Settings {
    let merchant = Merchant { priority: list.map(account).to_vec(), ..Merchant::default() };
    Settings { merchants: [(profile(), merchant)].into_iter().collect(), ..Settings::default() }
}

fn request(attempt: u16, eligible: &[&str]) -> Request {
    Request { attempt, ..testing::request(eligible) }
}

fn ended(kind: EventKind, attempt: Option<u16>, at: &str) -> Body {
    let occurred_at = Time::from_secs(1_000);
    Body::Payment(Box::new(PaymentEvent { attempt, account: Some(account(at)), occurred_at, ..testing::event(kind) }))
}

/// The record and what would have been, folded side by side; the first attempt went to A, and would have gone to B.
#[test]
fn the_end_of_an_attempt_that_would_have_gone_elsewhere_stays_unknown_however_late_it_is() {
    use EventKind::{Captured, Failed};
    // The record's ends, and what the other engine knows of them: approved, failed; and outcomes that are compared.
    let check = |eligible: &[&str], ends: &[(EventKind, Option<u16>, &str)], known: (u64, u64), compared: u64| {
        let mut state = State::new();
        let mut record = 0;
        let mut push = |state: &mut State, body: Body| {
            record += 1;
            let entry = Entry { position: Position { record, index: 0 }, at: Time::from_secs(1_000), body };
            apply(state, &entry, &mut Vec::new());
            entry
        };
        push(&mut state, Body::Configured(pinned([A, B]).into()));
        let begun = WhatIf::begin(&state, (pinned([B, A]), OtherRules::default()), state.at());
        let mut whatif = begun.unwrap();
        for request in [request(1, &[A, B]), request(2, eligible)] {
            let decision = decide(state.view(), &|_| 0, request, state.at()).unwrap();
            let entry = push(&mut state, Body::Decided(decision.into()));
            whatif.see(&entry, &[]);
        }
        for (kind, attempt, at) in ends {
            let entry = push(&mut state, ended(*kind, *attempt, at));
            whatif.see(&entry, &[]);
        }
        let statistics = snapshot(&whatif.other).statistics;
        assert_eq!((statistics.approved, statistics.failed), known, "{ends:?} of A and {eligible:?}");
        assert_eq!(whatif.report(Time::from_secs(1_000)).success.outcomes, compared, "{ends:?} of A and {eligible:?}");
    };
    // The second attempt could go to B alone: so it did, and would have.
    check(&[B], &[(Failed, Some(1), A)], (0, 0), 1);
    check(&[B], &[(Failed, None, A)], (0, 0), 1);
    check(&[B], &[(Captured, Some(2), B), (Failed, Some(1), A)], (1, 0), 2);
    check(&[B], &[(Captured, Some(3), B)], (1, 0), 1);
    check(&[A], &[(Failed, Some(1), A)], (0, 0), 1);
    check(&[A], &[(Captured, Some(2), A), (Failed, Some(1), A)], (1, 0), 2);
}
