//! Any program as a stage.
