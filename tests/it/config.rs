//! The configuration: layers, errors with file and line.
