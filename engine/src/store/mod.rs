//! The content-addressed store: immutable bytes under their digest, manifests under their key.
//!
//! Every object is hashed before it is believed; there is no index to go stale. Bytes go to
//! `tmp/`, are renamed into place, and the manifest that makes them a result comes last, so that
//! a process killed at any moment leaves nothing half-written in sight.

mod collect;
mod error;
mod manifest;
mod memo;
mod objects;

pub use collect::{CacheEntry, Collected, Verified};
pub use error::StoreError;
pub use manifest::{Manifest, StoredOutput};
pub use memo::{Durability, Memo, MemoError};
pub use objects::{ObjectFault, Store};
