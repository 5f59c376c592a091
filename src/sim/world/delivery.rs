//! What we are told of an attempt, when, and how often; and what follows it.

use std::time::Duration;

use super::{Due, Sent, World, luck_number, payment_number};
use crate::domain::{ConnectorAccount, EventKind, PaymentEvent, Request, Source, Time};
use crate::sim::chance::{Stream, whole};
use crate::sim::scenario::FaultKind;

/// Times a customer tries again at most.
const RETRIES: u16 = 2;

/// When customers try again, seconds: who comes back does so within a minute or so.
const RETRY_AFTER: (f64, f64) = (15.0, 75.0);

/// Share of fraud that its victims dispute.
const FRAUD_IS_DISPUTED: f64 = 0.6;

/// When the steps of 3DS are told, as parts of the whole attempt: the connector answers that it is wanted, the customer
/// comes to the challenge, and is through with it; then the issuer still has to approve.
const REQUIRED_AFTER: f64 = 0.1;
const CHALLENGED_AFTER: f64 = 0.2;
const AUTHENTICATED_AFTER: f64 = 0.7;

/// Between two copies of a webhook.
const COPY_AFTER: Duration = Duration::from_millis(200);

/// An attempt's event.
pub(super) fn event(request: &Request, account: &ConnectorAccount, kind: EventKind, at: Time) -> PaymentEvent {
    PaymentEvent {
        source: Source::Simulation,
        event_id: None,
        profile: request.profile.clone(),
        payment: request.payment.clone(),
        attempt: Some(request.attempt),
        account: Some(account.clone()),
        kind,
        decline: None,
        amount: Some(request.amount),
        context: request.context,
        latency_ms: None,
        attempts_made: Some(request.attempt),
        occurred_at: at,
    }
}

impl World {
    /// We are told of the steps of 3DS as they happen, where it is asked for and the attempt comes to it.
    pub(super) fn tell_steps(&mut self, request: &Request, account: &ConnectorAccount, sent_at: Time, sent: &Sent) {
        let Some(end) = sent.outcome.authentication().filter(|_| request.context.three_ds == Some(true)) else { return };
        if self.is_lost(&mut self.deliveries.stream(luck_number(request)), sent.answered) {
            return;
        }
        let takes = sent.answered.since(sent_at);
        let steps = [
            (EventKind::AuthenticationRequired, REQUIRED_AFTER),
            (EventKind::AuthenticationStarted, CHALLENGED_AFTER),
            (end, if end == EventKind::AuthenticationSucceeded { AUTHENTICATED_AFTER } else { 1.0 }),
        ];
        for (kind, part) in steps {
            let at = sent_at + takes.mul_f64(part);
            let arrives = at + Duration::from_secs_f64(self.troubles.strength(FaultKind::WebhookDelay, at));
            let behind = Duration::from_secs_f64(self.troubles.strength(FaultKind::ClockSkew, at));
            self.schedule(arrives, Due::Event(Box::new(event(request, account, kind, at - behind))));
        }
    }

    /// Whether what we would be told of an attempt gets lost: the first draw of its delivery's luck.
    fn is_lost(&self, luck: &mut Stream, at: Time) -> bool {
        let lost = luck.unit();
        lost < self.scenario.outcomes.lost || lost < self.troubles.strength(FaultKind::WebhookLoss, at)
    }

    /// We are told what became of an attempt, as the webhook comes through: late, lost, more than once, or stamped by a
    /// clock that is behind.
    pub(super) fn tell(&mut self, request: &Request, account: &ConnectorAccount, sent: &Sent) {
        let mut luck = self.deliveries.stream(luck_number(request));
        let at = sent.answered;
        if self.is_lost(&mut luck, at) {
            return;
        }
        let (late, by) = (luck.unit(), luck.exponential(1.0));
        let usual = &self.scenario.outcomes;
        let late = if late < usual.late { usual.late_by.mul_f64(by) } else { Duration::ZERO };
        let arrives = at + late + Duration::from_secs_f64(self.troubles.strength(FaultKind::WebhookDelay, at));
        let behind = Duration::from_secs_f64(self.troubles.strength(FaultKind::ClockSkew, at));
        let told = Box::new(PaymentEvent {
            decline: sent.outcome.decline.clone(),
            latency_ms: sent.latency_ms,
            ..event(request, account, sent.outcome.kind, at - behind)
        });
        for copy in 1..whole(self.troubles.strength(FaultKind::WebhookStorm, at)) {
            self.schedule(arrives + COPY_AFTER * copy, Due::Event(told.clone()));
        }
        self.schedule(arrives, Due::Event(told));
    }

    /// The share of customers who try again when an attempt of this number failed, and after how long as a rule; none where
    /// none does.
    pub(in crate::sim) fn tried_again(&self, attempt: u16) -> Option<(f64, Duration)> {
        let share = self.scenario.customer_retries;
        let pause = Duration::from_secs_f64(f64::midpoint(RETRY_AFTER.0, RETRY_AFTER.1));
        (share > 0.0 && attempt <= RETRIES).then_some((share, pause))
    }

    /// What follows an outcome: another try by the customer, or a capture, a refund, a dispute.
    pub(super) fn follow_up(&mut self, request: &Request, account: &ConnectorAccount, sent: &Sent) {
        let mut luck = self.deliveries.stream(!luck_number(request));
        let (again, when) = (luck.unit(), luck.unit());
        if sent.outcome.is_approved() {
            self.settle(request, account, sent, [luck.unit(), luck.unit(), luck.unit()]);
        } else if sent.outcome.kind == EventKind::Failed && request.attempt <= RETRIES && again < self.scenario.customer_retries
        {
            let pause = Duration::from_secs_f64(RETRY_AFTER.0 + when * (RETRY_AFTER.1 - RETRY_AFTER.0));
            let request = Request { attempt: request.attempt + 1, ..request.clone() };
            self.schedule(sent.answered + pause, Due::Retry(Box::new(request)));
        }
    }

    /// What follows an approval, by the luck of capture, refund and dispute.
    fn settle(&mut self, request: &Request, account: &ConnectorAccount, sent: &Sent, luck: [f64; 3]) {
        let fraud = self.special.get(&payment_number(&request.payment)).is_some_and(|kind| *kind != FaultKind::BillingRun);
        let after = &self.scenario.aftermath;
        let captures = if sent.outcome.kind == EventKind::Authorised { after.captures } else { 0.0 };
        let disputes = if fraud { FRAUD_IS_DISPUTED.max(after.chargebacks) } else { after.chargebacks };
        let follows = [
            (EventKind::Captured, captures, after.capture_after),
            (EventKind::Refunded, after.refunds, after.refund_after),
            (EventKind::Disputed, disputes, after.chargeback_after),
        ];
        for ((kind, share, span), luck) in follows.into_iter().zip(luck) {
            if luck < share {
                let at = sent.answered + span;
                self.schedule(at, Due::Event(Box::new(event(request, account, kind, at))));
            }
        }
    }
}
