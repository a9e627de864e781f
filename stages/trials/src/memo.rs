//! How trials stand in the memo: the row under the trial's key, its tables under keys of their
//! own, since most askers need the row alone.

use sbt_engine::{Digest, Durability, Memo, StageError, Table, TableIoError};
use sbt_schemas::{Row, TrialRow};
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
    put(memo, key, &json!(row), durability)
}

/// Rows of one of a trial's tables, when they were kept.
pub(crate) fn rows<R: Row>(memo: &Memo, key: &Digest) -> Result<Option<Vec<R>>, StageError> {
    let value = memo.get(&rows_key::<R>(key))?;
    let bytes = value.as_ref().and_then(Value::as_str).and_then(from_hex);
    Ok(bytes.and_then(|bytes| Table::from_parquet(bytes).ok()?.rows().ok()))
}

/// Keeps rows as Parquet: the gaps between tokens repeat across requests, and pack well.
pub(crate) fn put_rows<R: Row>(
    memo: &Memo,
    key: Digest,
    rows: &[R],
    durability: Durability,
) -> Result<(), StageError> {
    let packed = Table::from_rows(rows).and_then(|table| table.to_parquet());
    let packed = packed.map_err(|source: TableIoError| StageError::Table {
        what: format!("{} of trial {}", R::TABLE.name, key.short()),
        source,
    })?;
    Ok(memo.put(
        rows_key::<R>(&key),
        &Value::String(hex(&packed)),
        durability,
    )?)
}

/// What was computed stays, as it would be the same again; what was measured again counts.
fn put(memo: &Memo, key: Digest, value: &Value, durability: Durability) -> Result<(), StageError> {
    match durability {
        Durability::Process => memo.put(key, value, durability)?,
        Durability::Power => memo.replace(key, value, durability)?,
    }
    Ok(())
}

fn rows_key<R: Row>(key: &Digest) -> Digest {
    Digest::of_value(&format!("sbt-trial-{}-v1", R::TABLE.name), &json!(key))
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

    use sbt_schemas::RequestRow;

    use super::{put_rows, rows};
    use crate::samples::request;

    #[test]
    fn requests_come_back_as_they_were_kept() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = StageContext::for_test(dir.path());
        let key = Digest::of(b"trial");
        assert_eq!(rows::<RequestRow>(&ctx.memo, &key).unwrap(), None);
        let kept = [
            request(0, 0.0, 0.1, 1.0 / 3.0, 7),
            request(1, 0.5, 0.2, 2.0, 50),
        ];
        put_rows(&ctx.memo, key, &kept, Durability::Process).unwrap();
        let found: Vec<RequestRow> = rows(&ctx.memo, &key).unwrap().unwrap();
        assert_eq!(found, kept);
    }
}
