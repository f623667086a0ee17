//! Here are passages, best first, and a window: which of them go into the prompt?
//!
//! Each as a whole or not at all, so that no citation is of half a passage. One that is too long is left out, and shorter
//! ones after it may still fit.

use std::collections::BTreeMap;

use safepassage_error::{Error, Result};

use crate::fence::{Fence, Passage};
use crate::template::Template;

/// Tokens that stand between messages.
const AROUND: usize = 16;

/// How many tokens there are.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Prompt and answer together.
    pub window: usize,
    /// Kept free for the answer.
    pub answer: usize,
    /// How many tokens a text has.
    pub tokens: &'a dyn Fn(&str) -> usize,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The system's text.
    pub system: String,
    /// The user's text.
    pub user: String,
    /// The places of the passages that are in it, in order: the first of these has the number 1 in the prompt.
    pub passages: Vec<usize>,
    /// Tokens of the prompt, as they were counted.
    pub tokens: usize,
}

impl Template {
    /// The prompt for `question` with as many of `passages` as there is `room` for, best first. The same, whoever asks, for
    /// the same texts and the same `salt`.
    ///
    /// # Errors
    /// `Invalid` if there are passages and none fits, if there is no room for the question, for inputs other than those
    /// declared, or if the template takes passages apart.
    pub fn fit(
        &self,
        question: &str,
        passages: &[Passage<'_>],
        inputs: &BTreeMap<String, String>,
        room: &Room<'_>,
        salt: &[u8],
    ) -> Result<Fitted> {
        let fence = Fence::new(salt, question, passages);
        let question = fence.harmless(question);
        let inputs: BTreeMap<_, _> = inputs.iter().map(|(name, value)| (name.clone(), fence.harmless(value))).collect();
        let budget = room.window.saturating_sub(room.answer).saturating_sub(AROUND);
        let tokens = |text: &str| (room.tokens)(text);
        let bare = tokens(self.system()) + tokens(&self.user("", &question, &inputs)?);
        let invalid = |what: &str| {
            let message = format!("{what} in {} tokens, of which {} are kept for the answer", room.window, room.answer);
            Err(Error::invalid("make prompt", message))
        };
        if bare > budget {
            return invalid("there is no room for the question");
        }
        let (mut used, mut chosen, mut blocks) = (bare, Vec::new(), Vec::new());
        for (at, passage) in passages.iter().enumerate() {
            let block = fence.around(chosen.len() + 1, *passage);
            let cost = tokens(&block) + tokens("\n\n");
            if used + cost <= budget {
                used += cost;
                chosen.push(at);
                blocks.push(block);
            }
        }
        // Tokens of parts need not add up to those of the whole.
        let (user, tokens) = loop {
            let user = self.user(&blocks.join("\n\n"), &question, &inputs)?;
            let all = tokens(self.system()) + tokens(&user);
            if all <= budget || blocks.pop().is_none() {
                break (user, all);
            }
            chosen.pop();
        };
        if chosen.is_empty() && !passages.is_empty() {
            return invalid("there is no room for any passage");
        }
        fence.check(&user, chosen.len())?;
        Ok(Fitted { system: self.system().to_owned(), user, passages: chosen, tokens })
    }
}

#[cfg(test)]
mod tests {
    use safepassage_error::Kind;

    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn fit(window: usize, texts: &[&str]) -> Result<Fitted> {
        let room = Room { window, answer: 20, tokens: &words };
        let passages: Vec<_> = texts.iter().map(|text| Passage { title: "A title", text }).collect();
        Template::cited().unwrap().fit("how much?", &passages, &BTreeMap::new(), &room, b"salt")
    }

    #[test]
    fn passages_go_in_whole_best_first_as_long_as_there_is_room() {
        let long = "word ".repeat(500);
        let all = fit(4096, &["first text", &long, "third text"]).unwrap();
        assert_eq!(all.passages, [0, 1, 2]);
        let some = fit(300, &["first text", &long, "third text"]).unwrap();
        assert_eq!(some.passages, [0, 2]);
        assert!(
            some.user.contains("<passage 2 ") && some.user.contains("third text") && !some.user.contains("word word")
        );
        assert!(some.tokens + 20 <= 300);
        for (window, texts) in [(300, &[long.as_str()][..]), (30, &[])] {
            assert_eq!(fit(window, texts).unwrap_err().kind(), Kind::Invalid);
        }
        assert!(fit(4096, &[]).unwrap().passages.is_empty());
    }

    #[test]
    fn the_window_holds_whatever_the_lengths_are() {
        let texts: Vec<String> = (0..40).map(|n| "word ".repeat(1 + n * 7 % 60)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for window in (200..2000).step_by(37) {
            let Ok(fitted) = fit(window, &texts) else { continue };
            assert!(words(&fitted.system) + words(&fitted.user) + 20 <= window, "{window}");
            for (number, at) in (1..).zip(&fitted.passages) {
                let (_, rest) = fitted.user.split_once(&format!("<passage {number} ")).unwrap();
                assert_eq!(words(rest.split("</passage").next().unwrap()) - 3, words(texts[*at]), "{window} {number}");
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_the_question_is_last() {
        let fitted = fit(4096, &["Pay rises."]).unwrap();
        assert_eq!(fitted, fit(4096, &["Pay rises."]).unwrap());
        assert!(fitted.user.ends_with("Question: how much?"));
    }
}
