//! Virtual-time model of a continuous-batching serving engine: no I/O, no clock.
