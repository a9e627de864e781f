//! The registry: the one list of all stage kinds.
