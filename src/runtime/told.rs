//! What was told of payments and is still on its way through the log.
//!
//! The switch tells of a payment and asks for its decision a moment later: before the view has what it told. So it is
//! noted here too, for the latest payments; the view has those before.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::Context;
use crate::engine::PaymentKey;

/// Payments noted: at 10,000 a second two seconds' worth, a hundred times what the log takes; about 4 MB.
const NOTED_MAX: usize = 20_000;

/// What was told of the latest payments.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Whether anything was ever noted: most switches never tell, and their decisions need no lock.
    used: AtomicBool,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    by_payment: HashMap<PaymentKey, Context>,
    by_age: VecDeque<PaymentKey>,
}

impl Told {
    /// Notes what was told; what was told before and not again stays.
    pub(super) fn note(&self, key: PaymentKey, context: Context) {
        self.used.store(true, Ordering::Release);
        let mut noted = self.noted();
        if let Some(known) = noted.by_payment.get_mut(&key) {
            *known = context.or(*known);
            return;
        }
        noted.by_payment.insert(key, context);
        noted.by_age.push_back(key);
        if noted.by_age.len() > NOTED_MAX
            && let Some(oldest) = noted.by_age.pop_front()
        {
            noted.by_payment.remove(&oldest);
        }
    }

    /// What was told of a payment.
    pub(super) fn of(&self, key: PaymentKey) -> Context {
        if !self.used.load(Ordering::Acquire) {
            return Context::default();
        }
        self.noted().by_payment.get(&key).copied().unwrap_or_default()
    }

    /// Nothing here is left half done by a panic: the lock's poison means nothing.
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bin, Method, PaymentId, ProfileId};

    #[test]
    fn what_is_told_in_parts_is_one_and_the_oldest_is_forgotten() {
        let (told, profile) = (Told::default(), ProfileId::parse("pro_1").unwrap());
        let key = |number: usize| PaymentKey::of(&profile, &PaymentId::parse(&format!("pay_{number}")).unwrap());
        assert_eq!(told.of(key(0)), Context::default());
        told.note(key(0), Context { method: Some(Method::Card), ..Context::default() });
        told.note(key(0), Context { bin: Bin::parse("424242").ok(), ..Context::default() });
        let both = told.of(key(0));
        assert!(both.method.is_some() && both.bin.is_some(), "{both:?}");
        (1..=NOTED_MAX).for_each(|number| told.note(key(number), both));
        assert_eq!(told.of(key(0)), Context::default(), "the oldest");
        assert_eq!(told.of(key(NOTED_MAX)), both);
    }
}
