//! Where a payment falls by lot: the same for all its attempts, and apart for each use.

use crate::domain::{PaymentId, ProfileId};

/// Buckets that payments fall into.
pub(crate) const BUCKETS: u16 = 10_000;

/// A payment's bucket, from 0, for one use: what is drawn for the dial says nothing of what is drawn for an experiment, nor
/// for another one. A retry lands in the same.
pub(crate) fn bucket(usage: &str, profile: &ProfileId, payment: &PaymentId) -> u16 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"bucket\0").update(usage.as_bytes()).update(&[0]);
    hasher.update(profile.as_str().as_bytes()).update(&[0]).update(payment.as_str().as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // The bias of the remainder is below 2⁻⁵⁰.
    u16::try_from(u64::from_le_bytes(bytes) % u64::from(BUCKETS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_fair_and_one_use_tells_nothing_of_another() {
        let profile = ProfileId::parse("pro_1").unwrap();
        let of = |usage: &str, n: u32| bucket(usage, &profile, &PaymentId::parse(&format!("pay_{n}")).unwrap());
        let below = |usage, limit: u16| (0..20_000).filter(|n| of(usage, *n) < limit).count();
        assert!((4_700..5_300).contains(&below("dial", 2_500)), "{}", below("dial", 2_500));
        let both = (0..20_000).filter(|n| of("dial", *n) < 5_000 && of("other", *n) < 5_000).count();
        assert!((4_700..5_300).contains(&both), "{both}");
        assert!((0..1_000).all(|n| of("dial", n) == of("dial", n) && of("dial", n) < BUCKETS));
    }
}
