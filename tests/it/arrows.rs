//! The arrows of the floor plan point down.
