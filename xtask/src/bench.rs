//! Reference figures and how ours compare.
