//! Isolation as Linux offers it.

mod filesystem;
mod helper;
mod namespaces;
mod output;
mod privileges;
mod protocol;
mod run;
mod syscalls;

pub use helper::helper_main;
pub(crate) use run::run;
