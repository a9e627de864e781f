//! How trials stand in the memo: the row under the trial's key, its requests under a key of
//! their own, since most askers need the row alone.

use sbt_engine::{Digest, Durability, Memo, StageError, Table, TableIoError};
use sbt_schemas::{RequestRow, TrialRow};
use serde_json::{Value, json};

/// The row of a trial that is known and readable.
pub(crate) fn trial(memo: &Memo, key: &Digest) -> Result<Option<TrialRow>, StageError> {
    let value = memo.get(key)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

pub(crate) fn put_trial(
    memo: &Memo,
    key: Digest,
    row: &TrialRow,
    durability: Durability,
) -> Result<(), StageError> {
    Ok(memo.put(key, &json!(row), durability)?)
}

/// The requests of a trial, when they were kept.
pub(crate) fn requests(memo: &Memo, key: &Digest) -> Result<Option<Vec<RequestRow>>, StageError> {
    let value = memo.get(&requests_key(key))?;
    let bytes = value.as_ref().and_then(Value::as_str).and_then(from_hex);
    Ok(bytes.and_then(|bytes| Table::from_parquet(bytes).ok()?.rows().ok()))
}

/// Keeps the requests as Parquet: the gaps between tokens repeat across requests, and pack well.
pub(crate) fn put_requests(
    memo: &Memo,
    key: Digest,
    requests: &[RequestRow],
    durability: Durability,
) -> Result<(), StageError> {
    let packed = Table::from_rows(requests).and_then(|table| table.to_parquet());
    let packed = packed.map_err(|source: TableIoError| StageError::Table {
        what: format!("requests of trial {}", key.short()),
        source,
    })?;
    Ok(memo.put(requests_key(&key), &Value::String(hex(&packed)), durability)?)
}

fn requests_key(key: &Digest) -> Digest {
    Digest::of_value("sbt-trial-requests-v1", &json!(key))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| DIGITS[usize::from(digit)] as char)
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use sbt_engine::{Digest, Durability, StageContext};

    use super::{put_requests, requests};
    use crate::samples::request;

    #[test]
    fn requests_come_back_as_they_were_kept() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = StageContext::for_test(dir.path());
        let key = Digest::of(b"trial");
        assert_eq!(requests(&ctx.memo, &key).unwrap(), None);
        let rows = [
            request(0, 0.0, 0.1, 1.0 / 3.0, 7),
            request(1, 0.5, 0.2, 2.0, 50),
        ];
        put_requests(&ctx.memo, key, &rows, Durability::Process).unwrap();
        assert_eq!(requests(&ctx.memo, &key).unwrap().unwrap(), rows);
    }
}
