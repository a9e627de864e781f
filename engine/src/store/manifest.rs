use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::objects::sharded;
use crate::{Digest, ObjectFault, Store, StoreError};

/// What a stage gave under a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The key.
    pub key: Digest,
    /// Pipeline that made it first.
    pub pipeline: String,
    /// Stage instance that made it first.
    pub stage: String,
    /// Kind of the stage.
    pub kind: String,
    /// What the key was made of, so that a later key can be compared.
    pub components: Value,
    /// Outputs by name.
    pub outputs: BTreeMap<String, StoredOutput>,
    /// When it was measured, RFC 3339 UTC; null for what is computed.
    pub measured_at: Option<String>,
    /// Wall time that it took.
    pub took_s: f64,
}

/// One output in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StoredOutput {
    /// A Parquet table.
    Table {
        /// Object.
        digest: Digest,
        /// Rows.
        rows: u64,
        /// Name of its spec, when it has one.
        table: Option<String>,
    },
    /// One file.
    File {
        /// Object.
        digest: Digest,
    },
    /// A folder: objects by path.
    Folder {
        /// Objects.
        files: BTreeMap<String, Digest>,
    },
}

impl StoredOutput {
    /// Identity of the whole output.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Table { digest, .. } | Self::File { digest } => *digest,
            Self::Folder { files } => {
                let files = serde_json::to_value(files).expect("a map of digests is JSON");
                Digest::of_value("sbt-folder-v1", &files)
            }
        }
    }

    /// Every object that it consists of.
    #[must_use]
    pub fn objects(&self) -> Vec<Digest> {
        match self {
            Self::Table { digest, .. } | Self::File { digest } => vec![*digest],
            Self::Folder { files } => files.values().copied().collect(),
        }
    }
}

impl Manifest {
    fn to_bytes(&self) -> Vec<u8> {
        let text = serde_json::to_string(self).expect("a manifest is JSON");
        format!("{text}\n{}\n", Digest::of(text.as_bytes())).into_bytes()
    }

    /// A manifest whose checksum holds.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (text, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let sum: Digest = sum.parse().ok()?;
        (Digest::of(text.as_bytes()) == sum)
            .then(|| serde_json::from_str(text).ok())
            .flatten()
    }

    /// Every object that it names.
    pub fn objects(&self) -> impl Iterator<Item = Digest> {
        self.outputs.values().flat_map(StoredOutput::objects)
    }
}

impl Store {
    /// Path of a manifest, whether it is there or not.
    #[must_use]
    pub fn manifest_path(&self, key: &Digest) -> PathBuf {
        sharded(&self.root().join("ac"), key)
    }

    /// The manifest under a key.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn manifest(&self, key: &Digest) -> Result<Manifest, ObjectFault> {
        let bytes = fs::read(self.manifest_path(key)).map_err(|_| ObjectFault::Missing)?;
        match Manifest::from_bytes(&bytes) {
            Some(manifest) if manifest.key == *key => Ok(manifest),
            Some(_) | None => Err(ObjectFault::Corrupt),
        }
    }

    /// Makes a result known. Its objects must be stored already.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.publish(
            &self.manifest_path(&manifest.key),
            &manifest.to_bytes(),
            0o444,
        )
    }
}
