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
