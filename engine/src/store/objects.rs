use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Cancel, Digest, Memo, StoreError};

/// Newest layout of a store that this code reads and writes.
const FORMAT: u32 = 1;
/// How often a lock that somebody else holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// A store on disk, shared with other processes.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    memo: Arc<Memo>,
    /// Shared by every user of the store, held alone by the collector.
    lock: File,
}

/// Numbers temporary files across all stores of the process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Why an object cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFault {
    /// It is not there.
    Missing,
    /// Its bytes have another digest.
    Corrupt,
}

impl Store {
    /// Opens a store, or makes it.
    ///
    /// # Errors
    /// When it was made by a newer sbt, is being collected, or cannot be written.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        for folder in ["cas", "ac", "trials", "runs", "tmp"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(StoreError::write(&path))?;
        }
        check_format(root)?;
        let path = root.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)
            .map_err(StoreError::write(&path))?;
        let store = Self {
            root: root.to_owned(),
            memo: Arc::new(Memo::open(&root.join("trials"))),
            lock,
        };
        match store.lock.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(store.locked()),
            Err(TryLockError::Error(source)) => return Err(StoreError::Write { path, source }),
        }
        store.sweep();
        Ok(store)
    }

    /// Takes the store for this process alone, for as long as the closure runs.
    pub(crate) fn alone<T>(
        &self,
        act: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path = self.root.join("lock");
        self.lock.unlock().map_err(StoreError::write(&path))?;
        let outcome = match self.lock.try_lock() {
            Ok(()) => act(),
            Err(TryLockError::WouldBlock) => Err(self.locked()),
            Err(TryLockError::Error(source)) => Err(StoreError::Write {
                path: path.clone(),
                source,
            }),
        };
        self.lock.lock_shared().map_err(StoreError::write(&path))?;
        outcome
    }

    fn locked(&self) -> StoreError {
        StoreError::Locked {
            path: self.root.clone(),
            holder: "collecting or running".to_owned(),
        }
    }

    /// Folder of the store.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What each trial gave.
    #[must_use]
    pub fn memo(&self) -> Arc<Memo> {
        Arc::clone(&self.memo)
    }

    /// Path of an object, whether it is there or not.
    #[must_use]
    pub fn object_path(&self, digest: &Digest) -> PathBuf {
        sharded(&self.root.join("cas"), digest)
    }

    /// Stores bytes under their digest.
    ///
    /// # Errors
    /// When the disk does not take them; nothing is left behind then.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.object_path(&digest);
        if self.check(&digest).is_ok() {
            return Ok(digest);
        }
        self.publish(&path, bytes, 0o444)?;
        Ok(digest)
    }

    /// The bytes of an object, checked.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, ObjectFault> {
        let bytes = fs::read(self.object_path(digest)).map_err(|_| ObjectFault::Missing)?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(ObjectFault::Corrupt)
        }
    }

    /// Whether an object is there and whole.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, digest: &Digest) -> Result<u64, ObjectFault> {
        let mut file = File::open(self.object_path(digest)).map_err(|_| ObjectFault::Missing)?;
        let mut hasher = blake3::Hasher::new();
        let size = io::copy(&mut file, &mut hasher).map_err(|_| ObjectFault::Corrupt)?;
        if Digest::finish(&hasher) == *digest {
            Ok(size)
        } else {
            Err(ObjectFault::Corrupt)
        }
    }

    /// Sets a damaged file aside, so that it is made again.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn quarantine(&self, path: &Path) -> Result<(), StoreError> {
        let folder = self.root.join("quarantine");
        fs::create_dir_all(&folder).map_err(StoreError::write(&folder))?;
        let name = path.file_name().unwrap_or_default();
        match fs::rename(path, folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map_err(StoreError::write(path)),
        }
    }

    /// Puts bytes in their place in one step: whoever looks sees all of them or none.
    pub(crate) fn publish(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
        let temporary = self.temporary("object");
        let written = write_file(&temporary, bytes, mode)
            .and_then(|()| path.parent().map_or(Ok(()), fs::create_dir_all))
            .and_then(|()| fs::rename(&temporary, path));
        written.map_err(|source| {
            // The disk is full or gone: what matters is not to leave the fragment.
            let _ = fs::remove_file(&temporary);
            StoreError::Write {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// A path below `tmp/` that nobody else uses.
    pub(crate) fn temporary(&self, purpose: &str) -> PathBuf {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{serial}-{purpose}", std::process::id());
        self.root.join("tmp").join(name)
    }

    /// Makes sure that one process at a time computes a key. `waiting` is told once when another
    /// one is at it. None: a stop was asked for meanwhile.
    pub(crate) fn lock_key(
        &self,
        key: &Digest,
        cancel: &Cancel,
        waiting: impl FnOnce(),
    ) -> Result<Option<File>, StoreError> {
        let path = self.root.join("tmp").join(format!("{key}.lock"));
        let file = File::create(&path).map_err(StoreError::write(&path))?;
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if cancel.is_cancelled() => return Ok(None),
                Err(TryLockError::WouldBlock) => {
                    if let Some(tell) = waiting.take() {
                        tell();
                    }
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::Error(source)) => return Err(StoreError::Write { path, source }),
            }
        }
    }

    /// Removes what killed processes left in `tmp/`. Lock files stay: their inode is the lock.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.root.join("tmp")) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let owner = name
                .to_str()
                .and_then(|name| name.split_once('-')?.0.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                let path = entry.path();
                // Litter that cannot be removed does no harm.
                let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            }
        }
    }
}

fn write_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// `ab/abcdef…` below a folder.
pub(crate) fn sharded(folder: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join(&name[..2]).join(name)
}

fn check_format(root: &Path) -> Result<(), StoreError> {
    let path = root.join("FORMAT");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(&path)
        .map_err(StoreError::write(&path))?;
    let mut text = String::new();
    file.rewind()
        .and_then(|()| file.read_to_string(&mut text))
        .map_err(StoreError::read(&path))?;
    let Some(found) = text.lines().next() else {
        return file
            .write_all(format!("{FORMAT}\n").as_bytes())
            .map_err(StoreError::write(&path));
    };
    match found.trim().parse() {
        Ok(found) if found <= FORMAT => Ok(()),
        found => Err(StoreError::Newer {
            path: root.to_owned(),
            found: found.unwrap_or(u32::MAX),
            known: FORMAT,
        }),
    }
}
