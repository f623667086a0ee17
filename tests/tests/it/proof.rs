//! Random worlds with all that permissions know, against the specification; `tests/src/bin/proof.rs` runs millions.

use safepassage_tests::Course;

const WORLDS: u64 = 160;
const STEPS: usize = 18;

#[test]
fn everybody_sees_what_the_specification_says() {
    for seed in 0..WORLDS {
        let mut course = Course::new(seed);
        for step in 0..STEPS {
            course.step();
            course.check(step);
        }
        course.verify();
    }
}

#[test]
fn a_log_that_is_opened_from_a_snapshot_says_the_same() {
    for seed in 0..3 {
        let mut course = Course::new(seed);
        course.long_log();
        course.check(0);
        course.step();
        course.check(1);
        course.verify();
    }
}

#[test]
fn no_prompt_has_what_the_asker_or_the_model_may_not_have() {
    let (mut prompts, mut sent) = (0, 0);
    for seed in 1_000..1_060 {
        let mut course = Course::new(seed);
        for _ in 0..STEPS {
            course.step();
            course.ask();
        }
        (prompts, sent) = (prompts + course.compared.prompts, sent + course.compared.sent);
    }
    assert!(prompts > 300 && sent > prompts, "{sent} passages in {prompts} prompts");
}
