//! Runs a target over its seeds and over mutations of them.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{env, fs};

/// Something that can be fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its folder in `corpus/`.
    pub name: &'static str,
    /// Checks the properties for some bytes, and panics if one does not hold.
    pub run: fn(&[u8]),
    /// Pieces that mutations put in.
    pub dictionary: &'static [&'static str],
}

impl Target {
    /// The seeds: file name and content, by name.
    pub fn seeds(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.corpus();
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
        let mut seeds: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                Some((name, fs::read(entry.path()).ok()?))
            })
            .collect();
        seeds.sort();
        seeds
    }

    /// The folder of the seeds.
    pub fn corpus(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(self.name)
    }
}

/// Runs a target: first over its seeds as they are, then over `KOGIA_FUZZ_ITERATIONS` mutations.
///
/// The input at hand always lies in a file in `folder`, so that it can be found after a stack
/// overflow, which no process survives.
pub fn drive(target: &Target, folder: &str) {
    let seeds = target.seeds();
    assert!(
        !seeds.is_empty(),
        "no seeds in {}",
        target.corpus().display()
    );
    let iterations: u64 = variable("KOGIA_FUZZ_ITERATIONS").unwrap_or(20_000);
    let seed = variable("KOGIA_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let name = target.name;
    let run = Run::new(target, &Path::new(folder).join(format!("{name}.input")));
    println!(
        "{name}: {iterations} iterations, the input at hand is in {}",
        run.path.display()
    );
    println!("KOGIA_FUZZ_SEED={seed} KOGIA_FUZZ_ITERATIONS={iterations} repeats them");

    for (seed_name, input) in &seeds {
        run.run(input, seed_name);
    }
    let inputs: Vec<_> = seeds.into_iter().map(|(_, input)| input).collect();
    for iteration in 0..iterations {
        let mut random = Random::new(seed, iteration);
        let input = mutation(&mut random, &inputs, target.dictionary);
        run.run(&input, &format!("iteration {iteration}"));
    }
}

struct Run<'a> {
    target: &'a Target,
    path: PathBuf,
    file: fs::File,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target, path: &Path) -> Self {
        let file = fs::File::create(path)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        Run {
            target,
            path: path.to_owned(),
            file,
        }
    }

    fn run(&self, input: &[u8], which: &str) {
        self.keep(input)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.target.run)(input)));
        if let Err(panic) = outcome {
            eprintln!(
                "{} failed on {which}, kept in {}:",
                self.target.name,
                self.path.display()
            );
            eprintln!("{}", input.escape_ascii());
            resume_unwind(panic);
        }
    }

    fn keep(&self, input: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(io::SeekFrom::Start(0))?;
        file.write_all(input)?;
        file.set_len(input.len() as u64)
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    let parsed = value.parse().ok();
    assert!(parsed.is_some(), "{name}={value} is not a number");
    parsed
}

/// A seed after a few changes.
fn mutation(random: &mut Random, seeds: &[Vec<u8>], dictionary: &[&str]) -> Vec<u8> {
    let mut input = random.pick(seeds).cloned().unwrap_or_default();
    loop {
        mutate(random, &mut input, seeds, dictionary);
        input.truncate(LONGEST);
        // Mostly few changes: after many, what is left is refused at once.
        if random.below(2) == 0 {
            return input;
        }
    }
}

fn mutate(random: &mut Random, input: &mut Vec<u8>, seeds: &[Vec<u8>], dictionary: &[&str]) {
    let start = random.below(input.len() + 1);
    let end = (start + random.below(32)).min(input.len());
    match random.below(if dictionary.is_empty() { 8 } else { 10 }) {
        0 => {
            if let Some(byte) = input.get_mut(start) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(start) {
                *byte = random.next() as u8;
            }
        }
        2 => {
            // A number, small or at an edge, where a length may stand.
            let near = (random.below(5) as u32).wrapping_sub(2);
            let edge = [0, 1 << 8, 1 << 16, 1 << 31, input.len() as u32];
            let number = random
                .pick(&edge)
                .unwrap_or(&0)
                .wrapping_add(near)
                .to_le_bytes();
            let place = input.iter_mut().skip(start);
            place.zip(number).for_each(|(byte, new)| *byte = new);
        }
        3 => input.truncate(start),
        4 => drop(input.drain(start..end)),
        5 => {
            let copy = input[start..end].to_vec();
            let place = random.below(input.len() + 1);
            input.splice(place..place, copy);
        }
        6 => {
            // Nests whatever nests, as often as the stack of a thread may not bear.
            let copy = input[start..end.min(start + 8)].repeat(random.below(2_000));
            input.splice(start..start, copy);
        }
        7 => {
            let other = random.pick(seeds).map(Vec::as_slice).unwrap_or_default();
            let from = random.below(other.len() + 1);
            input.truncate(start);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            if let Some(word) = random.pick(dictionary) {
                let replaced = if random.below(2) == 0 {
                    start..start
                } else {
                    start..end
                };
                input.splice(replaced, word.bytes());
            }
        }
    }
}

/// Longer inputs only take time.
const LONGEST: usize = 1 << 16;

/// A small generator (splitmix64) whose whole state can be printed.
struct Random(u64);

impl Random {
    fn new(seed: u64, iteration: u64) -> Self {
        let mut random = Random(seed ^ iteration);
        Random(random.next() ^ iteration)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}
