use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

/// Entries of an embedded data file by name.
pub(crate) fn read<T: DeserializeOwned>(data: &str) -> BTreeMap<String, T> {
    toml::from_str(data).expect("the embedded catalogue is tested to parse")
}
