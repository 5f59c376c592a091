//! APOS, the Autonomous Payment Orchestration System.
//!
//! > The log is the truth. The engine is a function of it. Everything else decides who calls it.
//!
//! `ARCHITECTURE.md` draws the shape; the arrows point down only: `tui`, `api`, `sim` → `runtime` → `adapters`,
//! `log`, `store` → `engine` → `domain`.

pub mod adapters;
pub mod api;
pub mod backtest;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod log;
pub mod runtime;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod tui;
