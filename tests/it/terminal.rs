//! The program on a real pseudo-terminal: signals, loss, restore.
