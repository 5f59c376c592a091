//! Formulas and constants of statistics that more than one part reckons with.

/// Two-sided 95 % of the standard normal distribution: so many standard errors to each side of an estimate.
pub(crate) const Z95: f64 = 1.959_964;

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "payments, outcomes, seconds: far below 2^53")]
pub(crate) const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// The same of how many there are in memory.
pub(crate) const fn len_as_f64(len: usize) -> f64 {
    as_f64(len as u64)
}

/// The logistic function: the probability of a logit.
pub(crate) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-logit))
}
