use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::record::{Record, csv_records};
use super::{Recorded, Request, TraceError};

/// Reads an Azure LLM inference trace (AzurePublicDataset, 2023 and later): UTC times with up to
/// nine digits, tokens of prompt and answer.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Recorded, TraceError> {
    let records = csv_records(file, bytes)?;
    let time = records.header.need("TIMESTAMP")?;
    let prompt = records.header.need("ContextTokens")?;
    let output = records.header.need("GeneratedTokens")?;
    let mut origin = None;
    let requests = records.rows.map(|record| {
        let record = record?;
        let at = timestamp(record.text(time)).ok_or_else(|| not_a_time(&record, time))?;
        let since: SignedDuration = at.duration_since(*origin.get_or_insert(at));
        Ok(Request {
            arrival_s: since.as_secs_f64(),
            prompt_tokens: record.whole(prompt)?,
            output_tokens: record.whole(output)?,
            category: "azure".to_owned(),
            ..Request::default()
        })
    });
    Ok(Recorded::new(file, requests.collect::<Result<_, _>>()?))
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let utc = |time: DateTime| {
        time.to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    text.parse().ok().or_else(|| utc(text.parse().ok()?))
}

fn not_a_time(record: &Record, column: super::record::Column) -> TraceError {
    record.unexpected(column, "a time such as `2023-11-16 18:15:46.6805900`")
}
