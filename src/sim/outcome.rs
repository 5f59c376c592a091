//! Outcomes: what becomes of an attempt, given its chances and its payment's luck.
//!
//! The luck is drawn once for an attempt, always in the same order and amount, before anything is known of where it
//! goes: sent elsewhere, the same payment has the same customer, the same issuer's mood and the same network.

use compact_str::CompactString;

use super::chance::Stream;
use super::scenario::FaultKind;
use crate::domain::{Decline, DeclineClass, EventKind, Method};

/// Declines with the share of each among its kind. Insufficient funds lead everywhere; the rest follows what
/// acquirers publish about their own declines.
type Codes = [(DeclineClass, &'static str, f64)];
const CUSTOMER: &Codes = &[
    (DeclineClass::User, "insufficient_funds", 0.65),
    (DeclineClass::User, "invalid_cvv", 0.2),
    (DeclineClass::User, "expired_card", 0.15),
];
/// Where 3DS is asked for, some of them fail there.
const CUSTOMER_ASKED: &Codes = &[
    (DeclineClass::User, "insufficient_funds", 0.5),
    (DeclineClass::User, NOT_AUTHENTICATED, 0.25),
    (DeclineClass::User, "invalid_cvv", 0.15),
    (DeclineClass::User, "expired_card", 0.1),
];
const ISSUER: &Codes = &[(DeclineClass::Mixed, "do_not_honor", 0.8), (DeclineClass::Mixed, "suspected_fraud", 0.2)];
const TECHNICAL: &Codes = &[
    (DeclineClass::Gateway, "psp_acquirer_error", 0.5),
    (DeclineClass::Gateway, "issuer_unavailable", 0.3),
    (DeclineClass::Gateway, "transaction_timed_out", 0.2),
];
const OUTAGE: &Codes =
    &[(DeclineClass::Gateway, "psp_acquirer_error", 0.75), (DeclineClass::Gateway, "transaction_timed_out", 0.25)];
const ISSUER_DOWN: &Codes = &[(DeclineClass::Gateway, "issuer_unavailable", 1.0)];
const SCHEME_DOWN: &Codes =
    &[(DeclineClass::Gateway, "issuer_unavailable", 0.6), (DeclineClass::Gateway, "transaction_timed_out", 0.4)];
const CREDENTIALS: &Codes = &[(DeclineClass::Gateway, "invalid_credentials", 1.0)];
const CURRENCY: &Codes = &[(DeclineClass::DataError, "currency_not_supported", 1.0)];
const THROTTLED: &Codes = &[(DeclineClass::Gateway, "rate_limited", 1.0)];
const NO_FUNDS: &Codes = &[(DeclineClass::User, "insufficient_funds", 0.9), (DeclineClass::User, "expired_card", 0.1)];
const MADE_UP_CARD: &Codes = &[(DeclineClass::User, "invalid_card_number", 0.8), (DeclineClass::Mixed, "suspected_fraud", 0.2)];
const CARD_TESTING: &Codes = &[(DeclineClass::User, "invalid_cvv", 0.6), (DeclineClass::Mixed, "suspected_fraud", 0.4)];
const UNSUPPORTED: &Codes = &[(DeclineClass::DataError, "payment_method_not_supported", 1.0)];

const TIMED_OUT: &str = "transaction_timed_out";

/// The code of a customer whom the issuer did not believe.
const NOT_AUTHENTICATED: &str = "authentication_failed";

/// The longest any attempt takes: 30 s is where Hyperswitch's connector calls time out.
const LATENCY_MAX_MS: f64 = 30_000.0;

/// How long an attempt waits that times out while its connector is down, milliseconds.
const TIME_OUT_MS: f64 = 8_000.0;

/// What an attempt's payment brings along, uniform on [0, 1) but for the latency.
#[derive(Debug, Clone, Copy)]
pub(super) struct Luck {
    customer: f64,
    fraud: f64,
    trouble: f64,
    connector: f64,
    patience: f64,
    technical: f64,
    code: f64,
    /// Standard normal.
    latency: f64,
}

/// How the market stands for an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chances {
    /// Whether the connector handles such payments at all.
    pub handled: bool,
    /// Probability that the customer's own part goes well.
    pub customer: f64,
    /// Probability that it is let through for what it is (a stolen card, a subscription without funds); 1 for an
    /// ordinary payment.
    pub honest: f64,
    /// What it is, if not an ordinary payment.
    pub special: Option<FaultKind>,
    /// Whether the connector takes no more of them this second.
    pub throttled: bool,
    /// Probability that no trouble stops it.
    pub survives: f64,
    /// The trouble that would.
    pub trouble: Option<FaultKind>,
    /// Probability that connector and issuer approve otherwise.
    pub approves: f64,
    /// Share of the connector's own failures that are technical.
    pub technical: f64,
    /// Share of attempts that are abandoned.
    pub abandoned: f64,
}

/// How an attempt may end, each with its probability; what they lack to one is abandoned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ends {
    /// It is approved.
    pub approved: f64,
    /// A gateway fails it, so that the switch may try another by itself.
    pub technical: f64,
    /// It fails for another reason.
    pub otherwise: f64,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub kind: EventKind,
    pub decline: Option<Decline>,
}

impl Outcome {
    /// Whether the attempt was approved.
    pub(super) const fn is_approved(&self) -> bool {
        matches!(self.kind, EventKind::Authorised | EventKind::Captured)
    }

    /// What 3DS came to on the way here; none where the attempt ended before it. That it was abandoned or failed ends the
    /// attempt.
    pub(super) fn authentication(&self) -> Option<EventKind> {
        match (self.kind, &self.decline) {
            (EventKind::Cancelled, _) => Some(EventKind::AuthenticationAbandoned),
            (_, Some(decline)) if decline.code == NOT_AUTHENTICATED => Some(EventKind::AuthenticationFailed),
            (_, Some(Decline { class: DeclineClass::Gateway | DeclineClass::DataError, .. })) => None,
            _ => Some(EventKind::AuthenticationSucceeded),
        }
    }

    /// Whether a gateway failed, so that the switch may try another by itself.
    pub(super) fn is_technical(&self) -> bool {
        self.decline.as_ref().is_some_and(|decline| decline.class == DeclineClass::Gateway)
    }
}

impl Luck {
    pub(super) fn draw(stream: &mut Stream) -> Self {
        Self {
            customer: stream.unit(),
            fraud: stream.unit(),
            trouble: stream.unit(),
            connector: stream.unit(),
            patience: stream.unit(),
            technical: stream.unit(),
            code: stream.unit(),
            latency: stream.normal(),
        }
    }

    /// Milliseconds until the answer: log-normal, times what the connector's troubles make of it.
    pub(super) fn latency_ms(&self, median: f64, sigma: f64, slowness: f64, outcome: &Outcome) -> f64 {
        let timed_out = outcome.decline.as_ref().is_some_and(|decline| decline.code == TIMED_OUT);
        let usual = super::chance::log_normal(median, sigma, self.latency) * slowness;
        usual.max(if timed_out { TIME_OUT_MS } else { 1.0 }).min(LATENCY_MAX_MS)
    }
}

impl Chances {
    /// Probability of success of an attempt that is answered.
    pub(super) fn success(&self) -> f64 {
        if self.handled && !self.throttled { self.customer * self.honest * self.survives * self.approves } else { 0.0 }
    }

    /// The probabilities of how it ends, the customer's patience included.
    pub(super) fn ends(&self) -> Ends {
        if !self.handled {
            return Ends { approved: 0.0, technical: 0.0, otherwise: 1.0 };
        }
        if self.throttled {
            return Ends { approved: 0.0, technical: 1.0, otherwise: 0.0 };
        }
        let comes = 1.0 - self.abandoned.min(1.0);
        let untroubled = comes * self.survives;
        let believed = untroubled * self.honest;
        let able = believed * self.customer;
        let technical = (comes - untroubled) * technical_share(codes_of(self.trouble))
            + (untroubled - believed) * technical_share(codes_of(self.special))
            + able * (1.0 - self.approves) * self.technical;
        let approved = able * self.approves;
        Ends { approved, technical, otherwise: comes - approved - technical }
    }

    /// What the luck makes of the chances: the first part that goes wrong names the decline.
    pub(super) fn outcome(&self, luck: &Luck, method: Method, three_ds: bool) -> Outcome {
        let codes = if !self.handled {
            UNSUPPORTED
        } else if self.throttled {
            THROTTLED
        } else if luck.patience < self.abandoned {
            return Outcome { kind: EventKind::Cancelled, decline: None };
        } else if luck.trouble >= self.survives {
            codes_of(self.trouble)
        } else if luck.fraud >= self.honest {
            codes_of(self.special)
        } else if luck.customer >= self.customer {
            if three_ds { CUSTOMER_ASKED } else { CUSTOMER }
        } else if luck.connector >= self.approves {
            if luck.technical < self.technical { TECHNICAL } else { ISSUER }
        } else {
            // Cards are captured later by the merchant; everything else takes the money at once.
            let kind = if method == Method::Card { EventKind::Authorised } else { EventKind::Captured };
            return Outcome { kind, decline: None };
        };
        Outcome { kind: EventKind::Failed, decline: Some(decline(codes, luck.code)) }
    }
}

/// What attempts are answered with that fail for a fault.
const fn codes_of(fault: Option<FaultKind>) -> &'static Codes {
    match fault {
        Some(FaultKind::BinFailure | FaultKind::IssuerOutage) => ISSUER_DOWN,
        Some(FaultKind::SchemeOutage) => SCHEME_DOWN,
        Some(FaultKind::CredentialsExpired) => CREDENTIALS,
        Some(FaultKind::CurrencyFailure) => CURRENCY,
        Some(FaultKind::FraudBurst | FaultKind::AccountTakeover) => CARD_TESTING,
        Some(FaultKind::BinAttack) => MADE_UP_CARD,
        Some(FaultKind::BillingRun) => NO_FUNDS,
        _ => OUTAGE,
    }
}

/// The share of such declines that are a gateway's.
fn technical_share(codes: &Codes) -> f64 {
    codes.iter().filter(|(class, ..)| *class == DeclineClass::Gateway).map(|(.., share)| share).sum()
}

fn decline(codes: &Codes, luck: f64) -> Decline {
    let mut total = 0.0;
    let reached = |share: f64| {
        total += share;
        luck < total
    };
    let index = codes.iter().map(|(.., share)| *share).position(reached).unwrap_or(codes.len() - 1);
    Decline { class: codes[index].0, code: CompactString::const_new(codes[index].1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Chances = Chances {
        handled: true,
        customer: 0.97,
        honest: 1.0,
        special: None,
        throttled: false,
        survives: 1.0,
        trouble: None,
        approves: 0.95,
        technical: 0.3,
        abandoned: 0.0,
    };

    #[test]
    fn the_share_that_succeeds_is_the_probability_stated() {
        let family = super::super::chance::Family::new(1, "luck");
        for chances in
            [FINE, Chances { survives: 0.4, ..FINE }, Chances { honest: 0.1, ..FINE }, Chances { throttled: true, ..FINE }]
        {
            let luck = |n| Luck::draw(&mut family.stream(n));
            let won =
                (0..50_000).filter(|n| chances.outcome(&luck(*n), Method::Card, false).kind == EventKind::Authorised).count();
            let rate = f64::from(u32::try_from(won).unwrap()) / 50_000.0;
            assert!((rate - chances.success()).abs() < 0.011, "{rate} {chances:?}");
        }
    }

    #[test]
    fn how_attempts_end_is_as_often_as_stated() {
        let family = super::super::chance::Family::new(1, "luck");
        let currency = Chances { survives: 0.4, trouble: Some(FaultKind::CurrencyFailure), ..FINE };
        for chances in [FINE, Chances { survives: 0.4, abandoned: 0.1, ..FINE }, currency, Chances { throttled: true, ..FINE }]
        {
            let outcomes: Vec<Outcome> =
                (0..50_000).map(|n| chances.outcome(&Luck::draw(&mut family.stream(n)), Method::Card, false)).collect();
            let rate = |is: &dyn Fn(&Outcome) -> bool| {
                f64::from(u32::try_from(outcomes.iter().filter(|outcome| is(outcome)).count()).unwrap()) / 50_000.0
            };
            let ends = chances.ends();
            let failed = |outcome: &Outcome| outcome.kind == EventKind::Failed && !outcome.is_technical();
            for (stated, seen) in [
                (ends.approved, rate(&Outcome::is_approved)),
                (ends.technical, rate(&Outcome::is_technical)),
                (ends.otherwise, rate(&failed)),
            ] {
                assert!((stated - seen).abs() < 0.011, "{seen}: {ends:?} {chances:?}");
            }
        }
    }

    #[test]
    fn declines_are_classed_by_whose_fault_they_are() {
        let check = |chances: Chances, luck: Luck, expected: (DeclineClass, &str)| {
            let decline = chances.outcome(&luck, Method::Card, false).decline.unwrap();
            assert_eq!((decline.class, decline.code.as_str()), expected);
        };
        let lucky = Luck {
            customer: 0.0,
            fraud: 0.0,
            trouble: 0.0,
            connector: 0.0,
            patience: 1.0,
            technical: 0.0,
            code: 0.0,
            latency: 0.0,
        };
        check(FINE, Luck { customer: 0.99, ..lucky }, (DeclineClass::User, "insufficient_funds"));
        check(FINE, Luck { connector: 0.99, technical: 0.9, ..lucky }, (DeclineClass::Mixed, "do_not_honor"));
        check(FINE, Luck { connector: 0.99, ..lucky }, (DeclineClass::Gateway, "psp_acquirer_error"));
        check(Chances { survives: 0.0, ..FINE }, Luck { code: 0.9, ..lucky }, (DeclineClass::Gateway, "transaction_timed_out"));
        check(Chances { handled: false, ..FINE }, lucky, (DeclineClass::DataError, "payment_method_not_supported"));
    }
}
