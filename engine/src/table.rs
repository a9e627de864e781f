//! Parquet in and out. One writer with pinned settings: equal rows give equal bytes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use sbt_schemas::{Row, TableError, TableSpec};

/// Rows per row group and per batch handed to the writer: page cuts follow batch edges.
const ROWS_PER_GROUP: usize = 32_768;
/// Name in the file's metadata that says which table it is.
const TABLE_KEY: &str = "sbt.table";
const VERSION_KEY: &str = "sbt.table_version";

/// A table in memory: one batch, and which table it claims to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Rows.
    pub batch: RecordBatch,
    /// Name of its spec; null for a table of a user's own.
    pub name: Option<String>,
    /// Version of its spec.
    pub version: Option<u32>,
}

/// Why a table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableIoError {
    /// Not Parquet, or damaged.
    #[error("not a readable Parquet table: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow refused.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// Not the table that was expected.
    #[error(transparent)]
    Rows(#[from] TableError),
    /// Made by a newer sbt.
    #[error(
        "table `{table}` has version {found}; this sbt reads up to {known}: made by a newer sbt"
    )]
    Newer {
        /// Table.
        table: String,
        /// Version in the file.
        found: u32,
        /// Version known here.
        known: u32,
    },
}

impl Table {
    /// A table of typed rows.
    ///
    /// # Errors
    /// When Arrow refuses the columns.
    pub fn from_rows<R: Row>(rows: &[R]) -> Result<Self, TableIoError> {
        Ok(Self {
            batch: R::to_batch(rows)?,
            name: Some(R::TABLE.name.to_owned()),
            version: Some(R::TABLE.version),
        })
    }

    /// The typed rows of a table.
    ///
    /// # Errors
    /// When a column is missing or holds what the row cannot, or the table is newer than this
    /// sbt.
    pub fn rows<R: Row>(&self) -> Result<Vec<R>, TableIoError> {
        self.check_version(&R::TABLE)?;
        Ok(R::from_batch(&self.batch)?)
    }

    fn check_version(&self, spec: &TableSpec) -> Result<(), TableIoError> {
        match self.version {
            Some(found) if self.name.as_deref() == Some(spec.name) && found > spec.version => {
                Err(TableIoError::Newer {
                    table: spec.name.to_owned(),
                    found,
                    known: spec.version,
                })
            }
            _ => Ok(()),
        }
    }

    /// Parquet bytes; equal tables give equal bytes.
    ///
    /// # Errors
    /// When a column has a type that Parquet cannot hold.
    pub fn to_parquet(&self) -> Result<Vec<u8>, TableIoError> {
        let properties = WriterProperties::builder()
            .set_created_by("sbt-table 1".to_owned())
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(self.key_values()))
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, self.plain_schema(), Some(properties))?;
        let mut start = 0;
        while start < self.batch.num_rows() {
            let length = ROWS_PER_GROUP.min(self.batch.num_rows() - start);
            let slice = self
                .batch
                .slice(start, length)
                .with_schema(self.plain_schema())?;
            writer.write(&slice)?;
            start += length;
        }
        writer.close()?;
        Ok(bytes)
    }

    fn plain_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.batch.schema().fields().clone()))
    }

    fn key_values(&self) -> Vec<KeyValue> {
        let mut pairs = Vec::new();
        if let Some(name) = &self.name {
            pairs.push(KeyValue::new(TABLE_KEY.to_owned(), name.clone()));
        }
        if let Some(version) = self.version {
            pairs.push(KeyValue::new(VERSION_KEY.to_owned(), version.to_string()));
        }
        pairs
    }

    /// Reads Parquet bytes, of this tool or any other.
    ///
    /// # Errors
    /// When the bytes are not Parquet.
    pub fn from_parquet(bytes: Vec<u8>) -> Result<Self, TableIoError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))?;
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let value = |key: &str| {
            let pair = pairs?.iter().find(|pair| pair.key == key)?;
            pair.value.clone()
        };
        let (name, version) = (value(TABLE_KEY), value(VERSION_KEY));
        let schema = Arc::new(Schema::new(builder.schema().fields().clone()));
        let batches: Vec<RecordBatch> = builder
            .with_batch_size(ROWS_PER_GROUP)
            .build()?
            .map(|batch| batch?.with_schema(Arc::clone(&schema)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            batch: concat_batches(&schema, &batches)?,
            name,
            version: version.and_then(|v| v.parse().ok()),
        })
    }
}
