//! A bounded search around the best plan: another lane for a bead, another place in the order; what
//! is no worse is kept. The bound is a number of steps, so that the result depends on nothing
//! but the question.

use super::Genes;
use super::play::Play;
use super::rules::Levels;
use super::tables::Tables;

/// Steps that one try costs beside playing it.
const TRY: u64 = 200;

/// Improves `genes`, which cost `cost`, until `play` has taken `effort` steps. How often it tried.
#[expect(clippy::too_many_arguments, reason = "the whole question of a search")]
pub(super) fn improve(
    t: &Tables,
    play: &mut Play,
    genes: &mut Genes,
    bias: &[Vec<f64>],
    levels: &Levels,
    mut cost: f64,
    seed: u64,
    effort: u64,
) -> u32 {
    let mut random = Random(seed);
    let mut tried = 0;
    let mut undo: Vec<(usize, f64, u32)> = Vec::new();
    if t.len() < 2 {
        return 0;
    }
    while play.steps < effort {
        undo.clear();
        for _ in 0..=random.below(2) {
            change(t, genes, levels, &mut random, &mut undo);
        }
        play.steps += TRY;
        tried += 1;
        let new = play.run(t, genes, bias, cost);
        if new <= cost {
            cost = new;
            continue;
        }
        for &(i, key, mask) in undo.iter().rev() {
            genes.key[i] = key;
            genes.mask[i] = mask;
        }
    }
    tried
}

fn change(
    t: &Tables,
    g: &mut Genes,
    levels: &Levels,
    random: &mut Random,
    undo: &mut Vec<(usize, f64, u32)>,
) {
    let i = random.below(t.len());
    let other = random.below(t.len());
    undo.push((i, g.key[i], g.mask[i]));
    // Nobody overtakes a better rank.
    let is_peer = levels.rank[i] == levels.rank[other];
    match random.below(4) {
        0 if is_peer => {
            undo.push((other, g.key[other], g.mask[other]));
            g.key.swap(i, other);
        }
        1 if is_peer => g.key[i] = g.key[other] - random.unit(),
        _ => {
            let mut nth = random.below(t.allowed[i].count_ones() as usize);
            for lane in (0..t.lanes).filter(|l| t.allowed[i] & (1 << l) != 0) {
                if nth == 0 {
                    g.mask[i] = 1 << lane;
                    break;
                }
                nth -= 1;
            }
        }
    }
}

/// Splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to `n - 1`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }

    /// From 0 to 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
