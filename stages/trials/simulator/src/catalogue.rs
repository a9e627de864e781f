use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

/// Entries of an embedded data file by name, each told its own.
pub(crate) fn read<T: DeserializeOwned>(
    data: &str,
    name: fn(&mut T) -> &mut String,
) -> BTreeMap<String, T> {
    let mut entries: BTreeMap<String, T> =
        toml::from_str(data).expect("the embedded catalogue is tested to parse");
    for (key, entry) in &mut entries {
        name(entry).clone_from(key);
    }
    entries
}
