//! What an estimate rests on, in a line.

use super::{Features, Made, PastRun};
use crate::core::text::{count, one_line, thousands};

/// Past runs that are named.
const NAMED: usize = 3;

impl Made {
    /// The table, what it was multiplied by and on how many runs that rests, and the past runs
    /// that are most alike.
    pub(crate) fn because(&self, features: &Features<'_>, history: &[PastRun]) -> String {
        let effects = self.effects.iter().map(|effect| {
            let runs = count(effect.runs, "run", "runs");
            format!(", {} x{:.2} ({runs})", effect.of, effect.factor)
        });
        let effects: String = effects.collect();
        let alike: Vec<String> = nearest(features, history)
            .into_iter()
            .map(|(bead, tokens)| format!("{} took {}", one_line(bead, 40), thousands(tokens)))
            .collect();
        let alike = match alike.as_slice() {
            [] => String::new(),
            some => format!("; most alike: {}", some.join(", ")),
        };
        format!("table {}{effects}{alike}", thousands(self.table))
    }
}

/// The past runs with the most in common, the newest first among equals.
fn nearest<'a>(features: &Features<'_>, history: &'a [PastRun]) -> Vec<(&'a str, u64)> {
    let alike = |run: &PastRun| {
        let known = run.features();
        let same = [
            known.task_type == features.task_type,
            known.complexity == features.complexity,
            known.repo == features.repo,
            features.provider.is_some() && known.provider == features.provider,
        ];
        same.iter().filter(|same| **same).count()
    };
    let mut found: Vec<(usize, &str, u64)> = history
        .iter()
        .rev()
        .filter(|run| run.agent == features.agent && run.tokens > 0)
        .filter_map(|run| Some((alike(run), run.bead.as_deref()?, run.tokens)))
        .collect();
    found.sort_by_key(|(alike, ..)| std::cmp::Reverse(*alike));
    let named = found.into_iter().take(NAMED);
    named.map(|(_, bead, tokens)| (bead, tokens)).collect()
}
