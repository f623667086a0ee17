//! Here is an answer: which passages does it name?

use serde::Serialize;

/// Passages that an answer names by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cited {
    /// Numbers of passages that there are, from 1, in the order in which they are first named.
    pub passages: Vec<usize>,
    /// Numbers that the answer names and no passage has.
    pub unknown: Vec<u64>,
}

/// What `answer` names of `passages` passages, as in `[1]`, `[2][3]`, `[2, 3]` or `[2-4]`.
#[must_use]
pub fn cited(answer: &str, passages: usize) -> Cited {
    let mut cited = Cited::default();
    for part in answer.split('[').skip(1) {
        let Some((inside, _)) = part.split_once(']') else { continue };
        for (first, last) in numbers(inside).unwrap_or_default() {
            // A range names what is there of it: its ends may be anything.
            for number in first..=last.min(first.saturating_add(passages as u64)) {
                let known = usize::try_from(number).ok().filter(|number| (1..=passages).contains(number));
                match known {
                    Some(number) if !cited.passages.contains(&number) => cited.passages.push(number),
                    None if !cited.unknown.contains(&number) => cited.unknown.push(number),
                    _ => {}
                }
            }
        }
    }
    cited
}

/// The numbers between two brackets, as ranges; none if anything else stands there.
fn numbers(inside: &str) -> Option<Vec<(u64, u64)>> {
    let number = |text: &str| -> Option<u64> {
        let text = text.trim();
        (text.len() <= 6 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let range = |text: &str| match text.split_once(['-', '–']) {
        Some((first, last)) => Some((number(first)?, number(last)?)),
        None => number(text).map(|number| (number, number)),
    };
    inside.split([',', ';']).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_brackets_are_citations_and_nothing_else_is() {
        let of = |answer: &str| {
            let Cited { passages, unknown } = cited(answer, 4);
            (passages, unknown)
        };
        assert_eq!(of("Pay rises [2]. In July [1][2]."), (vec![2, 1], vec![]));
        assert_eq!(of("a [1, 3; 4] b [3–4]"), (vec![1, 3, 4], vec![]));
        assert_eq!(of("a [0] b [9] c [4-6]"), (vec![4], vec![0, 9, 5, 6]));
        for none in ["[]", "[a]", "[1", "1]", "[1.5]", "[-1]", "[1 2]", "[12345678]", "x[i]", "[4-1]", "[٣]"] {
            assert_eq!(of(none), (vec![], vec![]), "{none}");
        }
        assert!(cited("[1-999999]", 3).unknown.len() < 10);
    }
}
