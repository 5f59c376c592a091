//! The engine from outside: determinism, checkpoints, decisions computed again.
