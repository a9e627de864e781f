//! Does a configuration make the answers worse?
