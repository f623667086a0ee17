//! What does an office file say of itself, and where are its parts?

use std::collections::HashMap;

use safepassage_error::Result;

use super::package::Package;
use super::xml::{Xml, walk};

/// Titles that programs give to files nobody has named.
const NOT_NAMED: [&str; 4] = ["word document", "powerpoint presentation", "presentation", "document"];

/// The title that somebody gave the file.
pub(super) fn title(package: &mut Package<'_>) -> Result<Option<String>> {
    let Some(core) = package.part("docProps/core.xml")? else { return Ok(None) };
    let (mut title, mut within) = (String::new(), false);
    walk(&core, &mut |xml| {
        match xml {
            Xml::Open(name, _) => within = name == "title",
            Xml::Text(text) if within => title.push_str(text),
            Xml::Text(_) => {}
            Xml::Close(_) => within = false,
        }
        Ok(())
    })?;
    let title = title.trim();
    Ok((!title.is_empty() && !NOT_NAMED.contains(&title.to_lowercase().as_str())).then(|| title.to_owned()))
}

/// Which parts the part `name` points at: (kind, path) by their id. What lies outside the file is left out.
pub(super) fn relations(package: &mut Package<'_>, name: &str) -> Result<HashMap<String, (String, String)>> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut relations = HashMap::new();
    let Some(part) = package.part(&format!("{folder}/_rels/{file}.rels"))? else { return Ok(relations) };
    walk(&part, &mut |xml| {
        if let Xml::Open("Relationship", attributes) = xml
            && attributes.get("TargetMode").as_deref() != Some("External")
            && let (Some(id), Some(kind), Some(target)) =
                (attributes.get("Id"), attributes.get("Type"), attributes.get("Target"))
        {
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            relations.insert(id, (kind, path(folder, &target)));
        }
        Ok(())
    })?;
    Ok(relations)
}

/// `target` as seen from `folder`.
fn path(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_seen_from_their_folder() {
        assert_eq!(path("ppt/slides", "../notesSlides/notesSlide1.xml"), "ppt/notesSlides/notesSlide1.xml");
        assert_eq!(path("ppt", "slides/slide1.xml"), "ppt/slides/slide1.xml");
        assert_eq!(path("ppt", "/ppt/./x.xml"), "ppt/./x.xml");
        assert_eq!(path("", "../../x"), "x");
    }
}
