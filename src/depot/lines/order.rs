//! The order in which beads are stored: what is waited for comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An order in which everything comes after what it waits for, as near to the given one as can
/// be. `waits_for[n]` are the places of what `n` waits for; of something that waits for itself
/// in the end, the way around is the error.
pub(crate) fn order(waits_for: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut open: Vec<usize> = waits_for.iter().map(Vec::len).collect();
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); waits_for.len()];
    for (n, all) in waits_for.iter().enumerate() {
        for on in all {
            waiting[*on].push(n);
        }
    }
    let free = (0..waits_for.len()).filter(|n| open[*n] == 0);
    let mut free: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(waits_for.len());
    while let Some(Reverse(n)) = free.pop() {
        order.push(n);
        for next in &waiting[n] {
            open[*next] -= 1;
            if open[*next] == 0 {
                free.push(Reverse(*next));
            }
        }
    }
    if order.len() == waits_for.len() {
        return Ok(order);
    }
    Err(circle(waits_for, &open))
}

/// Everything that is still open waits for something that is: following that comes around.
fn circle(waits_for: &[Vec<usize>], open: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = open.iter().position(|n| *n > 0);
    while let Some(n) = at {
        if let Some(began) = path.iter().position(|seen| *seen == n) {
            path.drain(..began);
            path.push(n);
            return path;
        }
        path.push(n);
        at = waits_for[n].iter().copied().find(|on| open[*on] > 0);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_way_around_a_circle_is_named() {
        assert_eq!(order(&[vec![], vec![0]]), Ok(vec![0, 1]));
        assert_eq!(order(&[vec![1], vec![]]), Ok(vec![1, 0]));
        assert_eq!(
            order(&[vec![1], vec![2], vec![3], vec![1]]),
            Err(vec![1, 2, 3, 1])
        );
        assert_eq!(order(&[vec![0]]), Err(vec![0, 0]));
    }

    proptest! {
        #[test]
        fn everything_comes_after_what_it_waits_for(
            edges in prop::collection::vec((0_usize..20, 0_usize..20), 0..60)
        ) {
            let mut waits_for = vec![Vec::new(); 20];
            for (a, b) in edges.iter().filter(|(a, b)| a != b) {
                // Only backwards: no circle.
                waits_for[*a.max(b)].push(*a.min(b));
            }
            prop_assert_eq!(order(&waits_for), Ok((0..20).collect::<Vec<_>>()));
            let turned: Vec<Vec<usize>> = (0..20)
                .map(|n| waits_for[19 - n].iter().map(|on| 19 - on).collect())
                .collect();
            let all = order(&turned).expect("no circle");
            let place = |n: usize| all.iter().position(|m| *m == n);
            for (n, on) in turned.iter().enumerate() {
                prop_assert!(on.iter().all(|on| place(*on) < place(n)));
            }
        }
    }
}
