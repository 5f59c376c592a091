//! Training: from lessons to a model, as a pure function. The same lessons give the same model.
//!
//! What is predicted is what routing's own expectation left over, so a model only tells what the bandit does not know by
//! itself: what holds for a method and an amount together, say, or what it has forgotten. Two spans are tried, all that is
//! kept and its latest part alone, each tested on the newest lessons; the better one is trained again on all of its span.

use std::collections::BTreeMap;

use compact_str::CompactString;
use imbl::Vector;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::encode::{FEATURES, History, left_over};
use crate::domain::ConnectorName;
use crate::domain::model::{BLOB_MAX, BadTable, Cell, Metrics, Model, STEPS_PER_LOGIT, Shares, Table, Window};
use crate::domain::numbers::len_as_f64;
use crate::engine::learn::{Lesson, drift};
use crate::engine::route::{logits, moved};

/// Trees, and their depth: a table is made of them, so their number costs only training.
const TREES: usize = 20;
const DEPTH: u16 = 6;
/// Of a span, the part that is tested on: the newest fifth.
const TESTED: usize = 5;
/// The later span is this part of all.
const LATER: usize = 4;
/// A kind of payment has a row of its own from so many lessons on.
const LEAST_OF_A_CELL: u32 = 20;
/// Bytes of a row besides its steps, at most: a kind of payment by postcard.
const CELL_BYTES: usize = 14;
/// A value of a feature is listed from this share on.
const LEAST_SHARE: f64 = 0.005;

/// Why no model could be trained.
#[derive(Debug, thiserror::Error)]
pub enum Untrained {
    /// There is nothing to tell apart.
    #[error("the outcomes are of too few connectors or kinds of payment")]
    Nothing,
    /// The library gave up.
    #[error("the trees could not be grown: {0}")]
    Trees(String),
    /// The table cannot be published.
    #[error("the table cannot be published")]
    Table(#[from] BadTable),
}

/// Trains a model on lessons, the oldest first; `names` are the connectors by their numbers.
///
/// # Errors
/// [`Untrained`].
pub fn train(lessons: &Vector<Lesson>, names: &[ConnectorName], version: u32) -> Result<Model, Untrained> {
    let all: Vec<Lesson> = lessons.iter().filter(|lesson| (lesson.connector as usize) < names.len()).copied().collect();
    let test_from = all.len() - all.len() / TESTED;
    let (fit, test) = all.split_at(test_from);
    let mut best: Option<(Metrics, usize)> = None;
    for from in [0, fit.len() - fit.len() / LATER] {
        let table = table(&fit[from..], names)?;
        let metrics = test_on(&table, test, names);
        if best.is_none_or(|(known, _)| metrics.brier < known.brier) {
            best = Some((metrics, from));
        }
    }
    let (metrics, from) = best.ok_or(Untrained::Nothing)?;
    let span = &all[from..];
    let (blob, hash) = table(span, names)?.blob()?;
    let (Some(first), Some(last)) = (span.first(), span.last()) else { return Err(Untrained::Nothing) };
    Ok(Model {
        version,
        hash,
        algorithm: CompactString::const_new("random_forest"),
        window: Window { from: first.at, to: last.at, outcomes: span.len() as u64 },
        features: FEATURES.iter().map(|name| (*name).into()).collect(),
        metrics,
        shares: shares(span),
        blob,
    })
}

type Forest = RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;

/// Grows trees on lessons and asks them for a table.
fn table(lessons: &[Lesson], names: &[ConnectorName]) -> Result<Table, Untrained> {
    let mut history = History::default();
    let mut columns = Vec::with_capacity(lessons.len());
    let mut targets = Vec::with_capacity(lessons.len());
    for lesson in lessons {
        columns.push(history.columns(&lesson.cell, lesson.connector));
        targets.push(left_over(lesson));
        history.see(lesson);
    }
    let trees = |error: smartcore::error::Failed| Untrained::Trees(error.to_string());
    let parameters = RandomForestRegressorParameters::default()
        .with_n_trees(TREES)
        .with_max_depth(DEPTH)
        .with_min_samples_leaf((lessons.len() / 200).max(25))
        .with_m(FEATURES.len() / 2)
        .with_seed(1);
    let forest = Forest::fit(&DenseMatrix::from_2d_vec(&columns).map_err(trees)?, &targets, parameters).map_err(trees)?;
    let kinds = Kinds::of(lessons, names);
    let asked: Vec<Vec<f64>> =
        kinds.cells.iter().flat_map(|(cell, _)| kinds.connectors.iter().map(|c| history.columns(cell, *c))).collect();
    if kinds.connectors.len() < 2 || asked.is_empty() {
        return Err(Untrained::Nothing);
    }
    let said = forest.predict(&DenseMatrix::from_2d_vec(&asked).map_err(trees)?).map_err(trees)?;
    let rows = kinds.cells.iter().zip(said.chunks(kinds.connectors.len()));
    let steps = rows.flat_map(|((_, expected), said)| steps(*expected, said)).collect();
    let connectors = kinds.connectors.iter().filter_map(|number| names.get(*number as usize)).cloned().collect();
    Ok(Table { connectors, cells: kinds.cells.into_iter().map(|(cell, _)| cell).collect(), steps })
}

/// What is added to each connector's logit where this was expected and that much would be left over; their mean is 0.
fn steps(expected: f64, left_over: &[f64]) -> Vec<i8> {
    let logit = |p: f64| {
        let p = p.clamp(0.02, 0.98);
        libm::log(p / (1.0 - p))
    };
    let offsets: Vec<f64> = left_over.iter().map(|left| logit(expected + left) - logit(expected)).collect();
    let mean = offsets.iter().sum::<f64>() / len_as_f64(offsets.len());
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what a step can be")]
    let step = |offset: &f64| ((offset - mean) * STEPS_PER_LOGIT).round().clamp(-127.0, 127.0) as i8;
    offsets.iter().map(step).collect()
}

/// What a table tells apart: connectors, and kinds of payment with what was expected of them on average, ascending.
struct Kinds {
    connectors: Vec<u32>,
    cells: Vec<(Cell, f64)>,
}

impl Kinds {
    /// Those that are met most: as many as an entry carries. Every kind less closely looked at comes before its parts.
    fn of(lessons: &[Lesson], names: &[ConnectorName]) -> Self {
        let mut counts: BTreeMap<Cell, (u32, f64)> = BTreeMap::new();
        let mut connectors: BTreeMap<u32, u32> = BTreeMap::new();
        for lesson in lessons {
            *connectors.entry(lesson.connector).or_default() += 1;
            let [without_bin, coarsest] = lesson.cell.coarser();
            let mut cells = vec![lesson.cell, without_bin, coarsest];
            cells.dedup();
            for cell in cells {
                let (count, expected) = counts.entry(cell).or_default();
                (*count, *expected) = (*count + 1, *expected + f64::from(lesson.expected));
            }
        }
        let names_bytes: usize = names.iter().map(|name| name.as_str().len() + 1).sum();
        let most = BLOB_MAX.saturating_sub(names_bytes + 16) / (CELL_BYTES + connectors.len());
        let mut cells: Vec<(Cell, (u32, f64))> = counts.into_iter().filter(|(_, (n, _))| *n >= LEAST_OF_A_CELL).collect();
        cells.sort_by_key(|(cell, (count, _))| (core::cmp::Reverse(*count), *cell));
        cells.truncate(most);
        let mut cells: Vec<(Cell, f64)> = cells.into_iter().map(|(cell, (n, sum))| (cell, sum / f64::from(n))).collect();
        cells.sort_by_key(|(cell, _)| *cell);
        Self { connectors: connectors.into_keys().collect(), cells }
    }
}

/// How a table does on lessons it has not seen, fully believed.
fn test_on(table: &Table, lessons: &[Lesson], names: &[ConnectorName]) -> Metrics {
    let (mut with, mut without, mut changed) = (0.0, 0.0, 0.0);
    for lesson in lessons {
        let column = table.connectors.iter().position(|name| names.get(lesson.connector as usize) == Some(name));
        let step = column.zip(table.row(lesson.cell)).and_then(|(column, row)| row.get(column)).copied().unwrap_or(0);
        let (alone, happened) = (f64::from(lesson.expected), if lesson.success { 1.0 } else { 0.0 });
        let both = moved(alone, logits(step));
        with += (happened - both) * (happened - both);
        without += (happened - alone) * (happened - alone);
        changed += (both - alone) * (both - alone);
    }
    let mean = |sum: f64| sum / len_as_f64(lessons.len().max(1));
    Metrics { tested: lessons.len() as u64, brier: mean(with), brier_without: mean(without), changed: mean(changed) }
}

/// What the traffic of these lessons is made of.
fn shares(lessons: &[Lesson]) -> Vec<Shares> {
    let mut counts = [(); drift::COMPARED.len()].map(|()| BTreeMap::<CompactString, u32>::new());
    for lesson in lessons {
        for (counts, value) in counts.iter_mut().zip(drift::values(&lesson.cell)) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let all = len_as_f64(lessons.len().max(1));
    #[expect(clippy::cast_possible_truncation, reason = "a share, in single precision")]
    let share = |(value, count): (CompactString, u32)| {
        let share = f64::from(count) / all;
        (share >= LEAST_SHARE).then_some((value, share as f32))
    };
    let named = drift::COMPARED.into_iter().zip(counts);
    named
        .map(|(name, counts)| Shares { feature: name.into(), values: counts.into_iter().filter_map(share).collect() })
        .collect()
}
