use arrow::array::RecordBatch;

use crate::{Cell, TableError, TableSpec};

/// A row type: the one truth about a table.
pub trait Row: Sized + Clone {
    /// The table that it is a row of.
    const TABLE: TableSpec;

    /// One batch of these rows, in the order given.
    ///
    /// # Errors
    /// When Arrow refuses the columns, which cannot happen for rows of one type.
    fn to_batch(rows: &[Self]) -> Result<RecordBatch, TableError>;

    /// The rows of a batch. Columns may stand in any order; unknown ones are left aside; a
    /// missing nullable column reads as null, so that older tables stay readable.
    ///
    /// # Errors
    /// When a column is missing or holds what the row cannot.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, TableError>;

    /// The value of a column by its name, for expressions.
    fn cell(&self, column: &str) -> Option<Cell>;
}

/// Declares a row type and everything that follows from it.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        table $table:literal version $version:literal key [$($key:ident),+];
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ pub $field:ident: $ty:ty, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $ty, )+
        }

        impl $crate::Row for $name {
            const TABLE: $crate::TableSpec = $crate::TableSpec {
                name: $table,
                version: $version,
                about: concat!($($about),+).trim_ascii(),
                key: &[$(stringify!($key)),+],
                columns: &[$(
                    $crate::Column {
                        name: stringify!($field),
                        kind: <$ty as $crate::Value>::TYPE,
                        nullable: <$ty as $crate::Value>::NULLABLE,
                        about: concat!($($doc),+).trim_ascii(),
                    },
                )+],
            };

            fn to_batch(
                rows: &[Self],
            ) -> Result<arrow::array::RecordBatch, $crate::TableError> {
                let columns = vec![$(
                    <$ty as $crate::Value>::to_array(rows.iter().map(|r| &r.$field).collect()),
                )+];
                Ok(arrow::array::RecordBatch::try_new(Self::TABLE.arrow_schema(), columns)?)
            }

            fn from_batch(
                batch: &arrow::array::RecordBatch,
            ) -> Result<Vec<Self>, $crate::TableError> {
                $(
                    let mut $field =
                        $crate::row::column::<$ty>($table, batch, stringify!($field))?.into_iter();
                )+
                Ok((0..batch.num_rows())
                    .map(|_| Self {
                        $( $field: $field.next().expect("a column has as many values as its batch rows"), )+
                    })
                    .collect())
            }

            fn cell(&self, column: &str) -> Option<$crate::Cell> {
                match column {
                    $( stringify!($field) => Some($crate::Value::cell(&self.$field)), )+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use table;

/// Values of one column of a batch, or nulls where an optional column is absent.
pub(crate) fn column<T: crate::Value>(
    table: &'static str,
    batch: &RecordBatch,
    name: &'static str,
) -> Result<Vec<T>, TableError> {
    match batch.column_by_name(name) {
        Some(array) => T::from_array(name, &crate::value::conform(name, array, T::TYPE)?),
        None if T::NULLABLE => {
            let nulls = arrow::array::new_null_array(&T::TYPE.arrow(), batch.num_rows());
            T::from_array(name, &nulls)
        }
        None => Err(TableError::MissingColumn {
            table,
            column: name,
        }),
    }
}
