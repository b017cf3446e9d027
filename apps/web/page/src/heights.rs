//! Heights of the rows of a virtual list: estimated until drawn and measured; prefix sums in a Fenwick tree, so that the row at a pixel and
//! the pixel of a row cost a logarithm. Knows no DOM.

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Heights {
    /// `tree[i]`: the sum of the `lowbit(i)` rows that end with row `i - 1`. `tree[0]` is not used.
    tree: Vec<f64>,
    each: Vec<f64>,
}

fn low_bit(i: usize) -> usize {
    i & i.wrapping_neg()
}

impl Heights {
    /// `n` rows of the estimated height.
    pub fn new(n: usize, estimate: f64) -> Self {
        let mut heights = Heights { tree: Vec::new(), each: vec![estimate; n] };
        heights.build();
        heights
    }
    /// How many rows.
    pub fn len(&self) -> usize {
        self.each.len()
    }
    /// `n` new rows from row `at` on.
    pub fn insert(&mut self, at: usize, n: usize, estimate: f64) {
        let at = at.min(self.len());
        self.each.splice(at..at, std::iter::repeat_n(estimate, n));
        self.build();
    }
    /// One row less; gives its height.
    pub fn remove(&mut self, row: usize) -> Option<f64> {
        if row >= self.len() {
            return None;
        }
        let height = self.each.remove(row);
        self.build();
        Some(height)
    }
    /// A row was measured. Gives by how much it grew.
    pub fn set(&mut self, row: usize, height: f64) -> f64 {
        let Some(old) = self.each.get_mut(row) else { return 0.0 };
        let grown = height - *old;
        *old = height;
        if grown != 0.0 {
            let mut i = row.saturating_add(1);
            while let Some(sum) = self.tree.get_mut(i) {
                *sum += grown;
                i = i.saturating_add(low_bit(i));
            }
        }
        grown
    }
    /// Of one row.
    pub fn height(&self, row: usize) -> f64 {
        self.each.get(row).copied().unwrap_or(0.0)
    }
    /// The height of all rows before this one: where it begins.
    pub fn before(&self, row: usize) -> f64 {
        let mut i = row.min(self.len());
        let mut sum = 0.0;
        while i > 0 {
            sum += self.tree.get(i).copied().unwrap_or(0.0);
            i = i.saturating_sub(low_bit(i));
        }
        sum
    }
    /// Of all rows.
    pub fn total(&self) -> f64 {
        self.before(self.len())
    }
    /// The row that holds this pixel; the last one for pixels below the end.
    pub fn at(&self, mut y: f64) -> usize {
        let (mut row, mut step) = (0_usize, self.len().next_power_of_two());
        while step > 0 {
            let next = row.saturating_add(step);
            if let Some(sum) = self.tree.get(next)
                && *sum <= y
            {
                row = next;
                y -= sum;
            }
            step >>= 1;
        }
        row.min(self.len().saturating_sub(1))
    }

    fn build(&mut self) {
        self.tree = std::iter::once(0.0).chain(self.each.iter().copied()).collect();
        for i in 1..self.tree.len() {
            let sum = self.tree.get(i).copied().unwrap_or(0.0);
            if let Some(above) = self.tree.get_mut(i.saturating_add(low_bit(i))) {
                *above += sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow way, for comparison.
    fn row_at(each: &[f64], y: f64) -> usize {
        let mut end = 0.0;
        for (i, h) in each.iter().enumerate() {
            end += h;
            if y < end {
                return i;
            }
        }
        each.len().saturating_sub(1)
    }

    #[test]
    fn sums_and_rows_agree_with_counting() {
        let mut seed = 7_u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % n
        };
        for n in [1_usize, 2, 3, 7, 8, 9, 100] {
            let mut heights = Heights::new(n, 50.0);
            let mut each = vec![50.0; n];
            for _ in 0..200 {
                let row = next(each.len() as u64) as usize;
                match next(6) {
                    0 => {
                        heights.insert(row, 3, 20.0);
                        each.splice(row..row, [20.0; 3]);
                    }
                    1 if each.len() > 1 => assert_eq!(heights.remove(row), Some(each.remove(row))),
                    _ => {
                        let h = next(90) as f64;
                        assert_eq!(heights.set(row, h), h - each[row]);
                        each[row] = h;
                    }
                }
                assert_eq!(heights.total(), each.iter().sum::<f64>());
                let row = next(each.len() as u64) as usize;
                assert_eq!(heights.before(row), each[..row].iter().sum::<f64>());
                let y = next(heights.total() as u64 + 1) as f64;
                assert_eq!(heights.at(y), row_at(&each, y));
            }
        }
    }

    #[test]
    fn nothing_is_fine() {
        let mut none = Heights::default();
        assert_eq!((none.total(), none.at(5.0), none.before(3), none.set(2, 9.0), none.remove(0)), (0.0, 0, 0.0, 0.0, None));
        none.insert(9, 1, 10.0);
        assert_eq!((none.total(), none.len()), (10.0, 1));
    }
}
