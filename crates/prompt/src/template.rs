//! Here is a file: is it a template, and what does it make of passages and a question?
//!
//! TOML with a name, a version, the text for the system, which is the same whoever asks, and the text for the user, in which
//! the passages stand before the question. What stands in a template is checked when it is read, not when it is used.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, Value};
use safepassage_error::{Error, Kind, Result};
use serde::Deserialize;

const OPERATION: &str = "read template";
/// Steps that a template may take: those of loops that somebody meant.
const FUEL: u64 = 100_000;
const PASSAGES: &str = "passages";
const QUESTION: &str = "question";

/// What stands where in a prompt.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    version: String,
    system: String,
    inputs: BTreeMap<String, String>,
    /// Holds the user's text under its name.
    environment: Environment<'static>,
}

/// A template as a person writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    version: String,
    system: String,
    user: String,
    /// What a caller gives besides, with what it is.
    #[serde(default)]
    inputs: BTreeMap<String, String>,
}

impl Template {
    /// The template that is used when nobody names one: it asks for short answers with citations.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn cited() -> Result<Self> {
        Self::parse(include_str!("../templates/cited.toml"))
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`; as [`Template::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
            Error::new(kind, OPERATION, e.to_string()).with("path", path.display())
        })?;
        Self::parse(&text).map_err(|e| e.with("path", path.display()))
    }

    /// A template of this text.
    ///
    /// # Errors
    /// `Invalid` if it is none: unknown fields, no name or version, a text that cannot be rendered, inputs that are not
    /// declared or not used, passages or question missing, twice, or in the wrong order, a system's text that depends on
    /// who asks.
    pub fn parse(text: &str) -> Result<Self> {
        let written: Written =
            toml::from_str(text).map_err(|e| Error::invalid(OPERATION, e.to_string().trim_end().to_owned()))?;
        let Written { name, version, system, user, inputs } = written;
        for (what, word) in [("name", &name), ("version", &version)] {
            if word.is_empty()
                || word.len() > 64
                || word.chars().any(|c| c.is_control() || c.is_whitespace() || c == '@')
            {
                return Err(Error::invalid(OPERATION, format!("`{word}` cannot be the {what} of a template")));
            }
        }
        let system = system.trim().to_owned();
        if system.contains("{{") || system.contains("{%") {
            let message = "the system's text is the same whoever asks: what differs belongs to the user's";
            return Err(Error::invalid(OPERATION, message));
        }
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned("user", user).map_err(|e| unrendered(&e))?;
        let template = Self { name, version, system, inputs, environment };
        template.check()?;
        Ok(template)
    }

    /// Whether it takes what it declares, and puts it where it must stand.
    fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::invalid(OPERATION, message));
        let taken = self.environment.get_template("user").map_err(|e| unrendered(&e))?.undeclared_variables(false);
        if let Some(own) = self.inputs.keys().find(|name| [PASSAGES, QUESTION].contains(&name.as_str())) {
            return invalid(format!("`{own}` is always given and cannot be an input"));
        }
        if let Some(other) = taken
            .iter()
            .find(|name| ![PASSAGES, QUESTION].contains(&name.as_str()) && !self.inputs.contains_key(name.as_str()))
        {
            return invalid(format!("`{other}` is used and is no declared input"));
        }
        if let Some(unused) = self.inputs.keys().find(|name| !taken.contains(name.as_str())) {
            return invalid(format!("the input `{unused}` is not used"));
        }
        let (passages, question) = ("\u{1}passages\u{1}", "\u{1}question\u{1}");
        let inputs = self.inputs.keys().map(|name| (name.clone(), String::new())).collect();
        let shown = self.user(passages, question, &inputs)?;
        let (one, other) = (shown.find(passages), shown.find(question));
        let once = shown.matches(passages).count() == 1 && shown.matches(question).count() == 1;
        match (one, other) {
            (Some(one), Some(other)) if once && one < other => Ok(()),
            _ => invalid("passages and question stand in it once each, and the question last".into()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Both, as they stand in logs: `name@version`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// What a caller gives besides passages and question, with what each is.
    #[must_use]
    pub fn inputs(&self) -> &BTreeMap<String, String> {
        &self.inputs
    }

    /// The system's text.
    pub(crate) fn system(&self) -> &str {
        &self.system
    }

    /// The user's text.
    pub(crate) fn user(&self, passages: &str, question: &str, inputs: &BTreeMap<String, String>) -> Result<String> {
        if let Some(other) = inputs.keys().find(|name| !self.inputs.contains_key(*name)) {
            return Err(Error::invalid("make prompt", format!("the template `{}` has no input `{other}`", self.id())));
        }
        if let Some(missing) = self.inputs.keys().find(|name| !inputs.contains_key(*name)) {
            return Err(Error::invalid("make prompt", format!("the template `{}` needs `{missing}`", self.id())));
        }
        let given = inputs.iter().map(|(name, value)| (name.clone(), value.clone()));
        let own = [(PASSAGES, passages), (QUESTION, question)].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let values: BTreeMap<String, String> = given.chain(own).collect();
        let template = self.environment.get_template("user").map_err(|e| unrendered(&e))?;
        Ok(template.render(Value::from(values)).map_err(|e| unrendered(&e))?.trim().to_owned())
    }
}

/// A fault of a template, without what was put into it.
fn unrendered(error: &minijinja::Error) -> Error {
    let line = error.line().map_or_else(String::new, |line| format!(" in line {line}"));
    Error::invalid(OPERATION, format!("the user's text cannot be rendered{line}: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "{{ passages }}\n{% if tone %}Sound {{ tone }}.{% endif %}\nQ: {{ question }}";

    fn written(system: &str, user: &str, inputs: &str) -> String {
        format!("name = \"t\"\nversion = \"2\"\nsystem = '''{system}'''\nuser = '''{user}'''\n[inputs]\n{inputs}")
    }

    #[test]
    fn a_template_puts_in_what_it_declares_and_nothing_is_rendered_twice() {
        let template = Template::parse(&written("Be brief.", USER, "tone = 'how it sounds'")).unwrap();
        assert_eq!((template.id().as_str(), template.inputs().len()), ("t@2", 1));
        let inputs = BTreeMap::from([("tone".to_owned(), "{{ question }}".to_owned())]);
        let shown = template.user("<p> & {{ tone }}", "why & {% how %}?", &inputs).unwrap();
        assert_eq!(shown, "<p> & {{ tone }}\nSound {{ question }}.\nQ: why & {% how %}?");
        assert!(template.user("p", "q", &BTreeMap::new()).unwrap_err().message().contains("`tone`"));
        let more = BTreeMap::from([("tone".to_owned(), String::new()), ("mood".to_owned(), String::new())]);
        assert!(template.user("p", "q", &more).unwrap_err().message().contains("`mood`"));
        assert_eq!(Template::cited().unwrap().id(), "cited@1");
    }

    #[test]
    fn what_is_no_template_is_refused_when_it_is_read() {
        let good = written("Be brief.", USER, "tone = 'x'");
        for (from, to) in [
            ("name = \"t\"", "name = \"\""),
            ("name = \"t\"", "name = \"a b\""),
            ("version = \"2\"", ""),
            ("version", "versoin"),
            ("Be brief.", "Be {{ tone }}."),
            ("{{ passages }}", ""),
            ("{{ question }}", ""),
            ("{{ passages }}", "{{ passages }}{{ passages }}"),
            ("{{ passages }}", "{{ question }}{{ passages }}"),
            ("{{ passages }}", "{% for n in range(100000000) %}x{% endfor %}{{ passages }}"),
            ("{{ passages }}", "{{ passages }}{{ secret }}"),
            ("{{ passages }}", "{% include 'other' %}{{ passages }}"),
            ("{% endif %}", ""),
            ("tone = 'x'", "tone = 'x'\nmood = 'y'"),
            ("tone = 'x'", "tone = 'x'\nquestion = 'y'"),
        ] {
            let error = Template::parse(&good.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{from} -> {to}: {error}");
        }
        let order = "Q: {{ question }}\n{{ passages }} {{ tone }}";
        assert!(Template::parse(&written("", order, "tone = 'x'")).is_err());
    }
}
