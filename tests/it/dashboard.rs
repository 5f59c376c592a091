//! Golden screens and keys of the dashboard.
