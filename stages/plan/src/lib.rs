//! Capacity and cost at a service-level objective.
