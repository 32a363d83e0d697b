//! The random choices behind a case: made from a seed, recorded, replayed, and made simpler while a case fails.
//!
//! A generator that takes every decision from [`Choices`] needs no shrinker of its own: a shorter or smaller list of
//! choices is a simpler case, and always a valid one (MacIver and Donaldson, "Test-case reduction via test-case
//! generation", 2020). So generators should give the simplest alternative for 0.

use std::time::{Duration, Instant};

/// Decisions of a generator.
#[derive(Clone, Debug)]
pub struct Choices {
    source: Source,
    made: Vec<u64>,
}

#[derive(Clone, Debug)]
enum Source {
    Seed(SplitMix),
    /// What was recorded; 0 after its end.
    Replay(Vec<u64>),
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The stream of a seed.
    pub fn new(seed: u64) -> SplitMix {
        SplitMix(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// A number between −1 and 1.
    pub fn signed(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

impl Choices {
    /// Choices that follow from a seed.
    pub fn from_seed(seed: u64) -> Choices {
        Choices { source: Source::Seed(SplitMix::new(seed)), made: Vec::new() }
    }

    /// Recorded choices again; those that do not fit are cut to what does.
    pub fn replay(recorded: &[u64]) -> Choices {
        Choices { source: Source::Replay(recorded.to_vec()), made: Vec::new() }
    }

    /// What was chosen so far.
    pub fn made(&self) -> &[u64] {
        &self.made
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        let choice = match &mut self.source {
            Source::Seed(stream) => stream.bits() % n as u64,
            Source::Replay(recorded) => recorded.get(self.made.len()).copied().unwrap_or(0).min(n as u64 - 1),
        };
        self.made.push(choice);
        choice as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A random order of 0 … n − 1; simplest as it is.
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        (1..n).for_each(|i| order.swap(i, i - self.below(i + 1)));
        order
    }

    /// A stream for whatever a single choice decides, such as the elements of an array.
    pub fn stream(&mut self) -> SplitMix {
        SplitMix::new(self.below(1 << 16) as u64)
    }
}

/// Makes a list of choices simpler as long as `fails` says that the case still fails, until nothing helps or the time is
/// over. Gives the simplest list that fails.
pub fn shrink(failing: &[u64], time: Duration, mut fails: impl FnMut(&mut Choices) -> bool) -> Vec<u64> {
    let deadline = Instant::now() + time;
    let mut best = failing.to_vec();
    let mut attempt = |best: &mut Vec<u64>, candidate: Vec<u64>| -> bool {
        let mut choices = Choices::replay(&candidate);
        if Instant::now() >= deadline || !fails(&mut choices) {
            return false;
        }
        let mut made = choices.made;
        while made.last() == Some(&0) {
            made.pop();
        }
        let is_simpler = (made.len(), &made) < (best.len(), &*best);
        if is_simpler {
            *best = made;
        }
        is_simpler
    };
    loop {
        let before = best.clone();
        // Without the tail, without runs, with zeros in place of runs.
        let mut len = best.len();
        while len > 0 {
            let mut start = 0;
            while start < best.len() {
                let end = (start + len).min(best.len());
                let without = [&best[..start], &best[end..]].concat();
                let mut zeroed = best.clone();
                zeroed[start..end].fill(0);
                let has_numbers = best[start..end].iter().any(|&x| x != 0);
                let is_simpler = attempt(&mut best, without) || (has_numbers && attempt(&mut best, zeroed));
                if !is_simpler {
                    start += len;
                }
            }
            len /= 2;
        }
        // Smaller numbers.
        for i in 0..best.len() {
            let mut low = 0;
            while i < best.len() && low < best[i] {
                let middle = low + (best[i] - low) / 2;
                let mut candidate = best.clone();
                candidate[i] = middle;
                if !attempt(&mut best, candidate) {
                    low = middle + 1;
                }
            }
        }
        if best == before {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five numbers, of which the sum counts.
    fn numbers(choices: &mut Choices) -> Vec<usize> {
        let n = choices.below(20);
        (0..n).map(|_| choices.below(1000)).collect()
    }

    #[test]
    fn recorded_choices_give_the_same_again() {
        let mut choices = Choices::from_seed(7);
        let made = numbers(&mut choices);
        assert_eq!(numbers(&mut Choices::replay(choices.made())), made);
        assert!(numbers(&mut Choices::replay(&[])).is_empty());
    }

    #[test]
    fn the_simplest_failing_case_is_found() {
        let fails = |choices: &mut Choices| numbers(choices).iter().any(|&x| x > 500);
        let seed = (0..).find(|&seed| fails(&mut Choices::from_seed(seed))).expect("half of the numbers fail");
        let mut choices = Choices::from_seed(seed);
        numbers(&mut choices);
        let simplest = shrink(choices.made(), Duration::from_secs(10), fails);
        assert_eq!(numbers(&mut Choices::replay(&simplest)), [501]);
    }
}
