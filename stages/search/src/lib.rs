//! Samplers behind one ask/tell core, and the search over a serving space.
