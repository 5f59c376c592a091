//! Entropy: one seed, a labelled child stream for every use, and the distributions drawn from them.
//!
//! A child's key is BLAKE3 of (seed, label), its generator `ChaCha8`. One more draw from one stream therefore moves
//! nothing in another. Draws that belong to a payment come from the stream numbered by it, so that the same payment
//! meets the same luck whatever was decided before. Every formula uses `libm`: the same on every platform.

use core::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Domain separation: a key derived here never equals one derived elsewhere from the same seed.
const CONTEXT: &str = "apos simulated world 2026, child stream v1";

/// Above this mean a Poisson draw is taken from its normal limit: Knuth's product needs as many draws as the mean,
/// and at 30 the limit's largest error in the distribution function is below 0.03.
const POISSON_NORMAL_ABOVE: f64 = 30.0;

/// Streams of one label, one for each number: a payment's, an account's.
#[derive(Debug, Clone)]
pub struct Family(ChaCha8Rng);

impl Family {
    /// The family of a label under a seed.
    #[must_use]
    pub fn new(seed: u64, label: &str) -> Self {
        let mut key = blake3::Hasher::new_derive_key(CONTEXT);
        key.update(&seed.to_le_bytes()).update(label.as_bytes());
        Self(ChaCha8Rng::from_seed(*key.finalize().as_bytes()))
    }

    /// The stream of a number, from its beginning.
    #[must_use]
    pub fn stream(&self, number: u64) -> Stream {
        let mut rng = self.0.clone();
        rng.set_stream(number);
        Stream(rng)
    }
}

/// A stream of draws.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of a label under a seed.
    #[must_use]
    pub fn new(seed: u64, label: &str) -> Self {
        Family::new(seed, label).stream(0)
    }

    /// Uniform on [0, 1): the upper 53 bits of a draw, times 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are a float's whole precision")]
        let bits = (self.0.next_u64() >> 11) as f64;
        bits * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Exponential with a rate: −ln(1 − U) ÷ rate, the inverse of its distribution function.
    pub fn exponential(&mut self, rate: f64) -> f64 {
        -libm::log(1.0 - self.unit()) / rate
    }

    /// Standard normal by Box–Muller: √(−2 ln(1 − U₁)) · cos(2π U₂). Takes two draws, whatever they are.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(TAU * self.unit())
    }

    /// Gamma with mean 1 and a coefficient of variation, by Marsaglia and Tsang (ACM TOMS 26, 2000); 1 without
    /// variation. A Poisson count whose rate is multiplied by it is negative binomial.
    pub fn gamma(&mut self, variation: f64) -> f64 {
        if variation <= 0.0 {
            return 1.0;
        }
        let shape = 1.0 / (variation * variation);
        // Below a shape of 1: that of shape + 1, times U^(1 ÷ shape).
        let (raised, boost) = if shape < 1.0 { (shape + 1.0, libm::pow(1.0 - self.unit(), 1.0 / shape)) } else { (shape, 1.0) };
        let scale = raised - 1.0 / 3.0;
        loop {
            let (normal, uniform) = (self.normal(), 1.0 - self.unit());
            let cube = libm::pow(1.0 + normal / (9.0 * scale).sqrt(), 3.0);
            if cube > 0.0 && libm::log(uniform) < 0.5 * normal * normal + scale * (1.0 - cube + libm::log(cube)) {
                return boost * scale * cube / shape;
            }
        }
    }

    /// Poisson with a mean: Knuth's product of uniforms up to a mean of 30, the rounded normal limit above.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        if mean > POISSON_NORMAL_ABOVE {
            return whole(mean + mean.sqrt() * self.normal());
        }
        let (limit, mut product, mut count) = (libm::exp(-mean), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// A log-normal value from a standard normal one: median · exp(σ z).
#[must_use]
pub fn log_normal(median: f64, sigma: f64, z: f64) -> f64 {
    median * libm::exp(sigma * z)
}

/// The index a uniform draw picks from running totals of weights: the first whose total exceeds `unit` of the whole.
/// `totals` must not be empty.
#[must_use]
pub fn pick(totals: &[f64], unit: f64) -> usize {
    let whole = totals.last().copied().unwrap_or(0.0);
    totals.partition_point(|total| *total <= unit * whole).min(totals.len().saturating_sub(1))
}

/// Running totals of weights, as [`pick`] wants them.
#[must_use]
pub fn running_totals(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let add = |sum: &mut f64, weight: f64| {
        *sum += weight;
        Some(*sum)
    };
    weights.into_iter().scan(0.0, add).collect()
}

/// The nearest whole number, within the range of `u32`: a count, a latency in milliseconds.
#[must_use]
pub fn whole(value: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range first")]
    let whole = value.round().clamp(0.0, f64::from(u32::MAX)) as u32;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 100_000;

    fn mean(mut draw: impl FnMut() -> f64) -> f64 {
        (0..DRAWS).map(|_| draw()).sum::<f64>() / f64::from(DRAWS)
    }

    /// Every distribution's mean lies within five standard errors of its formula's.
    #[test]
    fn means_are_as_the_formulas_say() {
        let check = |name: &str, measured: f64, expected: f64, deviation: f64| {
            let error = 5.0 * deviation / f64::from(DRAWS).sqrt();
            assert!((measured - expected).abs() < error, "{name}: {measured} is not within {error} of {expected}");
        };
        let mut stream = Stream::new(1, "test");
        check("unit", mean(|| stream.unit()), 0.5, 0.289);
        check("exponential", mean(|| stream.exponential(4.0)), 0.25, 0.25);
        check("normal", mean(|| stream.normal()), 0.0, 1.0);
        check("normal squared", mean(|| libm::pow(stream.normal(), 2.0)), 1.0, 1.415);
        check("log-normal's logarithm", mean(|| libm::log(log_normal(7.0, 0.5, stream.normal()))), libm::log(7.0), 0.5);
        check("gamma", mean(|| stream.gamma(0.3)), 1.0, 0.3);
        check("wide gamma", mean(|| stream.gamma(1.5)), 1.0, 1.5);
        check("gamma's variance", mean(|| libm::pow(stream.gamma(0.3) - 1.0, 2.0)), 0.09, 0.14);
        check("poisson 3", mean(|| f64::from(stream.poisson(3.0))), 3.0, 1.733);
        check("poisson 200", mean(|| f64::from(stream.poisson(200.0))), 200.0, 14.15);
        let totals = running_totals([1.0, 2.0, 1.0]);
        check("pick", mean(|| f64::from(u8::from(pick(&totals, stream.unit()) == 1))), 0.5, 0.5);
    }

    #[test]
    fn streams_do_not_meet() {
        let family = Family::new(1, "payer");
        let first = |stream: &Stream| stream.clone().unit().to_bits();
        let seventh = first(&family.stream(7));
        assert_eq!(seventh, first(&Family::new(1, "payer").stream(7)));
        for other in [family.stream(8), Family::new(1, "luck").stream(7), Family::new(2, "payer").stream(7)] {
            assert_ne!(seventh, first(&other));
        }
    }

    #[test]
    fn the_ends_of_a_pick_are_its_first_and_last() {
        let totals = running_totals([1.0, 0.0, 3.0]);
        assert_eq!((pick(&totals, 0.0), pick(&totals, 0.25), pick(&totals, 0.999)), (0, 2, 2));
    }
}
