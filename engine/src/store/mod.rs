//! The content-addressed store.

mod memo;

pub use memo::{Durability, Memo, MemoError};
