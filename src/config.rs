//! One typed configuration, layered: defaults < file < environment < flags.
