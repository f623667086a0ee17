//! Here is a generation: which model made its vectors, and where is that?
//!
//! A generation may have another model than the one before. What is held is of one stamp, and given out only for
//! generations of that stamp: a question is never compared with vectors of another model.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Index, Settings};
use safepassage_ingest::check_model;
use safepassage_models::{Embedder, open_folder};

use crate::engine::Engine;

/// Before a catalogue's path and a model's name, where an index remembers its model.
const CATALOGUE: &str = "catalogue:";
const BUILTIN: &str = "builtin";

/// Which model makes the vectors.
#[derive(Clone, Default)]
pub enum EmbedderChoice {
    /// all-MiniLM-L6-v2 inside the program (feature `builtin`).
    #[default]
    Builtin,
    /// A folder of the BERT family, or of static tokens (model2vec).
    Folder(PathBuf),
    /// A model of a catalogue: the file, and its name there (feature `remote`). The index remembers both, and keeps a
    /// cache of what was embedded beside its files.
    #[cfg(feature = "remote")]
    Catalogued(PathBuf, String),
    /// One that the caller made.
    Given(Arc<dyn Embedder>),
    /// The caller brings vectors of this many dimensions.
    Vectors(usize),
}

impl EmbedderChoice {
    /// The model, and how an index remembers it. What one of a catalogue embeds is kept in the folder of the index, if
    /// there is one.
    #[cfg_attr(
        not(feature = "remote"),
        expect(unused_variables, reason = "only what is elsewhere is kept in the folder")
    )]
    pub(crate) fn open(&self, folder: Option<&Path>) -> Result<(Arc<dyn Embedder>, Option<String>)> {
        let absolute =
            |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
        Ok(match self {
            Self::Builtin => (builtin()?, Some(BUILTIN.to_owned())),
            Self::Folder(path) => (open_folder(path)?, Some(absolute(path))),
            #[cfg(feature = "remote")]
            Self::Catalogued(path, name) => {
                let cache = folder.map(crate::remote::cache_of);
                let embedder = crate::remote::open_model(path, name, cache.as_deref())?;
                (embedder, Some(format!("{CATALOGUE}{}#{name}", absolute(path))))
            }
            Self::Given(embedder) => (Arc::clone(embedder), None),
            Self::Vectors(_) => {
                return Err(Error::invalid("open model", "vectors that the caller brings have no model"));
            }
        })
    }

    /// Whether texts leave the process for it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        #[cfg(feature = "remote")]
        if matches!(self, Self::Catalogued(..)) {
            return true;
        }
        false
    }
}

/// The models that an engine has at hand.
pub(crate) struct Models {
    /// Those the caller made; the index's own ways to a model are not used then.
    given: RwLock<Vec<Arc<dyn Embedder>>>,
    /// Those last used, each with the stamp of the generations it is for.
    held: RwLock<Vec<Held>>,
}

/// That of the index and that of its candidate: while one takes the place of the other, both are asked.
const MOST_HELD: usize = 2;

#[derive(Clone)]
struct Held {
    model: serde_json::Value,
    embedder: Arc<dyn Embedder>,
}

impl Models {
    /// `given`, if it is the model of `index`.
    pub fn new(index: &Index, given: Option<Arc<dyn Embedder>>) -> Result<Self> {
        let models = Self { given: RwLock::default(), held: RwLock::default() };
        if let Some(embedder) = given {
            check_model(&index.snapshot()?.manifest().settings.model, &*embedder)?;
            models.give(embedder);
        }
        Ok(models)
    }

    /// Uses `embedder` for generations of its model.
    pub fn give(&self, embedder: Arc<dyn Embedder>) {
        self.given.write().unwrap_or_else(PoisonError::into_inner).push(embedder);
    }

    /// Holds a model that was opened for `index`.
    pub fn hold(&self, index: &Index, embedder: Arc<dyn Embedder>) -> Result<()> {
        let model = index.snapshot()?.manifest().settings.model.clone();
        check_model(&model, &*embedder)?;
        self.remember(Held { model, embedder });
        Ok(())
    }

    fn remember(&self, now: Held) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|other| other.model != now.model);
        if held.len() >= MOST_HELD {
            held.remove(0);
        }
        held.push(now);
    }

    /// The model of generations with `settings`.
    fn of(&self, settings: &Settings, folder: Option<&Path>) -> Result<Arc<dyn Embedder>> {
        let known = |held: &Held| (held.model == settings.model).then(|| Arc::clone(&held.embedder));
        if let Some(embedder) = self.held.read().unwrap_or_else(PoisonError::into_inner).iter().find_map(known) {
            return Ok(embedder);
        }
        let given = self.given.read().unwrap_or_else(PoisonError::into_inner).clone();
        let embedder = if given.is_empty() {
            let embedder = open(settings, folder)?;
            check_model(&settings.model, &*embedder)?;
            embedder
        } else {
            let fits = |embedder: &Arc<dyn Embedder>| check_model(&settings.model, &**embedder).is_ok();
            given.into_iter().rev().find(fits).ok_or_else(|| changed(settings))?
        };
        self.remember(Held { model: settings.model.clone(), embedder: Arc::clone(&embedder) });
        Ok(embedder)
    }
}

fn changed(settings: &Settings) -> Error {
    let message =
        format!("the index's model is `{}` by now, which was not given; open the index again", settings.model_name());
    Error::new(Kind::Conflict, "embed", message)
}

/// The model that an index remembers.
fn open(settings: &Settings, folder: Option<&Path>) -> Result<Arc<dyn Embedder>> {
    match settings.embedder.as_deref() {
        Some(BUILTIN) => builtin(),
        Some(hint) if hint.starts_with(CATALOGUE) => catalogued(&hint[CATALOGUE.len()..], folder),
        Some(folder) => open_folder(Path::new(folder)),
        None if settings.model.is_null() => {
            Err(Error::invalid("embed", "the index has vectors and no model; search by vector, or by words alone"))
        }
        None => Err(Error::invalid("embed", "open the index with the embedder it was made with")),
    }
}

/// The model that the index remembers as `PATH#NAME`, with the cache beside the index's files.
#[cfg(feature = "remote")]
fn catalogued(hint: &str, folder: Option<&Path>) -> Result<Arc<dyn Embedder>> {
    let (path, name) = in_catalogue(hint);
    let cache = folder.map(crate::remote::cache_of);
    crate::remote::open_model(path, name, cache.as_deref())
}

/// Where the catalogue lies and what the model is called there, of what an index remembers as `PATH#NAME`.
#[cfg(feature = "remote")]
fn in_catalogue(hint: &str) -> (&Path, &str) {
    let (path, name) = hint.rsplit_once('#').unwrap_or((hint, ""));
    (Path::new(path), name)
}

#[cfg(not(feature = "remote"))]
fn catalogued(_: &str, _: Option<&Path>) -> Result<Arc<dyn Embedder>> {
    Err(Error::invalid("embed", "the index's model is elsewhere, and this program was built without `remote`"))
}

#[cfg(feature = "builtin")]
fn builtin() -> Result<Arc<dyn Embedder>> {
    Ok(Arc::new(safepassage_models::builtin()?))
}

#[cfg(not(feature = "builtin"))]
fn builtin() -> Result<Arc<dyn Embedder>> {
    let message = "this program was built without the feature `builtin`; build it with it, or give an embedder";
    Err(Error::invalid("load model", message))
}

impl Engine {
    /// The model of the newest generation, loaded when first asked for.
    ///
    /// # Errors
    /// `Invalid` if the index has none, if it must be given to [`Engine::open_with`], or if the model at hand is not
    /// the one the index was made with; `Conflict` if it was given and the index has another one by now.
    pub fn embedder(&self) -> Result<Arc<dyn Embedder>> {
        self.embedder_of(&self.index().snapshot()?.manifest().settings)
    }

    /// The file of the catalogue that the model is in, and what it is called there.
    ///
    /// # Errors
    /// `Invalid` if the model is in none.
    #[cfg(feature = "aws")]
    pub(crate) fn catalogue(&self) -> Result<(PathBuf, String)> {
        let snapshot = self.index().snapshot()?;
        let hint = snapshot.manifest().settings.embedder.as_deref().and_then(|hint| hint.strip_prefix(CATALOGUE));
        let (path, name) = hint
            .map(in_catalogue)
            .ok_or_else(|| Error::invalid("open model", "the model of this index is in no catalogue"))?;
        Ok((path.to_owned(), name.to_owned()))
    }

    /// Uses `embedder` too, for generations of its model.
    pub fn give_embedder(&self, embedder: Arc<dyn Embedder>) {
        self.models().give(embedder);
    }

    /// The model of generations with `settings`.
    pub(crate) fn embedder_of(&self, settings: &Settings) -> Result<Arc<dyn Embedder>> {
        self.models().of(settings, self.index().folder())
    }
}
