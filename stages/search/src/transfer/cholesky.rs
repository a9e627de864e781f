/// A symmetric positive definite matrix, as its factor L with L Lᵀ = A.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cholesky(Vec<Vec<f64>>);

impl Cholesky {
    /// None: the matrix is not positive definite.
    pub(super) fn of(matrix: &[Vec<f64>]) -> Option<Self> {
        let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
        for (i, wanted) in matrix.iter().enumerate() {
            let mut row: Vec<f64> = Vec::with_capacity(i + 1);
            for (j, known) in factor.iter().enumerate() {
                let rest = wanted[j] - dot(&row, &known[..j]);
                row.push(rest / known[j]);
            }
            let rest = wanted[i] - dot(&row, &row);
            if !(rest > 0.0 && rest.is_finite()) {
                return None;
            }
            row.push(rest.sqrt());
            factor.push(row);
        }
        Some(Self(factor))
    }

    /// x with L x = b.
    pub(super) fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut x: Vec<f64> = Vec::with_capacity(b.len());
        for (row, b) in self.0.iter().zip(b) {
            let (before, diagonal) = row.split_at(x.len());
            x.push((b - dot(before, &x)) / diagonal[0]);
        }
        x
    }

    /// Half the logarithm of the determinant of A.
    pub(super) fn half_log_determinant(&self) -> f64 {
        let diagonal = self.0.iter().filter_map(|row| row.last());
        diagonal.map(|entry| entry.ln()).sum()
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_of_the_solution_is_the_quadratic_form_of_the_inverse() {
        let cholesky = Cholesky::of(&[vec![4.0, 2.0], vec![2.0, 5.0]]).unwrap();
        let x = cholesky.forward(&[1.0, -2.0]);
        // The inverse is ((5, -2), (-2, 4)) / 16.
        assert!((dot(&x, &x) - (5.0 + 8.0 + 16.0) / 16.0).abs() < 1e-12);
        assert!((cholesky.half_log_determinant() - 16_f64.ln() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn matrix_that_is_not_positive_definite_is_none() {
        assert_eq!(Cholesky::of(&[vec![1.0, 2.0], vec![2.0, 1.0]]), None);
        assert_eq!(Cholesky::of(&[vec![f64::NAN]]), None);
    }
}
