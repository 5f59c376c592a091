//! What the learnt model in force adds to each candidate's score: a row of its table, looked up once a decision.

use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use crate::domain::model::{Cell, STEPS_PER_LOGIT, Table};
use crate::domain::numbers::sigmoid;
use crate::domain::{ConnectorName, Context, Money};
use crate::engine::names::Names;

/// A model's table, by this log's own numbers of connectors. Cloning shares it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Offsets {
    pub(crate) version: u32,
    /// How far it is believed, 0 to 1.
    pub(crate) weight: f32,
    table: Arc<Table>,
    /// The table's column of each connector, by the connector's number.
    columns: Vector<Option<u16>>,
}

impl Offsets {
    /// A model that is not believed at all yet.
    pub(crate) fn new(version: u32, table: Table, connectors: &Names<ConnectorName>) -> Self {
        let column = |name: &ConnectorName| table.connectors.iter().position(|known| known == name);
        let columns = connectors.iter().map(|(_, name)| column(name).and_then(|column| u16::try_from(column).ok())).collect();
        Self { version, weight: 0.0, table: Arc::new(table), columns }
    }

    /// What it says of a kind of payment.
    pub(crate) fn row(&self, context: &Context, amount: Option<Money>) -> Row<'_> {
        self.row_of(Cell::of(context, amount))
    }

    /// As [`Offsets::row`].
    pub(crate) fn row_of(&self, cell: Cell) -> Row<'_> {
        Row { offsets: self, steps: self.table.row(cell) }
    }

    /// How many kinds of payment it tells apart, and how many connectors.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.table.cells.len(), self.table.connectors.len())
    }
}

/// What a model says of one kind of payment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'o> {
    pub(crate) offsets: &'o Offsets,
    steps: Option<&'o [i8]>,
}

impl Row<'_> {
    /// What it says of a connector, in steps; 0 of one that it does not know.
    pub(crate) fn step(&self, connector: Option<u32>) -> i8 {
        let column = connector.and_then(|number| self.offsets.columns.get(number as usize)).copied().flatten();
        column.zip(self.steps).and_then(|(column, steps)| steps.get(usize::from(column))).copied().unwrap_or(0)
    }

    /// What counts of a step, in logits.
    pub(crate) fn weighted(&self, step: i8) -> f64 {
        f64::from(self.offsets.weight) * logits(step)
    }
}

/// A step in logits.
pub(crate) fn logits(step: i8) -> f64 {
    f64::from(step) / STEPS_PER_LOGIT
}

/// A probability, moved by so many logits.
pub(crate) fn moved(probability: f64, by: f64) -> f64 {
    let probability = probability.clamp(1e-6, 1.0 - 1e-6);
    sigmoid(libm::log(probability / (1.0 - probability)) + by)
}
