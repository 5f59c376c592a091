//! Numbers as precise as they are told: a decision is kept a million times a day, and nobody reads its seventh digit.

/// What an `f32`'s bits have to be shifted by, so that eleven of its mantissa are left.
const SHIFT: u32 = 12;
/// The shifted bits of 2⁻¹², which stand for 0.
const LEAST: u32 = (127 - 12) << (23 - SHIFT);

/// A number from 0 to a million in two bytes: 0.02 % off at most, or 0.0001 below 0.0005. A deviation, a bonus and the evidence
/// behind them are estimates, and told to three digits.
///
/// The exponent from −12 to 19 in five bits, eleven bits of the mantissa: those of an `f32` without the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Rough([u8; 2]);

impl Rough {
    /// The nearest one.
    fn nearest(number: f32) -> Self {
        if number.is_nan() || number <= 0.0 {
            return Self([0; 2]);
        }
        let rounded = (number.to_bits() + (1 << (SHIFT - 1))) >> SHIFT;
        Self(u16::try_from(rounded.saturating_sub(LEAST)).unwrap_or(u16::MAX).to_le_bytes())
    }

    /// The one that is this number; none: none is.
    pub(super) fn of(number: f64) -> Option<Self> {
        let rough = Self::nearest(single(number)?);
        (rough.number().to_bits() == number.to_bits()).then_some(rough)
    }

    /// The number.
    pub(super) fn number(self) -> f64 {
        match u32::from(u16::from_le_bytes(self.0)) {
            0 => 0.0,
            rough => f64::from(f32::from_bits((rough + LEAST) << SHIFT)),
        }
    }
}

/// A number from 0 to a million, rounded so that it is told in two bytes.
#[must_use]
pub fn roughly(number: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
    let number = number as f32;
    Rough::nearest(number).number()
}

/// A number in single precision, where it is one.
pub(super) fn single(number: f64) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let single = number as f32;
    (f64::from(single).to_bits() == number.to_bits()).then_some(single)
}

/// Bits of a fee that are not told.
const UNTOLD: u32 = 0xff;

/// A fee in three bytes: an `f32` without its last eight bits, 0.001 % off at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Fee([u8; 3]);

impl Fee {
    /// The one that is this fee; none: none is.
    pub(super) const fn of(fee: f32) -> Option<Self> {
        let [untold, low, middle, high] = fee.to_bits().to_le_bytes();
        if untold == 0 { Some(Self([low, middle, high])) } else { None }
    }

    /// The fee.
    pub(super) const fn number(self) -> f32 {
        let [low, middle, high] = self.0;
        f32::from_bits(u32::from_le_bytes([0, low, middle, high]))
    }
}

/// A fee, rounded so that it is told in three bytes.
pub(super) fn told_fee(fee: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
    let fee = fee as f32;
    if !fee.is_finite() {
        return fee;
    }
    f32::from_bits((fee.to_bits() + UNTOLD.div_ceil(2)) & !UNTOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_as_precisely_as_promised_and_reads_back() {
        for number in [0.001, 0.125, 0.333_333, 1.0, 2.75, 812.5, 65_536.7, 999_999.0] {
            let told = roughly(number);
            assert!((told / number - 1.0).abs() < 0.000_25, "{number}: {told}");
            assert_eq!(Rough::of(told).map(Rough::number), Some(told));
        }
        for (number, told) in [(0.0, 0.0), (-1.0, 0.0), (f64::NAN, 0.0), (1e-9, 0.0), (1e9, 1_048_320.0)] {
            assert_eq!(roughly(number).to_bits(), f64::to_bits(told), "{number}");
        }
        assert_eq!(Rough::of(0.1), None);
        assert_eq!(Rough::of(-0.25), None);
    }

    #[test]
    fn a_fee_is_told_to_a_hundredth_of_a_cent() {
        for fee in [0.0, 37.25, 291.37, 100_000.0, -3.0] {
            let told = told_fee(fee);
            assert!((f64::from(told) - fee).abs() <= 1e-5 * fee.abs(), "{fee}: {told}");
            assert_eq!(Fee::of(told).map(Fee::number), Some(told));
        }
        assert_eq!(Fee::of(0.1), None);
    }
}
