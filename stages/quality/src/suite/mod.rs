//! What is asked: items in one form, whatever file they come from.

mod draw;
mod import;
mod item;
mod shipped;
mod spec;

pub(crate) use draw::{draw, shuffled};
pub(crate) use item::{Family, Item, Message, Role};
pub(crate) use spec::{SuiteSpec, load};
