//! Finalists measured again on fresh seeds.
