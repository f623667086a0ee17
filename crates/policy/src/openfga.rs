//! Here are relationships in OpenFGA: who is a reader of which document?
//!
//! In go an identity and documents, out comes what the engine answers to BatchCheck, Check or ListObjects. Names that
//! mean something to the engine (`:`, `#`, `*`, spaces) are escaped in ids, so that no id is a wildcard or a userset.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use safepassage_access::{Authorizer, Identity, Listed};
use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Kind, Result};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::http::{Client, Endpoint, invalid, unavailable};
use crate::principals;

/// The most bytes the engine takes for an object, its type included.
const OBJECT_BYTES: usize = 256;
/// The same for a user.
const USER_BYTES: usize = 512;

/// How fresh the engine's answers must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Consistency {
    /// It may answer from its caches.
    MinimizeLatency,
    /// It looks at what is stored.
    HigherConsistency,
}

/// How an OpenFGA engine is asked.
#[derive(Debug, Clone)]
pub struct OpenFgaSettings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The store's id.
    pub store: String,
    /// The authorization model's id; the newest one unless set.
    pub model: Option<String>,
    /// What a user must be to a document; `reader` unless set.
    pub relation: String,
    /// The type of users; `user` unless set.
    pub user_type: String,
    /// The type of documents; `document` unless set.
    pub document_type: String,
    /// How fresh answers must be; what is stored counts unless set.
    pub consistency: Consistency,
    /// The most documents of one BatchCheck, 50 unless set; with 1 each is asked about by Check.
    pub max_batch: usize,
    /// Whether ListObjects is asked before a search; it is unless set.
    pub list: bool,
    /// How many objects the engine lists at most, as it is configured; a list of so many is not complete. 1,000 unless
    /// set.
    pub list_limit: usize,
    /// How long the engine looks for objects, as it is configured; a list that took so long is not complete. Three
    /// seconds unless set.
    pub list_deadline: Duration,
}

impl OpenFgaSettings {
    /// The store `store` of an engine, with the settings as they are unless set.
    #[must_use]
    pub fn new(endpoint: Endpoint, store: &str) -> Self {
        Self {
            endpoint,
            store: store.to_owned(),
            model: None,
            relation: "reader".to_owned(),
            user_type: "user".to_owned(),
            document_type: "document".to_owned(),
            consistency: Consistency::HigherConsistency,
            max_batch: 50,
            list: true,
            list_limit: 1000,
            list_deadline: Duration::from_secs(3),
        }
    }
}

/// An OpenFGA engine that decides about documents.
#[derive(Debug)]
pub struct OpenFga {
    client: Client,
    settings: OpenFgaSettings,
}

#[derive(Serialize)]
struct Tuple<'a> {
    user: &'a str,
    relation: &'a str,
    object: &'a str,
}

#[derive(Serialize)]
struct ListQuestion<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_model_id: Option<&'a str>,
    #[serde(rename = "type")]
    of: &'a str,
    relation: &'a str,
    user: &'a str,
    consistency: Consistency,
}

#[derive(Deserialize)]
struct ListAnswer {
    objects: Vec<String>,
}

#[derive(Serialize)]
struct CheckQuestion<'a> {
    tuple_key: Tuple<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_model_id: Option<&'a str>,
    consistency: Consistency,
}

#[derive(Deserialize)]
struct CheckAnswer {
    allowed: bool,
}

#[derive(Serialize)]
struct BatchQuestion<'a> {
    checks: Vec<BatchItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_model_id: Option<&'a str>,
    consistency: Consistency,
}

#[derive(Serialize)]
struct BatchItem<'a> {
    tuple_key: Tuple<'a>,
    correlation_id: String,
}

#[derive(Deserialize)]
struct BatchAnswer {
    result: Results,
}

#[derive(Deserialize)]
struct BatchResult {
    allowed: Option<bool>,
    error: Option<serde_json::Value>,
}

/// Results by correlation id as they stand, so that one given twice is seen.
struct Results(Vec<(String, BatchResult)>);

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Results;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("results by correlation id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Results, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Results(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl OpenFga {
    /// The engine that `settings` describe; nothing is asked yet.
    ///
    /// # Errors
    /// `Invalid` for a URL that is not https, an id or a name that cannot be one, or a batch of none.
    pub fn new(settings: OpenFgaSettings) -> Result<Self> {
        let client = Client::new(&settings.endpoint)?;
        for (what, id) in [("store", Some(&settings.store)), ("model", settings.model.as_ref())] {
            // The store's id becomes a part of the path.
            let fits =
                |id: &String| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            if id.is_some_and(|id| !fits(id)) {
                return Err(invalid(format!("`{}` cannot be the id of a {what}", id.map_or("", String::as_str))));
            }
        }
        for name in [&settings.relation, &settings.user_type, &settings.document_type] {
            if name.is_empty() || name.contains(|c: char| reserved(c) || c == '@') {
                return Err(invalid(format!("`{name}` cannot be a type or a relation")));
            }
        }
        if settings.max_batch == 0 || settings.list_limit == 0 {
            return Err(invalid("a batch or a list of none is of no use"));
        }
        Ok(Self { client, settings })
    }

    fn user(&self, identity: &Identity) -> Result<String> {
        let id = principals::escaped(&principals::asker(identity), reserved);
        let user = format!("{}:{id}", self.settings.user_type);
        if user.len() > USER_BYTES {
            return Err(Error::new(Kind::Denied, "ask engine", "the id of the asker is longer than the engine takes"));
        }
        Ok(user)
    }

    fn path(&self, verb: &str) -> String {
        format!("/stores/{}/{verb}", self.settings.store)
    }

    fn check_one(&self, user: &str, object: &str) -> Result<bool> {
        let OpenFgaSettings { relation, consistency, .. } = &self.settings;
        let question = CheckQuestion {
            tuple_key: Tuple { user, relation, object },
            authorization_model_id: self.settings.model.as_deref(),
            consistency: *consistency,
        };
        let answer: CheckAnswer = self.client.post(&self.path("check"), &question)?;
        Ok(answer.allowed)
    }

    fn check_batch(&self, user: &str, objects: &[&str]) -> Result<Vec<bool>> {
        let OpenFgaSettings { relation, consistency, .. } = &self.settings;
        let checks = objects.iter().enumerate().map(|(i, object)| BatchItem {
            tuple_key: Tuple { user, relation, object },
            correlation_id: i.to_string(),
        });
        let question = BatchQuestion {
            checks: checks.collect(),
            authorization_model_id: self.settings.model.as_deref(),
            consistency: *consistency,
        };
        let BatchAnswer { result: Results(results) } = self.client.post(&self.path("batch-check"), &question)?;
        let mut answers = vec![None; objects.len()];
        for (id, result) in results {
            let place = id.parse::<usize>().ok().and_then(|i| answers.get_mut(i)).filter(|_| is_canonical(&id));
            let place = place.ok_or_else(|| unavailable("there is an answer to what was not asked"))?;
            match (result.allowed, result.error) {
                (Some(allowed), None) if place.is_none() => *place = Some(allowed),
                (Some(_), None) => return Err(unavailable("there are two answers to one question")),
                _ => return Err(unavailable("the engine could not decide about a document")),
            }
        }
        let all: Option<Vec<bool>> = answers.into_iter().collect();
        all.ok_or_else(|| unavailable("an answer is missing"))
    }
}

/// Whether `id` is a number as we write it: `+1` and `01` are none.
fn is_canonical(id: &str) -> bool {
    id == "0" || (!id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit()))
}

/// What means something in the names of objects and users.
fn reserved(c: char) -> bool {
    matches!(c, ':' | '#' | '*') || c.is_whitespace() || c.is_control()
}

impl Authorizer for OpenFga {
    fn list(&self, identity: &Identity) -> Result<Option<Listed>> {
        if !self.settings.list {
            return Ok(None);
        }
        let user = self.user(identity)?;
        let OpenFgaSettings { model, relation, document_type, consistency, .. } = &self.settings;
        let question = ListQuestion {
            authorization_model_id: model.as_deref(),
            of: document_type,
            relation,
            user: &user,
            consistency: *consistency,
        };
        let since = Stopwatch::start();
        let answer: ListAnswer = self.client.post(&self.path("list-objects"), &question)?;
        // The engine does not say that it stopped early, only when it would.
        let in_time = since.seconds() < self.settings.list_deadline.as_secs_f64();
        let complete = in_time && answer.objects.len() < self.settings.list_limit;
        let mut documents = BTreeSet::new();
        for object in &answer.objects {
            let name = object.strip_prefix(document_type.as_str()).and_then(|rest| rest.strip_prefix(':'));
            let name = name.ok_or_else(|| unavailable("the list has an object of another type"))?;
            // Documents of other tenants, and objects that are none of ours.
            documents.extend(principals::document_named(identity.tenant(), name, reserved));
        }
        Ok(Some(Listed { documents: documents.into_iter().collect(), complete }))
    }

    fn check(&self, identity: &Identity, documents: &[&str]) -> Result<Vec<bool>> {
        if documents.len() > self.settings.max_batch {
            return Err(invalid(format!("{} documents are more than a batch", documents.len())));
        }
        let user = self.user(identity)?;
        let name = |id: &&str| {
            let object = principals::document(identity.tenant(), id, reserved);
            format!("{}:{object}", self.settings.document_type)
        };
        let objects: Vec<String> = documents.iter().map(name).collect();
        // The engine holds no relationship of an object with a longer name, and fails if it is asked.
        let asked: Vec<&str> = objects.iter().map(String::as_str).filter(|o| o.len() <= OBJECT_BYTES).collect();
        let answers = match &*asked {
            [] => Vec::new(),
            [one] if self.settings.max_batch == 1 => vec![self.check_one(&user, one)?],
            some => self.check_batch(&user, some)?,
        };
        let mut answers = answers.into_iter();
        Ok(objects.iter().map(|o| o.len() <= OBJECT_BYTES && answers.next() == Some(true)).collect())
    }

    fn max_batch(&self) -> usize {
        self.settings.max_batch
    }
}
