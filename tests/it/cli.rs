//! The binary as people run it.
