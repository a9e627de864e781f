use super::record::csv_records;
use super::{Recorded, Request, TraceError};

/// Reads a BurstGPT trace (HPMLL/BurstGPT). `Session ID` and `Elapsed time` are in its later
/// releases only; a failed request has 0 response tokens.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Recorded, TraceError> {
    let records = csv_records(file, bytes)?;
    let time = records.header.need("Timestamp")?;
    let prompt = records.header.need("Request tokens")?;
    let output = records.header.need("Response tokens")?;
    let kind = records.header.find("Log Type");
    let session = records.header.find("Session ID");
    let elapsed = records.header.find("Elapsed time");
    let requests = records.rows.map(|record| {
        let record = record?;
        let session = session.map(|column| record.text(column));
        let elapsed = elapsed.filter(|column| !record.text(*column).is_empty());
        Ok(Request {
            arrival_s: record.number(time)?,
            prompt_tokens: record.whole(prompt)?,
            output_tokens: record.whole(output)?,
            session: session.filter(|id| !id.is_empty()).map(str::to_owned),
            duration_s: elapsed.map_or(Ok(0.0), |column| record.number(column))?,
            category: kind
                .map_or("burstgpt", |column| record.text(column))
                .to_owned(),
            ..Request::default()
        })
    });
    Ok(Recorded::new(file, requests.collect::<Result<_, _>>()?))
}
