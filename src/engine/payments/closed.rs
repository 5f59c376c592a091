//! A closed payment in eight bytes, where it is as nearly all are: at most two attempts, small numbers.
//!
//! ```text
//! bit 0      0: all of it is here    1: bits 1– are its place among the larger ones
//! bits 1–4   attempts that the switch says it made
//! bits 5–7   how many of those no event told of
//! bits 8–9   attempts that follow, 27 bits each:
//!            status 3 │ number told 1 │ heard of 1 │ number 4, 0: none │ account's number + 1 16, 0: none │
//!            what its lack of an answer was taken for 2
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Silent, Status};
use super::payment::Payment;

/// Bits before the attempts, and of each of them: 64 in all.
const HEAD: u32 = 10;
const ATTEMPT: u32 = 27;

const STATUSES: [Status; 6] =
    [Status::Pending, Status::Unknown, Status::Approved, Status::Failed, Status::ScaRequired, Status::Abandoned];
const SILENCES: [Silent; 3] = [Silent::No, Silent::Noticed, Silent::Presumed];

/// What is left of a payment that is closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Closed {
    /// In eight bytes.
    Small(u64),
    /// As it is, without what only an open payment needs.
    Large(Arc<Payment>),
}

impl Closed {
    /// Of something that has no more to it than that it was seen.
    pub(super) const NOTHING: Self = Self::Small(0);

    pub(super) fn of(payment: &Payment) -> Self {
        small(payment).map_or_else(|| Self::Large(Arc::new(large(payment))), Self::Small)
    }

    /// The payment, as it can be opened again.
    pub(super) fn payment(&self) -> Payment {
        match self {
            Self::Small(bits) => unpack(*bits),
            Self::Large(payment) => Payment::clone(payment),
        }
    }
}

fn large(payment: &Payment) -> Payment {
    let Payment { attempts, attempts_made, unseen, .. } = payment;
    let attempts = attempts.iter().map(|attempt| Attempt { asked: None, ..*attempt }).collect();
    Payment { attempts, attempts_made: *attempts_made, unseen: *unseen, ..Payment::default() }
}

fn small(payment: &Payment) -> Option<u64> {
    let within = |value: u64, bits: u32| (value < 1 << bits).then_some(value);
    let mut bits = within(payment.attempts_made.into(), 4)? << 1
        | within(payment.unseen.into(), 3)? << 5
        | u64::try_from(payment.attempts.len()).ok().filter(|count| *count <= 2)? << 8;
    for (attempt, index) in payment.attempts.iter().zip(0..) {
        let number = attempt.number.map_or(Some(0), |number| within(number.into(), 4).filter(|number| *number > 0))?;
        let account = attempt.account.map_or(Some(0), |account| within(u64::from(account) + 1, 16))?;
        let one = place(&STATUSES, &attempt.status)
            | u64::from(attempt.told) << 3
            | u64::from(attempt.heard) << 4
            | number << 5
            | account << 9
            | place(&SILENCES, &attempt.silence) << 25;
        bits |= one << (HEAD + ATTEMPT * index);
    }
    Some(bits)
}

fn unpack(bits: u64) -> Payment {
    let field = |from: u32, count: u32| bits >> from & ((1 << count) - 1);
    let number = |from: u32, count: u32| u16::try_from(field(from, count)).unwrap_or(u16::MAX);
    let attempt = |index: u32| {
        let from = HEAD + ATTEMPT * index;
        Attempt {
            number: Some(number(from + 5, 4)).filter(|number| *number > 0),
            told: field(from + 3, 1) == 1,
            heard: field(from + 4, 1) == 1,
            account: u32::try_from(field(from + 9, 16)).ok().and_then(|account| account.checked_sub(1)),
            status: at(&STATUSES, field(from, 3), Status::Unknown),
            silence: at(&SILENCES, field(from + 25, 2), Silent::No),
            asked: None,
        }
    };
    Payment {
        attempts: (0..u32::from(number(8, 2).min(2))).map(attempt).collect(),
        attempts_made: number(1, 4),
        unseen: number(5, 3),
        ..Payment::default()
    }
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|other| other == one).unwrap_or(0) as u64
}

fn at<T: Copy>(all: &[T], place: u64, otherwise: T) -> T {
    usize::try_from(place).ok().and_then(|place| all.get(place)).copied().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::payments::attempt::Asked;
    use proptest::prelude::*;

    fn attempt() -> impl Strategy<Value = Attempt> {
        let number = prop_oneof![Just(None), (1..20_u16).prop_map(Some), any::<u16>().prop_map(Some)];
        let account = prop_oneof![Just(None), (0..100_u32).prop_map(Some), (65_530..65_540_u32).prop_map(Some)];
        let stands = (prop::sample::select(STATUSES.to_vec()), prop::sample::select(SILENCES.to_vec()));
        (number, any::<bool>(), any::<bool>(), account, stands).prop_map(|(number, told, heard, account, (status, silence))| {
            Attempt { number, told, heard, account, status, silence, asked: None }
        })
    }

    fn payment() -> impl Strategy<Value = Payment> {
        let attempts = prop::collection::vec(attempt(), 0..4);
        let made = prop_oneof![0..4_u16, any::<u16>()];
        (attempts, made, prop_oneof![0..9_u16, any::<u16>()]).prop_map(|(attempts, attempts_made, unseen)| Payment {
            attempts: attempts.into(),
            attempts_made,
            unseen,
            ..Payment::default()
        })
    }

    proptest! {
        /// Whatever a payment was, all of it that outlives its closing is there when it is opened again.
        #[test]
        fn nothing_is_lost(payment in payment()) {
            let closed = Closed::of(&payment);
            prop_assert_eq!(closed.payment(), payment.clone());
            let bytes = postcard::to_allocvec(&closed).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Closed>(&bytes).unwrap().payment(), payment);
        }
    }

    fn failed(number: u16, account: u32) -> Attempt {
        Attempt {
            number: Some(number),
            told: true,
            heard: true,
            account: Some(account),
            status: Status::Failed,
            silence: Silent::No,
            asked: None,
        }
    }

    #[test]
    fn what_an_issuer_wants_is_still_known_of_a_closed_payment() {
        let stays = |status| {
            let attempt = Attempt { status, ..failed(1, 7) };
            let payment = Payment { attempts: [attempt].into_iter().collect(), ..Payment::default() };
            let closed = Closed::of(&payment);
            assert!(matches!(closed, Closed::Small(_)));
            closed.payment().step_up(2)
        };
        assert_eq!((stays(Status::ScaRequired), stays(Status::Failed)), (Some(7), None));
    }

    /// What only an open payment needs is gone, in both forms.
    #[test]
    fn what_was_decided_is_not_kept_of_a_closed_payment() {
        for attempts_made in [2, 999] {
            let asked = Some(Asked { number: 1, at: Some(crate::domain::Time::ZERO) });
            let attempts: Vec<Attempt> = vec![Attempt { asked, ..failed(1, 7) }, failed(2, 8)];
            let closed = Closed::of(&Payment { attempts: attempts.into(), attempts_made, ..Payment::default() });
            assert_eq!(matches!(closed, Closed::Small(_)), attempts_made == 2);
            assert!(closed.payment().attempts.iter().eq(&[failed(1, 7), failed(2, 8)]));
        }
    }

    #[test]
    fn an_ordinary_payment_is_small() {
        let silent = Attempt { status: Status::Unknown, silence: Silent::Presumed, ..failed(1, 4_999) };
        let attempts = [silent, failed(15, 65_534)].into_iter().collect();
        let payment = Payment { attempts, attempts_made: 15, unseen: 7, ..Payment::default() };
        assert!(matches!(Closed::of(&payment), Closed::Small(_)));
    }
}
