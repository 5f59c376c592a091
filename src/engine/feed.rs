//! The event stream: the latest lines, kept as facts and put into words only when somebody looks.

use std::collections::VecDeque;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::route::RoutingView;
use super::snapshot::{EventClass, EventRow};
use crate::domain::{Decision, DeclineClass, EventKind, Money, PaymentId, Position, Time};

/// Lines kept: three screens of the tallest terminal.
const KEPT: usize = 200;

/// What a line is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Line {
    /// A payment event.
    Payment {
        /// The merchant's number.
        merchant: u32,
        payment: PaymentId,
        account: Option<u32>,
        kind: EventKind,
        decline: Option<(DeclineClass, CompactString)>,
        amount: Option<Money>,
    },
    /// The engine noticed or did something.
    Engine(String),
    /// An operator did something.
    Operator(String),
}

/// The latest lines.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Feed {
    lines: VecDeque<(Position, Time, Line)>,
}

impl Feed {
    /// Adds a line; the oldest goes.
    pub(crate) fn push(&mut self, view: &RoutingView, line: Line) {
        if self.lines.len() >= KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back((view.position, view.at, line));
    }

    /// The lines in words, the newest last.
    pub(crate) fn rows(&self, view: &RoutingView) -> Vec<EventRow> {
        self.lines
            .iter()
            .map(|(position, at, line)| EventRow {
                position: *position,
                at: *at,
                class: class(line),
                text: text(line, view),
                decision: decision(line, view),
            })
            .collect()
    }
}

const fn class(line: &Line) -> EventClass {
    match line {
        Line::Engine(_) => EventClass::Engine,
        Line::Operator(_) => EventClass::Operator,
        Line::Payment { kind, decline, .. } => match (kind, decline) {
            (EventKind::Authorised | EventKind::Captured, _) => EventClass::Approved,
            (EventKind::Failed, Some((DeclineClass::Gateway, _))) => EventClass::Technical,
            (EventKind::Failed, _) => EventClass::Declined,
            _ => EventClass::Payment,
        },
    }
}

/// The latest decision of the payment a line is about, while that is open.
fn decision(line: &Line, view: &RoutingView) -> Option<Arc<Decision>> {
    let Line::Payment { merchant, payment, .. } = line else { return None };
    view.standing_of(view.profiles.name(*merchant)?, payment).decision().cloned()
}

fn text(line: &Line, view: &RoutingView) -> String {
    match line {
        Line::Engine(text) | Line::Operator(text) => text.clone(),
        Line::Payment { payment, account, kind, decline, amount, .. } => {
            let connector = account.and_then(|a| view.account_names.name(a)).map_or("?", |name| name.connector());
            let amount = amount.map(|money| format!(" {money}")).unwrap_or_default();
            let code = decline.as_ref().map(|(class, code)| format!(" {class}: {code}")).unwrap_or_default();
            format!("{payment} {connector} {kind}{amount}{code}")
        }
    }
}
