//! Every attempt is judged by what is known of itself, whatever became of the payment's others meanwhile.

use super::*;
use crate::domain::testing::{self, account, profile, request};
use crate::domain::{EventKind, PaymentEvent, Position, Request, Time};
use crate::engine::payments::{KnownEnd, Silent};
use crate::engine::route::{Subject, decide};

const A: &str = "adyen:mca_1";
const B: &str = "stripe:mca_1";

/// A log of decisions and of what became of them, in seconds.
struct Told {
    state: State,
    start: Time,
}

/// What an event tells of an attempt; a number or an account that it does not tell is none.
type Event = (EventKind, Option<u16>, Option<&'static str>);

impl Told {
    fn new() -> Self {
        let mut told = Self { state: State::new(), start: Time::from_secs(1_750_000_000) };
        told.push(0.0, Body::Configured(Settings::default().into()));
        told.state.view.intern_account(&account(A));
        told.state.view.intern_account(&account(B));
        told
    }

    fn push(&mut self, second: f64, body: Body) {
        let position = Position { record: self.state.position().record + 1, index: 0 };
        let at = self.start + Duration::from_secs_f64(second);
        apply(&mut self.state, &Entry { position, at, body }, &mut Vec::new());
    }

    /// An attempt that can only go to this account. Returns what was expected of it.
    fn decided(&mut self, second: f64, payment: &str, attempt: u16, to: &str) -> f64 {
        let request = Request { payment: testing::payment(payment), attempt, ..request(&[to]) };
        let at = self.start + Duration::from_secs_f64(second);
        let decision = decide(&self.state.view, &|_| 0, request, at).unwrap();
        let expected = decision.chosen().expected;
        self.push(second, Body::Decided(Arc::new(decision)));
        expected
    }

    fn ended(&mut self, second: f64, payment: &str, (kind, attempt, account): Event) {
        let event = event(payment, (kind, attempt, account), self.start + Duration::from_secs_f64(second));
        self.push(second, Body::Payment(Box::new(event)));
    }

    /// Payments that go to A and are never heard of, until one more would be presumed to have failed; the last is at 49 s.
    fn hanging() -> Self {
        let mut told = Self::new();
        for n in 0..120 {
            let second = f64::from(n) * 0.1;
            told.decided(second, &format!("well_{n}"), 1, B);
            told.ended(second, &format!("well_{n}"), (EventKind::Captured, Some(1), Some(B)));
        }
        for second in 20..50 {
            told.decided(second.into(), &format!("hangs_{second}"), 1, A);
        }
        told
    }

    /// What the lack of an answer of each attempt of a payment was taken for.
    fn silences(&self, payment: &str) -> Vec<Silent> {
        let key = Key::of(&profile(), &testing::payment(payment));
        self.state.view.payments.get(key).unwrap().attempts.iter().map(|attempt| attempt.silence).collect()
    }

    fn learnt(&self) -> u64 {
        self.state.view.weights.learnt()
    }
}

fn event(payment: &str, (kind, attempt, at): Event, occurred_at: Time) -> PaymentEvent {
    let payment = testing::payment(payment);
    PaymentEvent { payment, attempt, account: at.map(account), occurred_at, ..testing::event(kind) }
}

/// Where the source does not tell how long an answer took, it took from its own attempt's decision on.
#[test]
fn an_answer_is_measured_from_the_decision_of_its_own_attempt() {
    use EventKind::{Captured, Failed};
    let (a, b) = (Subject { connector: 0, account: 0 }, Subject { connector: 1, account: 1 });
    let check = |decided: &[(f64, u16, &str)], ended: &[(f64, Event)], learnt: &[(Subject, u32)]| {
        let mut told = Told::new();
        for (second, attempt, to) in decided {
            told.decided(*second, "pay_1", *attempt, to);
        }
        for (second, event) in ended {
            told.ended(*second, "pay_1", *event);
        }
        let mut wanted = State::new();
        for (subject, ms) in learnt {
            wanted.view.latencies.learn(*subject, *ms);
        }
        for Subject { connector, account } in [a, b] {
            let log_ms = |state: &State| state.view.latencies.log_ms(Some(connector), Some(account));
            assert!((log_ms(&told.state) - log_ms(&wanted)).abs() < 1e-6, "{decided:?} {ended:?}");
        }
    };
    let both = [(0.0, 1, A), (60.0, 2, B)];
    check(&both, &[(60.5, (Captured, Some(2), Some(B)))], &[(b, 500)]);
    check(&both, &[(61.0, (Failed, Some(1), Some(A)))], &[(a, 61_000)]);
    check(&both, &[(60.5, (Captured, None, Some(B))), (61.0, (Failed, None, Some(A)))], &[(b, 500), (a, 61_000)]);
    // The account that an event does not name is that of its attempt.
    check(&both, &[(61.0, (Failed, Some(1), None)), (62.0, (Captured, Some(2), None))], &[(a, 61_000), (b, 2_000)]);
    // A retry of the switch's own: nobody knows when it was sent, but the attempt before it was.
    check(&both[..1], &[(60.5, (Captured, Some(2), Some(B)))], &[]);
    check(&both[..1], &[(60.5, (Captured, Some(2), Some(B))), (61.0, (Failed, Some(1), Some(A)))], &[(a, 61_000)]);
    // The switch counts one more than we do.
    check(&both, &[(60.5, (Captured, Some(3), Some(B))), (61.0, (Failed, Some(1), Some(A)))], &[(b, 500), (a, 61_000)]);
}

#[test]
fn silence_is_held_against_the_attempt_that_is_silent() {
    let check = |name: &str, answer: Option<EventKind>, retried: bool, silences: &[Silent]| {
        let mut told = Told::hanging();
        told.decided(50.0, "pay_1", 1, A);
        if let Some(kind) = answer {
            told.ended(51.0, "pay_1", (kind, Some(1), Some(A)));
        }
        if retried {
            told.decided(99.0, "pay_1", 2, B);
        }
        (0..20).for_each(|_| told.push(104.0, Body::Ticked));
        assert_eq!(told.silences("pay_1"), silences, "{name}");
        let presumed = |payment: &str| told.silences(payment).iter().filter(|one| **one == Silent::Presumed).count();
        assert_eq!(presumed("hangs_49"), 1, "{name}: A hangs");
        let hangs: usize = (20..50).map(|n| presumed(&format!("hangs_{n}"))).sum();
        let taught = 120 + hangs + presumed("pay_1") + usize::from(answer.is_some());
        assert_eq!(told.learnt(), taught as u64, "{name}: each teaches once");
    };
    let (no, presumed) = (Silent::No, Silent::Presumed);
    check("never answered", None, false, &[presumed]);
    check("declined, and the retry waits elsewhere", Some(EventKind::Failed), true, &[no, no]);
    check("never answered, and the retry waits elsewhere", None, true, &[presumed, no]);
}

#[test]
fn what_was_presumed_of_an_attempt_is_its_own_and_teaches_once() {
    let mut told = Told::hanging();
    told.decided(50.0, "pay_1", 1, A);
    (0..20).for_each(|_| told.push(104.0, Body::Ticked));
    told.decided(105.0, "pay_1", 2, B);
    let before = told.learnt();
    told.ended(106.0, "pay_1", (EventKind::Captured, Some(2), Some(B)));
    assert_eq!((told.silences("pay_1"), told.learnt()), (vec![Silent::Presumed, Silent::No], before + 1));

    let expected = told.decided(106.5, "pay_2", 1, B);
    told.ended(107.0, "pay_1", (EventKind::Failed, Some(1), Some(A)));
    assert_eq!((told.silences("pay_1"), told.learnt()), (vec![Silent::No; 2], before + 1), "it was taught");
    let recalibrated = told.decided(107.5, "pay_3", 1, B);
    assert!(recalibrated < expected, "what was shown of it was too much: {recalibrated} after {expected}");
}

#[test]
fn what_an_outcome_is_told_to_say_is_what_the_fold_makes_of_it() {
    use EventKind::{Captured, Failed};
    let mut told = Told::new();
    told.decided(0.0, "pay_1", 1, A);
    told.ended(1.0, "pay_1", (Captured, Some(1), Some(A)));
    for (outcome, known) in [
        ((Failed, Some(1), None), Some(KnownEnd::Contradicts)),
        ((Captured, None, None), Some(KnownEnd::Repeated)),
        ((Captured, None, Some("paypal:mca_1")), None),
        ((Captured, Some(1), Some("paypal:mca_1")), Some(KnownEnd::Repeated)),
        ((Failed, Some(1), Some("adyen")), Some(KnownEnd::Contradicts)),
        ((Failed, Some(2), Some("adyen")), None),
    ] {
        let event = event("pay_1", outcome, told.start);
        assert_eq!(told.state.view().known_end(&event), known, "{outcome:?}");
        let mut folded = Told { state: told.state.clone(), start: told.start };
        let counted = |told: &Told| told.state.statistics.approved + told.state.statistics.failed;
        let before = (counted(&folded), folded.state.statistics.contradictions);
        folded.push(2.0, Body::Payment(Box::new(event)));
        let contradicts = u64::from(known == Some(KnownEnd::Contradicts));
        let after = (before.0 + u64::from(known.is_none()), before.1 + contradicts);
        assert_eq!((counted(&folded), folded.state.statistics.contradictions), after, "{outcome:?}");
    }
}
