//! Stateful operations.
