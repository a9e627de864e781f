//! Tables between arrow, which owns files and schemas, and polars, which queries. The C data
//! interface is the contract: buffers change hands and nothing is copied.
#![expect(
    unsafe_code,
    reason = "the C data interface hands structs over by their layout"
)]

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, make_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::prelude::{Column, CompatLevel, DataFrame, Series};
use polars_arrow::ffi::{
    ArrowArray, ArrowSchema, export_array_to_c, export_field_to_c, import_array_from_c,
    import_field_from_c,
};

// Both crates declare the structs of the same specification.
const _: () = assert!(size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>());
const _: () = assert!(size_of::<FFI_ArrowSchema>() == size_of::<ArrowSchema>());

/// A batch as a data frame.
pub(crate) fn to_polars(batch: &RecordBatch) -> Result<DataFrame, String> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let (array, schema) = to_ffi(&array.to_data()).map_err(|e| e.to_string())?;
        // SAFETY: both structs are `#[repr(C)]` and laid out by the same specification; ownership
        // moves with the value, and its release callback with it.
        let series = unsafe {
            let array: ArrowArray = std::mem::transmute(array);
            let schema: ArrowSchema = std::mem::transmute(schema);
            let imported = import_field_from_c(&schema).map_err(|e| e.to_string())?;
            let array = import_array_from_c(array, imported.dtype).map_err(|e| e.to_string())?;
            Series::from_arrow(field.name().as_str().into(), array).map_err(|e| e.to_string())?
        };
        columns.push(Column::from(series));
    }
    DataFrame::new(batch.num_rows(), columns).map_err(|e| e.to_string())
}

/// A data frame as a batch, each column with the type that `like` has for its name.
pub(crate) fn from_polars(frame: &DataFrame, like: &Schema) -> Result<RecordBatch, String> {
    let mut fields: Vec<Field> = Vec::with_capacity(frame.width());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(frame.width());
    for column in frame.columns() {
        let series = column.as_materialized_series().rechunk();
        let name = series.name().to_string();
        let field = like.field_with_name(&name).map_err(|e| e.to_string())?;
        let array = series.to_arrow(0, CompatLevel::oldest());
        let exported = export_field_to_c(&polars_arrow::datatypes::Field::new(
            name.into(),
            array.dtype().clone(),
            true,
        ));
        // SAFETY: as above, the other way round.
        let data = unsafe {
            let array: FFI_ArrowArray = std::mem::transmute(export_array_to_c(array));
            let schema: FFI_ArrowSchema = std::mem::transmute(exported);
            from_ffi(array, &schema).map_err(|e| e.to_string())?
        };
        let array = cast(&make_array(data), field.data_type()).map_err(|e| e.to_string())?;
        fields.push(field.clone());
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| e.to_string())
}
