//! Small drawing parts the panels share.

pub(super) mod ascii;
pub(super) mod bar;
pub(super) mod panel;
pub(super) mod sheet;
pub(super) mod spark;
pub(super) mod text;
