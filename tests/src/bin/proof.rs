//! Do permissions hold? Random worlds until so many decisions and searches were compared: `proof DECISIONS SEARCHES [SEED]`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use safepassage_tests::{Compared, Course, Numbers};

/// Steps of one world; each is followed by a comparison of everything.
const STEPS: usize = 16;
/// One world in so many has a log that is long enough for a snapshot.
const LONG: u64 = 64;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let &[decisions, searches, ref rest @ ..] = &numbers[..] else {
        eprintln!("proof DECISIONS SEARCHES [FIRST SEED]");
        return ExitCode::from(2);
    };
    let first = rest.first().copied().unwrap_or(0);
    let mut all = Compared::default();
    let mut seed = first;
    while all.decisions < decisions || all.searches < searches {
        let mut course = Course::new(seed);
        if seed.is_multiple_of(LONG) {
            course.long_log();
        }
        let steps = STEPS + Numbers(seed).below(STEPS);
        for step in 0..steps {
            course.step();
            course.check(step);
        }
        course.verify();
        let one = course.compared;
        all = Compared {
            decisions: all.decisions + one.decisions,
            allowed: all.allowed + one.allowed,
            searches: all.searches + one.searches,
            hits: all.hits + one.hits,
            cuts: all.cuts + one.cuts,
            ..all
        };
        seed += 1;
        if seed.is_multiple_of(100) {
            println!("seed {seed}: {all:?}");
        }
    }
    println!("worlds {first} to {}: {all:?}; 0 differences", seed - 1);
    ExitCode::SUCCESS
}
