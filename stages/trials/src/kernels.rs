use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use sbt_simulator::KernelTables;

/// Reads measured kernels from a folder of CSV files, with a folder `tpN` for each
/// tensor-parallel size N, or from one such `tpN`.
///
/// # Errors
/// With the folder, and what is missing or malformed.
pub fn kernel_tables(folder: &Path) -> Result<KernelTables, String> {
    let failed = |problem: String| format!("kernel tables of {}: {problem}", folder.display());
    let texts = texts(folder).map_err(|error| failed(error.to_string()))?;
    KernelTables::parse(&texts).map_err(|error| failed(error.to_string()))
}

/// Texts of the CSV files in a folder and in its `tpN`, by path from the folder.
fn texts(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = name(&path);
        if path.is_dir() && name.starts_with("tp") {
            for entry in fs::read_dir(&path)? {
                add(&mut texts, &format!("{name}/"), &entry?.path())?;
            }
        } else {
            add(&mut texts, "", &path)?;
        }
    }
    Ok(texts)
}

fn add(texts: &mut BTreeMap<String, String>, within: &str, path: &Path) -> io::Result<()> {
    if path.extension().is_some_and(|extension| extension == "csv") {
        texts.insert(format!("{within}{}", name(path)), fs::read_to_string(path)?);
    }
    Ok(())
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_without_tables_is_named_with_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        let message = kernel_tables(dir.path()).unwrap_err();
        let folder = dir.path().display().to_string();
        assert!(message.contains(&folder) && message.contains("`dense.csv` is missing"));
        fs::create_dir(dir.path().join("tp2")).unwrap();
        fs::write(
            dir.path().join("tp2/dense.csv"),
            "layer,tokens,time_us\nx,1,oops\n",
        )
        .unwrap();
        let message = kernel_tables(dir.path()).unwrap_err();
        assert!(message.contains("tp2/dense.csv"), "{message}");
        let nowhere = kernel_tables(&dir.path().join("nowhere")).unwrap_err();
        assert!(nowhere.contains("nowhere"), "{nowhere}");
    }
}
