use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Data type of the weights in matrix products, scales included.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WeightsDtype {
    /// 2 bytes.
    #[default]
    Bfloat16,
    /// 1 byte with scales per tensor or channel, and fp8 products where the GPU has them.
    Fp8,
    /// 1 byte with a scale per block of 128 x 128, and fp8 products where the GPU has them.
    Fp8Block,
    /// 1 byte, widened for bf16 products.
    Int8,
    /// 4 bits with a 16-bit scale per 128 (AWQ, GPTQ), widened for bf16 products.
    Int4,
    /// 4 bits with an 8-bit scale per 16, and fp4 products where the GPU has them.
    Nvfp4,
    /// 4 bits with an 8-bit scale per 32, for products with fp8 activations where the GPU has fp4.
    Mxfp4,
}

impl WeightsDtype {
    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bfloat16 => "bfloat16",
            Self::Fp8 => "fp8",
            Self::Fp8Block => "fp8_block",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Nvfp4 => "nvfp4",
            Self::Mxfp4 => "mxfp4",
        }
    }

    /// Bytes of one weight with its share of the scales.
    #[must_use]
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bfloat16 => 2.0,
            Self::Fp8 | Self::Fp8Block | Self::Int8 => 1.0,
            Self::Int4 => (4.0 + 16.0 / 128.0) / 8.0,
            Self::Nvfp4 => (4.0 + 8.0 / 16.0) / 8.0,
            Self::Mxfp4 => (4.0 + 8.0 / 32.0) / 8.0,
        }
    }
}

/// Data types of the weights that a server runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weights {
    pub(crate) layers: WeightsDtype,
    pub(crate) experts: WeightsDtype,
}
