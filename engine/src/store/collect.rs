use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::store::manifest::Manifest;
use crate::{Digest, ObjectFault, Store, StoreError};

/// One stored result.
#[derive(Debug, Clone, Serialize)]
pub struct CacheEntry {
    /// Key.
    pub key: Digest,
    /// Pipeline that made it first.
    pub pipeline: String,
    /// Stage that made it first.
    pub stage: String,
    /// Kind of the stage.
    pub kind: String,
    /// Bytes of its objects, shared ones included.
    pub bytes: u64,
    /// Seconds since it was made.
    pub age_s: u64,
}

/// What a check of every file found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verified {
    /// Objects and manifests looked at.
    pub checked: u64,
    /// Files that are damaged.
    pub damaged: Vec<PathBuf>,
}

/// What a collection removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Collected {
    /// Results removed.
    pub manifests: u64,
    /// Objects removed.
    pub objects: u64,
    /// Bytes freed.
    pub bytes: u64,
    /// Bytes that remain.
    pub remaining: u64,
}

/// A manifest on disk.
struct Found {
    path: PathBuf,
    manifest: Manifest,
    age: Duration,
}

impl Store {
    /// Every stored result, newest first.
    #[must_use]
    pub fn entries(&self) -> Vec<CacheEntry> {
        let entries = self.found().into_iter().map(|found| CacheEntry {
            bytes: found
                .manifest
                .objects()
                .map(|digest| self.size(&digest))
                .sum(),
            key: found.manifest.key,
            pipeline: found.manifest.pipeline,
            stage: found.manifest.stage,
            kind: found.manifest.kind,
            age_s: found.age.as_secs(),
        });
        entries.collect()
    }

    /// Hashes every object and manifest; with `fix`, sets the damaged ones aside.
    ///
    /// # Errors
    /// When a damaged file cannot be moved.
    pub fn verify(&self, fix: bool) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        for path in files(&self.root().join("cas")) {
            verified.checked += 1;
            let digest = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            let whole =
                digest.is_some_and(|digest| self.check(&digest) != Err(ObjectFault::Corrupt));
            if !whole {
                verified.damaged.push(path);
            }
        }
        for path in files(&self.root().join("ac")) {
            verified.checked += 1;
            let whole = fs::read(&path).is_ok_and(|bytes| Manifest::from_bytes(&bytes).is_some());
            if !whole {
                verified.damaged.push(path);
            }
        }
        if fix {
            for path in &verified.damaged {
                self.quarantine(path)?;
            }
        }
        Ok(verified)
    }

    /// Removes results that are older than `keep` and not among `roots`, then the oldest until
    /// the rest fits `max_size`. Manifests go before objects, so that none names what is gone;
    /// trial journals stay.
    ///
    /// # Errors
    /// When another process uses the store, or a file cannot be removed.
    pub fn collect(
        &self,
        roots: &BTreeSet<Digest>,
        keep: Duration,
        max_size: Option<u64>,
    ) -> Result<Collected, StoreError> {
        self.alone(|| {
            let mut found = self.found();
            let mut collected = Collected::default();
            let mut kept = Vec::new();
            for entry in found.drain(..) {
                if entry.age <= keep || roots.contains(&entry.manifest.key) {
                    kept.push(entry);
                } else {
                    remove_manifest(&entry, &mut collected)?;
                }
            }
            if let Some(limit) = max_size {
                self.shrink(&mut kept, limit, roots, &mut collected)?;
            }
            self.remove_unnamed(&kept, &mut collected)?;
            Ok(collected)
        })
    }

    /// Gives up the oldest results that are no roots until the rest fits. `kept` is sorted newest
    /// first.
    fn shrink(
        &self,
        kept: &mut Vec<Found>,
        limit: u64,
        roots: &BTreeSet<Digest>,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        while self.size_of(kept) > limit {
            let oldest = kept
                .iter()
                .rposition(|found| !roots.contains(&found.manifest.key));
            let Some(oldest) = oldest else {
                return Ok(());
            };
            remove_manifest(&kept.remove(oldest), collected)?;
        }
        Ok(())
    }

    fn size_of(&self, kept: &[Found]) -> u64 {
        named(kept).iter().map(|digest| self.size(digest)).sum()
    }

    fn remove_unnamed(&self, kept: &[Found], collected: &mut Collected) -> Result<(), StoreError> {
        let named = named(kept);
        for path in files(&self.root().join("cas")) {
            let size = fs::metadata(&path).map_or(0, |file| file.len());
            let digest = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            if digest.is_some_and(|digest: Digest| named.contains(&digest)) {
                collected.remaining += size;
                continue;
            }
            fs::remove_file(&path).map_err(StoreError::write(&path))?;
            collected.objects += 1;
            collected.bytes += size;
        }
        Ok(())
    }

    fn size(&self, digest: &Digest) -> u64 {
        fs::metadata(self.object_path(digest)).map_or(0, |file| file.len())
    }

    /// Every whole manifest, newest first.
    fn found(&self) -> Vec<Found> {
        #[expect(
            clippy::disallowed_methods,
            reason = "ages count from the files' own times"
        )]
        let now = SystemTime::now();
        let mut found: Vec<Found> = files(&self.root().join("ac"))
            .into_iter()
            .filter_map(|path| {
                let manifest = Manifest::from_bytes(&fs::read(&path).ok()?)?;
                let made = fs::metadata(&path).ok()?.modified().ok()?;
                Some(Found {
                    age: now.duration_since(made).unwrap_or_default(),
                    path,
                    manifest,
                })
            })
            .collect();
        found.sort_by(|a, b| (a.age, &a.path).cmp(&(b.age, &b.path)));
        found
    }
}

fn named(kept: &[Found]) -> BTreeSet<Digest> {
    kept.iter()
        .flat_map(|found| found.manifest.objects())
        .collect()
}

fn remove_manifest(found: &Found, collected: &mut Collected) -> Result<(), StoreError> {
    fs::remove_file(&found.path).map_err(StoreError::write(&found.path))?;
    collected.manifests += 1;
    Ok(())
}

/// Files two levels below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut files: Vec<PathBuf> = entries(folder)
        .iter()
        .flat_map(|shard| entries(shard))
        .collect();
    files.sort();
    files
}
