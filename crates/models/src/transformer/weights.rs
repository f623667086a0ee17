//! Here are safetensors files: what is the tensor of this name and shape?
//!
//! One model may lie in several files, and the rows of one matrix in several tensors `NAME.part1`, `NAME.part2`, …. A
//! matrix is F32, F16, BF16, or I8 with `NAME.scale` (F32, one per row). Every number that comes out is finite.

use std::sync::Arc;

use safepassage_error::{Error, Kind, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

const OPERATION: &str = "load model";

/// A matrix of `rows` rows, row-major.
pub(super) enum Matrix {
    Float(Vec<f32>),
    /// `value = values[row][column] · scales[row]`.
    Int8 {
        values: Vec<i8>,
        scales: Vec<f32>,
    },
}

/// The tensors of a model under their names in the files, less a common prefix.
pub(super) struct Weights<'a> {
    files: Arc<[SafeTensors<'a>]>,
    prefix: String,
}

impl<'a> Weights<'a> {
    /// Reads the headers of `files`; `marker` is a tensor that every model has and tells the prefix of all names.
    pub fn read(files: &[&'a [u8]], marker: &str) -> Result<Self> {
        let files = files
            .iter()
            .map(|bytes| {
                SafeTensors::deserialize(bytes)
                    .map_err(|error| Error::corrupted(OPERATION, format!("the weights cannot be read: {error}")))
            })
            .collect::<Result<Arc<[_]>>>()?;
        let prefix = files
            .iter()
            .flat_map(SafeTensors::names)
            .find_map(|name| name.strip_suffix(marker).or_else(|| name.strip_suffix(".part1")?.strip_suffix(marker)))
            .map(str::to_owned)
            .ok_or_else(|| missing(marker))?;
        Ok(Self { files, prefix })
    }

    fn find(&self, name: &str) -> Option<TensorView<'a>> {
        let name = format!("{}{name}", self.prefix);
        self.files.iter().find_map(|file| file.tensor(&name).ok())
    }

    /// A vector of `length` numbers.
    pub fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        let tensor = self.find(name).ok_or_else(|| missing(name))?;
        if tensor.shape() != [length] {
            return Err(wrong_shape(name, &[length], tensor.shape()));
        }
        floats(name, &tensor)
    }

    /// A matrix of `rows` × `columns`, its parts joined.
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix> {
        let mut parts: Vec<(String, TensorView<'a>)> = Vec::new();
        match self.find(name) {
            Some(whole) => parts.push((name.to_owned(), whole)),
            None => {
                let numbered = (1..).map(|number| format!("{name}.part{number}"));
                parts.extend(numbered.map_while(|part| self.find(&part).map(|tensor| (part, tensor))));
            }
        }
        if parts.is_empty() {
            return Err(missing(name));
        }
        let mut found_rows = 0;
        for (part, tensor) in &parts {
            let &[part_rows, part_columns] = tensor.shape() else {
                return Err(wrong_shape(part, &[rows, columns], tensor.shape()));
            };
            if part_columns != columns {
                return Err(wrong_shape(part, &[rows, columns], tensor.shape()));
            }
            found_rows += part_rows;
        }
        if found_rows != rows {
            return Err(wrong_shape(name, &[rows, columns], &[found_rows, columns]));
        }
        if parts.iter().all(|(_, tensor)| tensor.dtype() == Dtype::I8) {
            let (mut values, mut scales) = (Vec::with_capacity(rows * columns), Vec::with_capacity(rows));
            for (part, tensor) in &parts {
                values.extend(tensor.data().iter().map(|byte| byte.cast_signed()));
                scales.extend(self.vector(&format!("{part}.scale"), tensor.shape()[0])?);
            }
            return Ok(Matrix::Int8 { values, scales });
        }
        let floats: Vec<Vec<f32>> = parts.iter().map(|(part, tensor)| floats(part, tensor)).collect::<Result<_>>()?;
        Ok(Matrix::Float(floats.concat()))
    }

    /// All numbers of a matrix of `columns` columns and at least one row.
    pub fn rows(&self, name: &str, columns: usize) -> Result<Vec<f32>> {
        let rows = self.find(name).ok_or_else(|| missing(name))?.shape().first().copied().unwrap_or(0);
        if rows == 0 {
            return Err(wrong_shape(name, &[1, columns], &[rows, columns]));
        }
        Ok(self.matrix(name, rows, columns)?.to_floats(columns))
    }

    /// The same files, with names that stand there in full.
    pub fn unprefixed(&self) -> Self {
        Self { files: Arc::clone(&self.files), prefix: String::new() }
    }
}

impl Matrix {
    /// All numbers as f32, row-major.
    pub fn to_floats(&self, columns: usize) -> Vec<f32> {
        match self {
            Self::Float(values) => values.clone(),
            Self::Int8 { values, scales } => values
                .chunks_exact(columns)
                .zip(scales)
                .flat_map(|(row, scale)| row.iter().map(move |value| f32::from(*value) * scale))
                .collect(),
        }
    }

    /// Writes row `row` to `out`, whose length is the matrix's columns; false if there is no such row.
    pub fn copy_row(&self, row: usize, out: &mut [f32]) -> bool {
        let range = row * out.len()..(row + 1) * out.len();
        match self {
            Self::Float(values) => match values.get(range) {
                Some(values) => out.copy_from_slice(values),
                None => return false,
            },
            Self::Int8 { values, scales } => match (values.get(range), scales.get(row)) {
                (Some(values), Some(scale)) => {
                    for (out, value) in out.iter_mut().zip(values) {
                        *out = f32::from(*value) * scale;
                    }
                }
                _ => return false,
            },
        }
        true
    }
}

/// The tensor as f32.
pub(crate) fn floats(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>> {
    let bytes = tensor.data();
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|two| from_f16(u16::from_le_bytes(*two))).collect(),
        Dtype::BF16 => {
            bytes.as_chunks().0.iter().map(|two| f32::from_bits(u32::from(u16::from_le_bytes(*two)) << 16)).collect()
        }
        other => {
            return Err(Error::invalid(OPERATION, format!("tensor `{name}` has the unsupported type `{other}`")));
        }
    };
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Error::corrupted(OPERATION, format!("tensor `{name}` holds a number that is not finite")));
    }
    Ok(values)
}

/// IEEE 754 binary16 to binary32, exact.
fn from_f16(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

fn missing(name: &str) -> Error {
    Error::new(Kind::Invalid, OPERATION, format!("the weights have no tensor `{name}`"))
}

fn wrong_shape(name: &str, expected: &[usize], found: &[usize]) -> Error {
    Error::invalid(
        OPERATION,
        format!("tensor `{name}` has the shape `{found:?}`, `config.json` asks for `{expected:?}`"),
    )
}

#[cfg(test)]
mod tests {
    use super::from_f16;

    #[test]
    fn half_precision_is_exact() {
        let cases =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_95), (0x0001, 2f32.powi(-24)), (0x7bff, 65504.0)];
        for (bits, value) in cases {
            assert_eq!(from_f16(bits), value, "{bits:#06x}");
        }
        assert!(from_f16(0x7e00).is_nan() && from_f16(0xfc00) == f32::NEG_INFINITY);
    }
}
