//! A small linear programme by the simplex method on a dense tableau: some tens of rows, about a
//! hundred columns.

pub(super) struct Row {
    pub(super) a: Vec<f64>,
    /// `a x = b`, else `a x <= b`.
    pub(super) is_equal: bool,
    /// Not negative.
    pub(super) b: f64,
}

/// Penalty of a row that is not met yet.
const BIG: f64 = 1e7;
const ZERO: f64 = 1e-9;
/// Pivots; small programmes take some tens.
const PATIENCE: usize = 600;
/// From here on the first column that helps instead of the best: that cannot go round in circles.
const CAREFUL: usize = 300;

/// The least `c x`, and what one unit more of a row is worth.
pub(super) struct Optimum {
    pub(super) value: f64,
    /// Per row: how much the optimum falls per unit more of its `b`; 0 where the row does not bind,
    /// and for equalities, which nobody asks about.
    pub(super) duals: Vec<f64>,
}

/// Minimises `c x` for `x >= 0`. `None`: no solution, none that is bounded, or none in time.
pub(super) fn minimise(c: &[f64], rows: &[Row]) -> Option<Optimum> {
    let (n, m) = (c.len(), rows.len());
    // Columns: the variables, a slack (or a penalty) per row, the right side.
    let width = n + m + 1;
    let mut table: Vec<Vec<f64>> = Vec::with_capacity(m);
    let mut cost = vec![0.0; width];
    cost[..n].copy_from_slice(c);
    for (i, row) in rows.iter().enumerate() {
        let mut line = vec![0.0; width];
        line[..n].copy_from_slice(&row.a);
        line[n + i] = 1.0;
        line[width - 1] = row.b;
        if row.is_equal {
            cost[n + i] = BIG;
            subtract(&mut cost, &line, BIG);
        }
        table.push(line);
    }
    let mut basis: Vec<usize> = (n..n + m).collect();
    for pivot in 0..PATIENCE {
        let Some(column) = entering(&cost[..width - 1], pivot >= CAREFUL) else {
            let value = -cost[width - 1];
            return prices(&table, &cost, &basis, rows, n).map(|duals| Optimum { value, duals });
        };
        let row = leaving(&table, column)?;
        let by = table[row][column];
        table[row].iter_mut().for_each(|v| *v /= by);
        let line = table[row].clone();
        for (i, other) in table.iter_mut().enumerate() {
            if i != row && other[column] != 0.0 {
                let times = other[column];
                subtract(other, &line, times);
            }
        }
        let times = cost[column];
        subtract(&mut cost, &line, times);
        basis[row] = column;
    }
    None
}

fn subtract(from: &mut [f64], line: &[f64], times: f64) {
    for (x, y) in from.iter_mut().zip(line) {
        *x -= times * y;
    }
}

fn entering(cost: &[f64], is_careful: bool) -> Option<usize> {
    let helps = |c: &(usize, &f64)| *c.1 < -1e-7;
    let mut all = cost.iter().enumerate().filter(helps);
    if is_careful {
        return all.next().map(|(j, _)| j);
    }
    all.min_by(|a, b| a.1.total_cmp(b.1)).map(|(j, _)| j)
}

fn leaving(table: &[Vec<f64>], column: usize) -> Option<usize> {
    let ratio = |line: &Vec<f64>| line.last().copied().unwrap_or(0.0) / line[column];
    let able = table.iter().enumerate().filter(|(_, l)| l[column] > ZERO);
    able.min_by(|a, b| ratio(a.1).total_cmp(&ratio(b.1)))
        .map(|(i, _)| i)
}

fn prices(
    table: &[Vec<f64>],
    cost: &[f64],
    basis: &[usize],
    rows: &[Row],
    n: usize,
) -> Option<Vec<f64>> {
    let is_unmet = |(line, &column): (&Vec<f64>, &usize)| {
        column >= n && rows[column - n].is_equal && line.last().is_some_and(|b| *b > 1e-6)
    };
    if table.iter().zip(basis).any(is_unmet) {
        return None;
    }
    let price = |(i, row): (usize, &Row)| {
        if row.is_equal {
            0.0
        } else {
            cost[n + i].max(0.0)
        }
    };
    Some(rows.iter().enumerate().map(price).collect())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn most(a: [f64; 2], b: f64) -> Row {
        Row {
            a: a.to_vec(),
            is_equal: false,
            b,
        }
    }

    /// The optimum, then the price of each row.
    fn rounded(optimum: Option<Optimum>) -> Option<Vec<f64>> {
        let all = optimum.map(|o| [vec![o.value], o.duals].concat());
        all.map(|all| all.iter().map(|p| (p * 1e6).round() / 1e6).collect())
    }

    #[test]
    fn a_row_that_binds_has_its_price_and_one_that_does_not_has_none() {
        // At most 4 of the first, 12 = 2 y, 18 = 3 x + 2 y: 36 at (2, 6).
        let rows = [
            most([1.0, 0.0], 4.0),
            most([0.0, 2.0], 12.0),
            most([3.0, 2.0], 18.0),
        ];
        assert_eq!(
            rounded(minimise(&[-3.0, -5.0], &rows)),
            Some(vec![-36.0, 0.0, 1.5, 1.0])
        );
    }

    #[test]
    fn what_cannot_be_met_has_no_solution() {
        let equal = Row {
            a: vec![1.0, 1.0],
            is_equal: true,
            b: 3.0,
        };
        let unmet = minimise(&[1.0, 1.0], &[equal, most([1.0, 1.0], 2.0)]);
        assert_eq!(rounded(unmet), None);
        // Nothing bounds it.
        let endless = minimise(&[-1.0, 0.0], &[most([0.0, 1.0], 1.0)]);
        assert_eq!(rounded(endless), None);
    }
}
