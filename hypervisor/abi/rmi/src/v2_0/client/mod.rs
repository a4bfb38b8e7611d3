//! Typed calls of RMI 2.0.
