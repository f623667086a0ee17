//! Here is what somebody typed: is it a question that a model may be asked?
//!
//! Characters that nobody sees are refused rather than taken out: a question that is changed is another question.

use safepassage_error::{Error, Result};

/// What is taken as a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuestionLimits {
    /// Bytes; 8,000 unless set.
    pub most_bytes: usize,
}

impl Default for QuestionLimits {
    fn default() -> Self {
        Self { most_bytes: 8_000 }
    }
}

/// Whether `question` is one.
///
/// # Errors
/// `Invalid` if it is empty, too long, or has characters that are not text: controls other than tab and line feed, marks
/// that turn the direction of what is shown, tags and others that are not shown at all.
pub fn check_question(question: &str, limits: QuestionLimits) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("ask", message));
    if question.trim().is_empty() {
        return invalid("the question is empty".into());
    }
    if question.len() > limits.most_bytes {
        return invalid(format!("the question has {} bytes; {} can be", question.len(), limits.most_bytes));
    }
    match question.char_indices().find(|(_, c)| is_unseen(*c)) {
        Some((at, c)) => {
            invalid(format!("the question has the character U+{:04X} at byte {at}, which is no text", c as u32))
        }
        None => Ok(()),
    }
}

/// Whether a character steers rather than says something.
pub(crate) fn is_unseen(c: char) -> bool {
    match c {
        '\n' | '\t' | '\r' => false,
        // Marks of direction, separators of lines, what is invisible by design, and the tags that spell unseen words.
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' => true,
        '\u{200B}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' | '\u{E0100}'..='\u{E01EF}' => {
            true
        }
        c => c.is_control() || (c as u32) & 0xFFFE == 0xFFFE || ('\u{FDD0}'..='\u{FDEF}').contains(&c),
    }
}

#[cfg(test)]
mod tests {
    use safepassage_error::Kind;

    use super::*;

    #[test]
    fn questions_of_all_scripts_pass_and_what_nobody_sees_does_not() {
        let check = |question: &str| check_question(question, QuestionLimits::default());
        for question in ["what?", "wer\tdarf\ndas?", "誰が", "من؟", "👩‍👩‍👧 who?", "naïve e\u{301}", "क\u{200d}ष"]
        {
            check(question).unwrap();
        }
        for unseen in ['\0', '\u{1b}', '\u{202e}', '\u{2066}', '\u{e0041}', '\u{200b}', '\u{ffff}', '\u{85}'] {
            let error = check(&format!("who{unseen}?")).unwrap_err();
            assert!(error.kind() == Kind::Invalid && error.message().contains("byte 3"), "{error}");
        }
        check(" \n").unwrap_err();
        check(&"x".repeat(8_000)).unwrap();
        let long = check(&"secret ".repeat(2_000)).unwrap_err();
        assert!(!long.to_string().contains("secret"));
    }
}
