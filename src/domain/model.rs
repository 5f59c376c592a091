//! A learnt model as it is published: a table of what it adds to a connector's score, by kind of payment.
//!
//! Whoever trains it asks it once for every kind of payment that is met and every connector, and publishes the answers. So
//! a decision looks up a row and computes nothing, and the table is small enough ([`BLOB_MAX`]) to be carried by the very
//! entry that publishes it: nobody has to fetch anything before folding it.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{Bin, ConnectorName, Context, Country, Method, Money, Network, Time};

/// Most bytes of a table: what an entry may carry without being felt. A thousand kinds of payment at thirty connectors.
pub const BLOB_MAX: usize = 65_536;

/// Parts of a logit in which a table is written: finer than anything that could be told from 10,000 outcomes, and ±2 logits,
/// more than any two connectors in service differ, fit into a byte.
pub const STEPS_PER_LOGIT: f64 = 64.0;

/// A kind of payment: what of it a table tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Cell {
    /// The payment method.
    pub method: Option<Method>,
    /// The issuing country.
    pub country: Option<Country>,
    /// The card network.
    pub network: Option<Network>,
    /// The card's BIN.
    pub bin: Option<Bin>,
    /// The amount's band, as [`band`] has it; none where the amount is not known.
    pub band: Option<u8>,
}

impl Cell {
    /// The kind of a payment.
    #[must_use]
    pub fn of(context: &Context, amount: Option<Money>) -> Self {
        let Context { method, country, network, bin, .. } = *context;
        Self { method, country, network, bin, band: amount.map(band) }
    }

    /// The same, less closely looked at: first without its BIN, then without its amount's band and its network too.
    #[must_use]
    pub fn coarser(self) -> [Self; 2] {
        let without = Self { bin: None, ..self };
        [without, Self { network: None, band: None, ..without }]
    }
}

/// How many bands amounts have.
pub const BANDS: u8 = 6;

/// The band of an amount: factors of four of the major units, from below 4 (0) to 1,024 and above (5).
#[must_use]
pub fn band(amount: Money) -> u8 {
    let major = amount.minor.unsigned_abs() / 10_u64.pow(amount.currency.exponent());
    let doublings = u64::BITS - major.leading_zeros();
    u8::try_from(doublings.saturating_sub(1) / 2).unwrap_or(u8::MAX).min(BANDS - 1)
}

/// What a model adds to a connector's score, by kind of payment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    /// Its columns.
    pub connectors: Vec<ConnectorName>,
    /// Its rows, ascending, each once.
    pub cells: Vec<Cell>,
    /// Row by row, in [`STEPS_PER_LOGIT`]: what to add to the logit of success, the mean of a row's being 0.
    pub steps: Vec<i8>,
}

/// Why a blob is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTable {
    /// Larger than an entry may carry.
    #[error("it has more than {BLOB_MAX} bytes")]
    TooLarge,
    /// Not the bytes that were hashed.
    #[error("its bytes are not those of its hash")]
    Hash,
    /// No table.
    #[error("its bytes cannot be decoded")]
    Undecodable,
    /// Not a number for each cell and connector, or cells that do not ascend.
    #[error("its rows and columns do not fit")]
    Shape,
}

impl Table {
    /// The table as bytes, and their hash.
    ///
    /// # Errors
    /// [`BadTable::TooLarge`], or [`BadTable::Undecodable`] where it cannot be written at all.
    pub fn blob(&self) -> Result<(Vec<u8>, [u8; 32]), BadTable> {
        let blob = postcard::to_allocvec(self).map_err(|_| BadTable::Undecodable)?;
        if blob.len() > BLOB_MAX {
            return Err(BadTable::TooLarge);
        }
        let hash = blake3::hash(&blob).into();
        Ok((blob, hash))
    }

    /// The row of a kind of payment: its own, else that of the kind less closely looked at. One step for each connector.
    #[must_use]
    pub fn row(&self, cell: Cell) -> Option<&[i8]> {
        let [without_bin, coarsest] = cell.coarser();
        let place = |cell: &Cell| self.cells.binary_search(cell).ok();
        let row = place(&cell).or_else(|| place(&without_bin)).or_else(|| place(&coarsest))?;
        let width = self.connectors.len();
        self.steps.get(row * width..(row + 1) * width)
    }

    fn is_sound(&self) -> bool {
        let full = self.cells.len().checked_mul(self.connectors.len()) == Some(self.steps.len());
        full && self.cells.windows(2).all(|pair| pair[0] < pair[1])
    }
}

/// A list of kinds and how often each is met, with which later traffic is compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Shares {
    /// What of a payment: `method`, `country`, `network`, `amount`.
    pub feature: CompactString,
    /// The share of each value in training, 0 to 1; what is rare is in none of them.
    pub values: Vec<(CompactString, f32)>,
}

/// What a model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// The time of the oldest outcome.
    pub from: Time,
    /// The time of the latest one.
    pub to: Time,
    /// How many outcomes.
    pub outcomes: u64,
}

/// How it did on the latest outcomes of that window, trained on those before them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Outcomes it was tested on.
    pub tested: u64,
    /// Mean squared difference of what was expected with it and what happened.
    pub brier: f64,
    /// The same without it: of what routing expected by itself.
    pub brier_without: f64,
    /// Mean square of what it changed of those expectations. With the two above it tells how far the model is to be believed
    /// before its first outcome.
    pub changed: f64,
}

/// A model, as it is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its number, from 1, each higher than those before it.
    pub version: u32,
    /// BLAKE3 of the blob.
    pub hash: [u8; 32],
    /// What trained it: a word such as `random_forest`.
    pub algorithm: CompactString,
    /// What it was trained on.
    pub window: Window,
    /// What it looks at.
    pub features: Vec<CompactString>,
    /// How it did in its test.
    pub metrics: Metrics,
    /// What its training traffic was made of.
    pub shares: Vec<Shares>,
    /// The table, by postcard.
    pub blob: Vec<u8>,
}

impl Model {
    /// Its table.
    ///
    /// # Errors
    /// [`BadTable`]: the blob is not what was published, or no table.
    pub fn table(&self) -> Result<Table, BadTable> {
        if self.blob.len() > BLOB_MAX {
            return Err(BadTable::TooLarge);
        }
        if blake3::hash(&self.blob) != self.hash {
            return Err(BadTable::Hash);
        }
        let table: Table = postcard::from_bytes(&self.blob).map_err(|_| BadTable::Undecodable)?;
        if table.is_sound() { Ok(table) } else { Err(BadTable::Shape) }
    }
}

/// The first digits of a hash, as people compare it.
#[must_use]
pub fn short_hash(hash: &[u8; 32]) -> String {
    hash.iter().take(6).fold(String::with_capacity(12), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn eur(major: i64) -> Money {
        Money::new(major * 100, Currency::parse("EUR").unwrap())
    }

    fn cell(bin: Option<&str>, band: Option<u8>) -> Cell {
        let bin = bin.map(|digits| Bin::parse(digits).unwrap());
        Cell { method: Some(Method::Card), country: Country::parse("DE").ok(), network: Some(Network::Visa), bin, band }
    }

    fn table() -> Table {
        let coarsest = Cell { network: None, ..cell(None, None) };
        let mut cells = vec![cell(Some("424242"), Some(3)), cell(None, Some(3)), coarsest];
        cells.sort_unstable();
        let connectors = ["adyen", "stripe"].map(|name| ConnectorName::parse(name).unwrap()).to_vec();
        let steps = cells.iter().flat_map(|one| if one.bin.is_some() { [9, -9] } else { [i8::from(one.band.is_some()), 0] });
        Table { connectors, steps: steps.collect(), cells }
    }

    fn model(blob: Vec<u8>, hash: [u8; 32]) -> Model {
        let (window, metrics) = (Window::default(), Metrics::default());
        let (features, shares) = (Vec::new(), Vec::new());
        Model { version: 1, hash, algorithm: "random_forest".into(), window, features, metrics, shares, blob }
    }

    #[test]
    fn amounts_have_bands_by_factors_of_four() {
        let bands = [0, 1, 3, 4, 15, 16, 63, 64, 255, 256, 1_023, 1_024, 1_000_000].map(|major| band(eur(major)));
        assert_eq!(bands, [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    }

    #[test]
    fn a_kind_that_has_no_row_has_that_of_the_kind_less_closely_looked_at() {
        let table = table();
        assert_eq!(table.row(cell(Some("424242"), Some(3))), Some(&[9, -9][..]));
        assert_eq!(table.row(cell(Some("555555"), Some(3))), Some(&[1, 0][..]));
        assert_eq!(table.row(cell(Some("555555"), Some(1))), Some(&[0, 0][..]));
        assert_eq!(table.row(Cell::default()), None);
    }

    #[test]
    fn a_table_is_read_back_and_what_is_none_is_refused() {
        let (blob, hash) = table().blob().unwrap();
        assert_eq!(model(blob.clone(), hash).table(), Ok(table()));
        let mut damaged = blob.clone();
        damaged[3] ^= 1;
        assert_eq!(model(damaged, hash).table(), Err(BadTable::Hash));
        assert_eq!(model(vec![0; BLOB_MAX + 1], hash).table(), Err(BadTable::TooLarge));
        assert_eq!(model(vec![255; 9], blake3::hash(&[255; 9]).into()).table(), Err(BadTable::Undecodable));
        for broken in [Table { steps: vec![0; 5], ..table() }, Table { cells: vec![Cell::default(); 3], ..table() }] {
            let (blob, hash) = broken.blob().unwrap();
            assert_eq!(model(blob, hash).table(), Err(BadTable::Shape));
        }
    }
}
