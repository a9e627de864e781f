use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where each entry of a TOML file stands.
pub(crate) struct Entry {
    /// Its name; of a list's item, the item itself.
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) inside: Inside,
}

/// What an entry holds.
pub(crate) enum Inside {
    Scalar,
    Table(BTreeMap<String, Entry>),
    List(Vec<Entry>),
}

/// Which part of an entry a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

impl Entry {
    /// The whole file as one entry.
    pub(crate) fn root(table: &Spanned<DeTable<'_>>) -> Self {
        Self {
            key: table.span(),
            value: table.span(),
            inside: Inside::table(table.get_ref()),
        }
    }

    fn of(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Self {
        Self {
            key,
            value: value.span(),
            inside: Inside::of(value.get_ref()),
        }
    }

    pub(crate) fn child(&self, key: &str) -> Option<&Entry> {
        match &self.inside {
            Inside::Scalar => None,
            Inside::Table(entries) => entries.get(key),
            Inside::List(items) => items.get(key.parse::<usize>().ok()?),
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self.inside, Inside::Table(_))
    }

    /// Whether it is a list or table in brackets: its value begins after its name.
    pub(crate) fn is_bracketed(&self) -> bool {
        !matches!(self.inside, Inside::Scalar) && self.value.start > self.key.start
    }

    /// Names of a table, in the order of the file.
    pub(crate) fn names(&self) -> Vec<&str> {
        let Inside::Table(entries) = &self.inside else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries.iter().collect();
        names.sort_by_key(|(_, entry)| entry.key.start);
        names.into_iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The deepest entry on a path, and how many of its keys lead there.
    pub(crate) fn deepest<'k>(&self, path: impl Iterator<Item = &'k str>) -> (usize, &Entry) {
        let mut at = (0, self);
        for key in path {
            match at.1.child(key) {
                Some(child) => at = (at.0 + 1, child),
                None => break,
            }
        }
        at
    }

    /// A table's value is all that it holds: its name says better which one it is.
    pub(crate) fn span(&self, part: Part) -> Range<usize> {
        match (part, &self.inside) {
            (Part::Value, Inside::Scalar | Inside::List(_)) => self.value.clone(),
            (Part::Key, _) | (Part::Value, Inside::Table(_)) => self.key.clone(),
        }
    }
}

impl Inside {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Table(table) => Self::table(table),
            DeValue::Array(items) => {
                let entries = items.iter().map(|item| Entry::of(item.span(), item));
                Self::List(entries.collect())
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => Self::Scalar,
        }
    }

    fn table(table: &DeTable<'_>) -> Self {
        let entries = table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), Entry::of(key.span(), value)));
        Self::Table(entries.collect())
    }
}
