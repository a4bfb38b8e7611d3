//! Typed calls for the host.
