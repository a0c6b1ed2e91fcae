//! Beads that wait for each other without depending on each other: as many of a convoy run at once
//! as may, and those that touch the same files run one after the other.

use std::collections::BTreeMap;

use super::Job;
use crate::core::ConvoyId;
use crate::dispatch::plan::Work;

/// Why one waits for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tie {
    /// So many of their convoy may run at once.
    Parallel(i64),
    /// Both touch this path.
    File(String),
}

/// Paths of one bead that are looked at; one that touches more runs with others all the same.
const PATHS: usize = 64;

/// Ties the works by edges, each from an earlier one to a later one, so that every board has the
/// same shape again. With `n` at once the beads of a convoy are chained up `n` by `n`: never more
/// run, at times fewer could have.
pub(super) fn tie(jobs: &[Job], works: &mut [Work]) -> BTreeMap<(u32, u32), Tie> {
    let mut ties = BTreeMap::new();
    let mut convoys: BTreeMap<&ConvoyId, Vec<usize>> = BTreeMap::new();
    for (i, job) in jobs.iter().enumerate() {
        if let Some(convoy) = &job.convoy {
            convoys.entry(convoy).or_default().push(i);
        }
    }
    for of in convoys.values() {
        let mut add = |later: usize, earlier: usize, tie: Tie| {
            let deps = &mut works[later].deps;
            // What runs already asks nobody.
            if jobs[later].runs.is_none() && !deps.contains(&(earlier as u32)) {
                deps.push(earlier as u32);
                ties.insert((later as u32, earlier as u32), tie);
            }
        };
        let most = of.iter().filter_map(|i| jobs[*i].max_parallel).min();
        if let Some(n) = most.map(|n| n.max(1)) {
            let n_at_once = usize::try_from(n).unwrap_or(usize::MAX);
            for (at, &later) in of.iter().enumerate().skip(n_at_once) {
                add(later, of[at - n_at_once], Tie::Parallel(n));
            }
        }
        let mut touched = Touched::default();
        for &i in of {
            for path in jobs[i].files.iter().take(PATHS) {
                let parts = parts(path);
                for earlier in touched.by(&parts, i) {
                    add(i, earlier, Tie::File(path.clone()));
                }
            }
        }
    }
    ties
}

/// The names on the way; a pattern counts as the folder before its first wildcard, as in
/// [`crate::depot::files`].
fn parts(path: &str) -> Vec<&str> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .take_while(|part| !part.contains(['*', '?', '[', '{']))
        .collect()
}

/// Who touched what last. A file or folder that is touched again passes its place on, so that
/// chains stay as short as the paths.
#[derive(Default)]
struct Touched<'a> {
    exactly: BTreeMap<Vec<&'a str>, usize>,
}

impl<'a> Touched<'a> {
    /// Those before that lie on the way of `path`, or under it; from now on `who` touches it.
    fn by(&mut self, path: &[&'a str], who: usize) -> Vec<usize> {
        let above = (0..path.len()).filter_map(|n| self.exactly.get(&path[..n]).copied());
        let mut met: Vec<usize> = above.collect();
        let under = self.exactly.range(path.to_vec()..);
        let under: Vec<Vec<&str>> = under
            .take_while(|(other, _)| other.starts_with(path))
            .map(|(other, _)| other.clone())
            .collect();
        for other in under {
            met.extend(self.exactly.remove(&other));
        }
        self.exactly.insert(path.to_vec(), who);
        met.retain(|other| *other != who);
        met
    }
}
