//! The model sender: the switch that makes payments, tells of them at least once, and keeps a ledger of its own of what
//! it was told "I have it" for. That ledger alone says what may not be lost.

use std::time::Duration;

use super::{EPOCH, below, chance};
use crate::domain::{
    ConnectorAccount, Context, Decline, DeclineClass, EventId, EventKind, Method, PaymentEvent, PaymentId, ProfileId, Source,
};
use crate::sim::chance::Stream;

/// Merchants, of whom the first three are pinned to a priority list.
pub(super) const MERCHANTS: u32 = 6;
/// Merchants that are pinned.
pub(super) const PINNED: u32 = 3;
/// Connector accounts.
pub(super) const ACCOUNTS: [&str; 3] = ["stripe:mca_1", "adyen:mca_2", "checkout:mca_3"];

/// One event, as the sender knows it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) event: PaymentEvent,
    /// The sender was told "I have it".
    pub(super) acknowledged: bool,
}

/// The sender.
pub(super) struct Sender {
    luck: Stream,
    payments: u64,
    pub(super) ledger: Vec<Sent>,
    /// Accounts that fail most attempts, and until when.
    failing: Option<(usize, Duration)>,
    accounts: Vec<ConnectorAccount>,
    merchants: Vec<ProfileId>,
}

impl Sender {
    pub(super) fn new(seed: u64) -> Self {
        let accounts = ACCOUNTS.iter().filter_map(|name| ConnectorAccount::parse(name).ok()).collect();
        let merchants = (0..MERCHANTS).filter_map(|number| ProfileId::parse(&format!("pro_{number}")).ok()).collect();
        let luck = Stream::new(seed, "vopr sender");
        Self { luck, payments: 0, ledger: Vec::new(), failing: None, accounts, merchants }
    }

    /// Whether every event is acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.ledger.iter().all(|sent| sent.acknowledged)
    }

    pub(super) fn merchants(&self) -> &[ProfileId] {
        &self.merchants
    }

    pub(super) fn accounts(&self) -> &[ConnectorAccount] {
        &self.accounts
    }

    /// Makes a payment: the numbers of its events in their order, which `ledger` holds from now on.
    pub(super) fn pay(&mut self, now: Duration) -> std::ops::Range<usize> {
        let first = self.ledger.len();
        self.payments += 1;
        if self.failing.is_some_and(|(_, until)| now >= until) {
            self.failing = None;
        }
        if self.failing.is_none() && chance(&mut self.luck, 0.002) {
            let seconds = 20 + below(&mut self.luck, 40) as u64;
            self.failing = Some((below(&mut self.luck, self.accounts.len()), now + Duration::from_secs(seconds)));
        }
        let merchant = below(&mut self.luck, self.merchants.len());
        // The pinned ones go to their first choice, whatever becomes of it.
        let mut account = if merchant < PINNED as usize { 0 } else { below(&mut self.luck, self.accounts.len()) };
        for attempt in 1..=2 {
            let fails = self.failing.is_some_and(|(failing, _)| failing == account);
            let approved = chance(&mut self.luck, if fails { 0.1 } else { 0.9 });
            self.tell(now, (merchant, account, attempt), EventKind::Started);
            self.tell(now, (merchant, account, attempt), if approved { EventKind::Authorised } else { EventKind::Failed });
            if approved {
                if chance(&mut self.luck, 0.5) {
                    self.tell(now, (merchant, account, attempt), EventKind::Captured);
                }
                break;
            }
            account = (account + 1) % self.accounts.len();
        }
        first..self.ledger.len()
    }

    fn tell(&mut self, now: Duration, (merchant, account, attempt): (usize, usize, u16), kind: EventKind) {
        let number = self.ledger.len();
        let Ok(payment) = PaymentId::parse(&format!("pay_{}", self.payments)) else { return };
        let decline = Decline { class: DeclineClass::Gateway, code: "timeout".into() };
        let event = PaymentEvent {
            source: Source::Webhook,
            event_id: EventId::parse(&format!("evt_{number}")).ok(),
            profile: self.merchants[merchant].clone(),
            payment,
            attempt: Some(attempt),
            account: Some(self.accounts[account].clone()),
            kind,
            decline: (kind == EventKind::Failed).then_some(decline),
            amount: None,
            context: Context { method: Some(Method::Card), ..Context::default() },
            latency_ms: Some(300),
            attempts_made: Some(attempt),
            occurred_at: EPOCH + now,
        };
        self.ledger.push(Sent { event, acknowledged: false });
    }
}

/// The number of an event in the sender's ledger.
pub(super) fn number(event: &PaymentEvent) -> Option<usize> {
    event.event_id.as_ref()?.as_str().strip_prefix("evt_")?.parse().ok()
}
