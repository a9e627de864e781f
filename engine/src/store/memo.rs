use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;

/// Hex digits of the checksum that leads each record.
const CHECKSUM_DIGITS: usize = 16;

/// How soon a record must survive what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process: for results that are cheap to compute again.
    Process,
    /// The loss of power: for trials on real servers, which cost GPU minutes.
    Power,
}

/// What each trial gave, one record per trial, in append-only journals.
///
/// A record is `<16 hex of blake3(payload)> <payload JSON>\n`, written by one `write(2)` on an
/// `O_APPEND` handle: a torn tail is recognised by its checksum and left aside.
#[derive(Debug)]
pub struct Memo {
    dir: PathBuf,
    shards: Mutex<BTreeMap<String, Shard>>,
}

#[derive(Debug)]
struct Shard {
    known: BTreeMap<Digest, Value>,
    journal: Option<File>,
    damaged: u64,
    /// Bytes of the journal that were read: whole lines.
    read: u64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    key: Digest,
    value: Value,
}

/// Why the memo could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("trial journal {}", path.display())]
pub struct MemoError {
    /// The journal.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl Memo {
    /// The journals in a folder, which is made when the first record is put.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            shards: Mutex::new(BTreeMap::new()),
        }
    }

    /// What is known under a key.
    ///
    /// # Errors
    /// When the journal exists and cannot be read.
    pub fn get(&self, key: &Digest) -> Result<Option<Value>, MemoError> {
        self.with_shard(key, |shard, path| {
            if !shard.known.contains_key(key) {
                // Another process may have put it meanwhile.
                shard.catch_up(path)?;
            }
            Ok(shard.known.get(key).cloned())
        })
    }

    /// Remembers a value under a key; the first value put stays.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn put(&self, key: Digest, value: &Value, durability: Durability) -> Result<(), MemoError> {
        self.with_shard(&key, |shard, path| {
            if shard.known.contains_key(&key) {
                return Ok(());
            }
            append(shard, path, &record_line(key, value)?, durability)?;
            shard.known.insert(key, value.clone());
            Ok(())
        })
    }

    /// Remembers a value under a key in the place of any before.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn replace(
        &self,
        key: Digest,
        value: &Value,
        durability: Durability,
    ) -> Result<(), MemoError> {
        self.with_shard(&key, |shard, path| {
            append(shard, path, &record_line(key, value)?, durability)?;
            shard.known.insert(key, value.clone());
            Ok(())
        })
    }

    /// Records left aside because their checksum is wrong, in the shards read so far.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.values().map(|shard| shard.damaged).sum()
    }

    fn with_shard<T>(
        &self,
        key: &Digest,
        act: impl FnOnce(&mut Shard, &Path) -> io::Result<T>,
    ) -> Result<T, MemoError> {
        let name = key.to_string()[..2].to_owned();
        let path = self.dir.join(format!("{name}.log"));
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match shards.entry(name) {
            std::collections::btree_map::Entry::Occupied(shard) => act(shard.into_mut(), &path),
            std::collections::btree_map::Entry::Vacant(place) => {
                replay(&path).and_then(|shard| act(place.insert(shard), &path))
            }
        };
        outcome.map_err(|source| MemoError { path, source })
    }
}

fn record_line(key: Digest, value: &Value) -> io::Result<String> {
    let payload = serde_json::to_string(&Record {
        key,
        value: value.clone(),
    })?;
    Ok(format!("{} {payload}\n", checksum(payload.as_bytes())))
}

fn checksum(payload: &[u8]) -> String {
    Digest::of(payload).to_string()[..CHECKSUM_DIGITS].to_owned()
}

fn append(shard: &mut Shard, path: &Path, line: &str, durability: Durability) -> io::Result<()> {
    if shard.journal.is_none() {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut journal = OpenOptions::new().create(true).append(true).open(path)?;
        // A torn tail must not swallow the next record.
        if journal.metadata()?.len() > 0 && !fs::read(path)?.ends_with(b"\n") {
            journal.write_all(b"\n")?;
        }
        shard.journal = Some(journal);
    }
    let journal = shard.journal.as_mut().expect("opened above");
    journal.write_all(line.as_bytes())?;
    match durability {
        Durability::Process => Ok(()),
        Durability::Power => journal.sync_data(),
    }
}

fn replay(path: &Path) -> io::Result<Shard> {
    let mut shard = Shard {
        known: BTreeMap::new(),
        journal: None,
        damaged: 0,
        read: 0,
    };
    shard.catch_up(path)?;
    Ok(shard)
}

impl Shard {
    /// Reads what was appended since the last time, as far as its lines are whole.
    fn catch_up(&mut self, path: &Path) -> io::Result<()> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() <= self.read {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Some(end) = bytes.iter().rposition(|b| *b == b'\n') else {
            return Ok(());
        };
        let lines = bytes[..end].split(|b| *b == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            match parse_record(line) {
                Some(record) => {
                    self.known.insert(record.key, record.value);
                }
                None => self.damaged += 1,
            }
        }
        self.read += end as u64 + 1;
        Ok(())
    }
}

fn parse_record(line: &[u8]) -> Option<Record> {
    let (sum, payload) = line.split_at_checked(CHECKSUM_DIGITS)?;
    let payload = payload.strip_prefix(b" ")?;
    (checksum(payload).as_bytes() == sum)
        .then(|| serde_json::from_slice(payload).ok())
        .flatten()
}
