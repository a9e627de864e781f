use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Float64Builder, Int64Array, ListArray,
    ListBuilder, StringArray, UInt64Array, UInt64Builder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use serde_json::json;

use crate::TableError;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Yes or no.
    Bool,
    /// Signed whole number.
    Int,
    /// Whole number.
    UInt,
    /// Real number.
    Float,
    /// UTF-8 text.
    Text,
    /// List of real numbers.
    FloatList,
    /// List of whole numbers.
    UIntList,
}

impl ColumnType {
    /// The Arrow type that stores it.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::UInt => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::FloatList => list_of(DataType::Float64),
            Self::UIntList => list_of(DataType::UInt64),
        }
    }

    pub(crate) fn json(self, nullable: bool) -> serde_json::Value {
        let name = match self {
            Self::Bool => "boolean",
            Self::Int | Self::UInt => "integer",
            Self::Float => "number",
            Self::Text => "string",
            Self::FloatList | Self::UIntList => "array",
        };
        if nullable {
            json!([name, "null"])
        } else {
            json!(name)
        }
    }

    pub(crate) fn json_items(self) -> Option<&'static str> {
        match self {
            Self::FloatList => Some("number"),
            Self::UIntList => Some("integer"),
            Self::Bool | Self::Int | Self::UInt | Self::Float | Self::Text => None,
        }
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// A single value, for expressions and printing.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Missing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    Text(String),
}

/// A Rust type that can stand in a row.
pub trait Value: Sized {
    /// Column type.
    const TYPE: ColumnType;
    /// Whether it may be missing.
    const NULLABLE: bool = false;

    /// A column of these values.
    fn to_array(values: Vec<&Self>) -> ArrayRef;

    /// The values of a column that already has [`Value::TYPE`].
    ///
    /// # Errors
    /// When a null or an unknown word stands where none may.
    fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError>;

    /// The value on its own; lists have no cell.
    fn cell(&self) -> Cell;
}

/// Brings a column to the type that the row wants, losslessly or not at all.
pub(crate) fn conform(
    column: &str,
    array: &ArrayRef,
    kind: ColumnType,
) -> Result<ArrayRef, TableError> {
    let wanted = kind.arrow();
    if *array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    let wrong = || TableError::WrongType {
        column: column.to_owned(),
        expected: wanted.to_string(),
        found: array.data_type().to_string(),
    };
    let numeric_to_text = array.data_type().is_numeric() && kind == ColumnType::Text;
    if numeric_to_text {
        return Err(wrong());
    }
    let cast = cast(array, &wanted).map_err(|_| wrong())?;
    if cast.null_count() == array.null_count() {
        Ok(cast)
    } else {
        Err(wrong())
    }
}

fn typed<'a, A: Array + 'static>(column: &str, array: &'a ArrayRef) -> Result<&'a A, TableError> {
    array
        .as_any()
        .downcast_ref::<A>()
        .ok_or_else(|| TableError::WrongType {
            column: column.to_owned(),
            expected: std::any::type_name::<A>().to_owned(),
            found: array.data_type().to_string(),
        })
}

fn null_at(column: &str, row: usize) -> TableError {
    TableError::UnexpectedNull {
        column: column.to_owned(),
        row,
    }
}

macro_rules! primitive {
    ($rust:ty, $kind:ident, $array:ty, $store:ty, $cell:expr) => {
        impl Value for $rust {
            const TYPE: ColumnType = ColumnType::$kind;

            fn to_array(values: Vec<&Self>) -> ArrayRef {
                Arc::new(<$array>::from_iter(
                    values.into_iter().map(|v| Some(v.clone() as $store)),
                ))
            }

            fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError> {
                typed::<$array>(column, array)?
                    .iter()
                    .enumerate()
                    .map(|(row, v)| v.map(|v| v as $rust).ok_or_else(|| null_at(column, row)))
                    .collect()
            }

            fn cell(&self) -> Cell {
                ($cell)(self)
            }
        }

        impl Value for Option<$rust> {
            const TYPE: ColumnType = ColumnType::$kind;
            const NULLABLE: bool = true;

            fn to_array(values: Vec<&Self>) -> ArrayRef {
                Arc::new(<$array>::from_iter(
                    values.into_iter().map(|v| v.map(|v| v as $store)),
                ))
            }

            fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError> {
                let array = typed::<$array>(column, array)?;
                Ok(array.iter().map(|v| v.map(|v| v as $rust)).collect())
            }

            fn cell(&self) -> Cell {
                self.as_ref().map_or(Cell::Null, Value::cell)
            }
        }
    };
}

primitive!(f64, Float, Float64Array, f64, |v: &f64| Cell::Number(*v));
primitive!(u64, UInt, UInt64Array, u64, |v: &u64| Cell::Number(
    *v as f64
));
primitive!(i64, Int, Int64Array, i64, |v: &i64| Cell::Number(*v as f64));
primitive!(bool, Bool, BooleanArray, bool, |v: &bool| Cell::Bool(*v));

/// Words as text columns: `String` and the closed vocabularies.
pub(crate) fn words_to_array<'a>(words: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(words))
}

pub(crate) fn words_from_array(
    column: &str,
    array: &ArrayRef,
) -> Result<Vec<Option<String>>, TableError> {
    let array = typed::<StringArray>(column, array)?;
    Ok(array.iter().map(|v| v.map(str::to_owned)).collect())
}

pub(crate) fn present<T>(column: &str, values: Vec<Option<T>>) -> Result<Vec<T>, TableError> {
    values
        .into_iter()
        .enumerate()
        .map(|(row, v)| v.ok_or_else(|| null_at(column, row)))
        .collect()
}

impl Value for String {
    const TYPE: ColumnType = ColumnType::Text;

    fn to_array(values: Vec<&Self>) -> ArrayRef {
        words_to_array(values.into_iter().map(|v| Some(v.as_str())))
    }

    fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError> {
        present(column, words_from_array(column, array)?)
    }

    fn cell(&self) -> Cell {
        Cell::Text(self.clone())
    }
}

impl Value for Option<String> {
    const TYPE: ColumnType = ColumnType::Text;
    const NULLABLE: bool = true;

    fn to_array(values: Vec<&Self>) -> ArrayRef {
        words_to_array(values.into_iter().map(Option::as_deref))
    }

    fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError> {
        words_from_array(column, array)
    }

    fn cell(&self) -> Cell {
        self.clone().map_or(Cell::Null, Cell::Text)
    }
}

macro_rules! list {
    ($item:ty, $kind:ident, $builder:ty, $array:ty) => {
        impl Value for Vec<$item> {
            const TYPE: ColumnType = ColumnType::$kind;

            fn to_array(values: Vec<&Self>) -> ArrayRef {
                let mut builder = ListBuilder::new(<$builder>::new());
                for value in values {
                    builder.values().append_slice(value);
                    builder.append(true);
                }
                Arc::new(builder.finish())
            }

            fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError> {
                typed::<ListArray>(column, array)?
                    .iter()
                    .enumerate()
                    .map(|(row, list)| {
                        let list = list.ok_or_else(|| null_at(column, row))?;
                        Ok(typed::<$array>(column, &list)?.values().to_vec())
                    })
                    .collect()
            }

            fn cell(&self) -> Cell {
                Cell::Null
            }
        }
    };
}

list!(f64, FloatList, Float64Builder, Float64Array);
list!(u64, UIntList, UInt64Builder, UInt64Array);
