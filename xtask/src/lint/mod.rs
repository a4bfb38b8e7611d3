//! The house rules a program can check.
