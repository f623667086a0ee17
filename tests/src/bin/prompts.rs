//! Do prompts hold only what asker and model may have? Random worlds in which permissions change between what is found and
//! what is sent, until so many prompts were read: `prompts PROMPTS [SEED]`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use safepassage_tests::Course;

const STEPS: usize = 24;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let &[wanted, ref rest @ ..] = &numbers[..] else {
        eprintln!("prompts PROMPTS [FIRST SEED]");
        return ExitCode::from(2);
    };
    let first = rest.first().copied().unwrap_or(0);
    let (mut seed, mut prompts, mut sent, mut asked) = (first, 0, 0, 0);
    while prompts < wanted {
        let mut course = Course::new(seed);
        for _ in 0..STEPS {
            course.step();
            course.ask();
            asked += 1;
        }
        (prompts, sent) = (prompts + course.compared.prompts, sent + course.compared.sent);
        seed += 1;
    }
    println!(
        "worlds {first} to {}: {asked} questions, {prompts} prompts, {sent} passages; none that may not be there",
        seed - 1
    );
    ExitCode::SUCCESS
}
