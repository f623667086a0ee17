//! Which styles of a Word file are headings, and of which level?

use std::collections::HashMap;

use safepassage_error::Result;

use super::xml::{Xml, walk};

/// The level that stands for the title of the document.
pub(super) const TITLE: u8 = 0;

/// Styles are made of styles, though not for ever.
const MOST_STEPS: usize = 16;

#[derive(Default)]
struct Style {
    level: Option<u8>,
    based_on: Option<String>,
}

/// The level of each style that is a heading, by the style's id.
pub(super) fn levels(styles: &[u8]) -> Result<HashMap<String, u8>> {
    let mut all = HashMap::<String, Style>::new();
    let mut open = String::new();
    walk(styles, &mut |xml| {
        let Xml::Open(name, attributes) = xml else { return Ok(()) };
        if name == "style" {
            open = attributes.get("styleId").unwrap_or_default();
            all.insert(open.clone(), Style::default());
        }
        if let (Some(style), Some(value)) = (all.get_mut(&open), attributes.get("val")) {
            match name {
                "name" => style.level = named(&value).or(style.level),
                "outlineLvl" => style.level = style.level.or(value.parse().ok().and_then(outline)),
                "basedOn" => style.based_on = Some(value),
                _ => {}
            }
        }
        Ok(())
    })?;
    let level = |id: &String| {
        let steps = std::iter::successors(all.get(id), |style| all.get(style.based_on.as_ref()?));
        steps.take(MOST_STEPS).find_map(|style| style.level)
    };
    Ok(all.keys().filter_map(|id| Some((id.clone(), level(id)?))).collect())
}

/// The level of an outline level, which counts from 0 and has 9 for what is no heading.
pub(super) fn outline(level: usize) -> Option<u8> {
    (level < 9).then_some(level as u8 + 1)
}

fn named(name: &str) -> Option<u8> {
    let name = name.to_lowercase();
    if name == "title" {
        return Some(TITLE);
    }
    name.strip_prefix("heading ")?.parse().ok().filter(|level| (1..=9).contains(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_by_outline_and_by_what_they_are_made_of() {
        let style = |id: &str, inner: &str| format!("<style styleId=\"{id}\">{inner}</style>");
        let styles = [
            style("t", "<name val=\"Title\"/>"),
            style("h", "<name val=\"heading 2\"/><outlineLvl val=\"5\"/>"),
            style("o", "<name val=\"Mine\"/><pPr><outlineLvl val=\"0\"/></pPr>"),
            style("on", "<basedOn val=\"o\"/>"),
            style("body", "<outlineLvl val=\"9\"/>"),
            style("round", "<basedOn val=\"about\"/>"),
            style("about", "<basedOn val=\"round\"/>"),
        ];
        let levels = levels(format!("<styles>{}</styles>", styles.concat()).as_bytes()).unwrap();
        let level = |id: &str| levels.get(id).copied();
        assert_eq!(["t", "h", "o", "on", "body", "round"].map(level), [Some(0), Some(2), Some(1), Some(1), None, None]);
    }
}
