use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::record::{csv_records, parquet_records};
use super::{Recorded, ServeGen, TraceError, azure, burstgpt, columns, mooncake};
use crate::params::{TraceFormat, WorkloadParams};

/// Where requests come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A recording.
    Recorded(Recorded),
    /// A fitted model.
    Fitted(ServeGen),
}

/// A file that may be compressed, and what to call it.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Content {
    /// Reads a file; gzip is told from its first bytes, not its name.
    pub(crate) fn open(name: &str, path: &std::path::Path) -> Result<Self, TraceError> {
        let failed = |source| TraceError::Read {
            file: name.to_owned(),
            source,
        };
        let mut bytes = std::fs::read(path).map_err(failed)?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            let mut decoder = MultiGzDecoder::new(bytes.as_slice());
            decoder.read_to_end(&mut plain).map_err(failed)?;
            bytes = plain;
        }
        Ok(Self {
            name: name.to_owned(),
            bytes,
        })
    }
}

/// Reads a trace, and for ServeGen its length distributions.
pub(crate) fn read(
    trace: &Content,
    lengths: Option<&Content>,
    params: &WorkloadParams,
) -> Result<Source, TraceError> {
    let file = trace.name.as_str();
    let recorded = match format(trace, params)? {
        TraceFormat::Mooncake => mooncake::read(file, &trace.bytes, params.block_tokens)?,
        TraceFormat::Azure => azure::read(file, &trace.bytes)?,
        TraceFormat::Burstgpt => burstgpt::read(file, &trace.bytes)?,
        TraceFormat::Parquet => columns::read(
            file,
            parquet_records(file, trace.bytes.clone())?,
            &params.columns,
        )?,
        TraceFormat::Csv | TraceFormat::Auto => {
            columns::read(file, csv_records(file, &trace.bytes)?, &params.columns)?
        }
        TraceFormat::Servegen => {
            let lengths = lengths.ok_or_else(|| TraceError::File {
                file: file.to_owned(),
                problem: "is a ServeGen trace, which has rates only: name the file of its length distributions as `lengths`".to_owned(),
            })?;
            return ServeGen::read(trace, lengths, &params.lengths_category).map(Source::Fitted);
        }
    };
    Ok(Source::Recorded(recorded))
}

fn format(trace: &Content, params: &WorkloadParams) -> Result<TraceFormat, TraceError> {
    if params.trace_format != TraceFormat::Auto {
        return Ok(params.trace_format);
    }
    if trace.bytes.starts_with(b"PAR1") {
        return Ok(TraceFormat::Parquet);
    }
    if trace.bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(TraceFormat::Mooncake);
    }
    let header = csv_records(&trace.name, &trace.bytes)?.header;
    let marks = [
        ("ContextTokens", TraceFormat::Azure),
        ("Response tokens", TraceFormat::Burstgpt),
        ("pattern", TraceFormat::Servegen),
    ];
    let known = marks
        .iter()
        .find(|(column, _)| header.find(column).is_some());
    Ok(known.map_or(TraceFormat::Csv, |(_, format)| *format))
}
