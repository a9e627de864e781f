/// A symmetric positive definite matrix, as its Cholesky factor L with L Lᵀ = A.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky(Vec<Vec<f64>>);

impl Cholesky {
    /// None: the matrix is not positive definite.
    #[must_use]
    pub fn of(matrix: &[Vec<f64>]) -> Option<Self> {
        let n = matrix.len();
        let mut factor = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in 0..=i {
                let before: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
                let rest = matrix[i][j] - before;
                if i == j {
                    if !(rest > 0.0 && rest.is_finite()) {
                        return None;
                    }
                    factor[i][i] = rest.sqrt();
                } else {
                    factor[i][j] = rest / factor[j][j];
                }
            }
        }
        Some(Self(factor))
    }

    /// x with A x = b.
    #[must_use]
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let Self(factor) = self;
        let n = factor.len();
        let mut x = self.forward(b);
        for i in (0..n).rev() {
            let behind: f64 = (i + 1..n).map(|k| factor[k][i] * x[k]).sum();
            x[i] = (x[i] - behind) / factor[i][i];
        }
        x
    }

    /// x with L x = b.
    #[must_use]
    pub fn forward(&self, b: &[f64]) -> Vec<f64> {
        let Self(factor) = self;
        let mut x = b.to_vec();
        for i in 0..x.len() {
            let before: f64 = (0..i).map(|k| factor[i][k] * x[k]).sum();
            x[i] = (x[i] - before) / factor[i][i];
        }
        x
    }

    /// Half the logarithm of the determinant of A.
    #[must_use]
    pub fn half_log_determinant(&self) -> f64 {
        let rows = self.0.iter().enumerate();
        rows.map(|(i, row)| row[i].ln()).sum()
    }

    /// The inverse of A.
    #[must_use]
    pub fn inverse(&self) -> Vec<Vec<f64>> {
        let n = self.0.len();
        let unit = |i: usize| {
            (0..n)
                .map(|k| f64::from(u8::from(k == i)))
                .collect::<Vec<_>>()
        };
        (0..n).map(|i| self.solve(&unit(i))).collect()
    }

    /// L z: of independent standard normal numbers a draw with covariance A.
    #[must_use]
    pub fn times(&self, z: &[f64]) -> Vec<f64> {
        let rows = self.0.iter();
        rows.map(|row| row.iter().zip(z).map(|(a, b)| a * b).sum())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solution_and_inverse_meet_the_matrix() {
        let matrix = vec![
            vec![4.0, 2.0, 0.6],
            vec![2.0, 5.0, 1.0],
            vec![0.6, 1.0, 3.0],
        ];
        let cholesky = Cholesky::of(&matrix).unwrap();
        let x = cholesky.solve(&[1.0, -2.0, 0.5]);
        for (row, b) in matrix.iter().zip([1.0, -2.0, 0.5]) {
            let product: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            assert!((product - b).abs() < 1e-12);
        }
        let unit = cholesky.inverse();
        let first: f64 = matrix[0].iter().zip(&unit).map(|(a, row)| a * row[0]).sum();
        assert!((first - 1.0).abs() < 1e-12);
    }

    #[test]
    fn norm_of_the_forward_solution_is_the_quadratic_form_of_the_inverse() {
        let cholesky = Cholesky::of(&[vec![4.0, 2.0], vec![2.0, 5.0]]).unwrap();
        let x = cholesky.forward(&[1.0, -2.0]);
        let norm: f64 = x.iter().map(|x| x * x).sum();
        // The inverse is ((5, -2), (-2, 4)) / 16.
        assert!((norm - (5.0 + 8.0 + 16.0) / 16.0).abs() < 1e-12);
        assert!((cholesky.half_log_determinant() - 16_f64.ln() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn matrix_that_is_not_positive_definite_is_none() {
        assert_eq!(Cholesky::of(&[vec![1.0, 2.0], vec![2.0, 1.0]]), None);
        assert_eq!(Cholesky::of(&[vec![f64::NAN]]), None);
    }
}
