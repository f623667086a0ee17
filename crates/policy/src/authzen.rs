//! Here is a policy decision point that speaks AuthZEN 1.0: does it let the asker read?
//!
//! In go an identity and documents, out comes what the point answers to Access Evaluation(s), or to Resource Search
//! where it is switched on. Answers carry no name of what they answer; they count only if there is one for each
//! question, in order, as the protocol has it.

use std::collections::BTreeSet;
use std::time::Duration;

use safepassage_access::{Authorizer, Identity, Listed};
use safepassage_error::Result;
use safepassage_error::system::Stopwatch;
use serde::{Deserialize, Serialize};

use crate::http::{Client, Endpoint, invalid, unavailable};
use crate::principals;

/// How a policy decision point is asked.
#[derive(Debug, Clone)]
pub struct AuthZenSettings {
    /// Where it is; everything is under `/access/v1` there.
    pub endpoint: Endpoint,
    /// The type of subjects; `user` unless set.
    pub subject_type: String,
    /// The type of resources; `document` unless set.
    pub resource_type: String,
    /// The action's name; `read` unless set.
    pub action: String,
    /// The most documents of one request, 50 unless set; with 1 each is asked about alone.
    pub max_batch: usize,
    /// Whether Resource Search is asked before a search; not unless set.
    pub search: bool,
    /// Of more documents than these the rest is not fetched and the list not complete; 10,000 unless set.
    pub max_listed: usize,
    /// A list must be whole after this time; five seconds unless set.
    pub list_deadline: Duration,
}

impl AuthZenSettings {
    /// The point at `endpoint`, with the settings as they are unless set.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            subject_type: "user".to_owned(),
            resource_type: "document".to_owned(),
            action: "read".to_owned(),
            max_batch: 50,
            search: false,
            max_listed: 10_000,
            list_deadline: Duration::from_secs(5),
        }
    }
}

/// A policy decision point that decides about documents.
#[derive(Debug)]
pub struct AuthZen {
    client: Client,
    settings: AuthZenSettings,
}

#[derive(Serialize)]
struct Subject<'a> {
    #[serde(rename = "type")]
    of: &'a str,
    id: String,
    properties: Properties<'a>,
}

/// What the identity says of the asker beside who it is.
#[derive(Serialize)]
struct Properties<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    tenant: &'a str,
    groups: Vec<&'a str>,
    groups_complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clearance: Option<&'a str>,
}

#[derive(Serialize)]
struct Action<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    of: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// One question, to which a resource, several of them or a page is added.
#[derive(Serialize)]
struct Question<'a> {
    subject: Subject<'a>,
    action: Action<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evaluations: Vec<Evaluation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Options>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<NextPage>,
}

#[derive(Serialize)]
struct Evaluation<'a> {
    resource: Resource<'a>,
}

#[derive(Serialize)]
struct Options {
    evaluations_semantic: &'static str,
}

#[derive(Serialize)]
struct NextPage {
    token: String,
}

#[derive(Deserialize)]
struct Decision {
    decision: bool,
}

#[derive(Deserialize)]
struct Decisions {
    evaluations: Vec<Decision>,
}

#[derive(Deserialize)]
struct Found {
    results: Vec<FoundResource>,
    page: Option<Page>,
}

#[derive(Deserialize)]
struct FoundResource {
    #[serde(rename = "type")]
    of: String,
    id: String,
}

#[derive(Deserialize)]
struct Page {
    next_token: Option<String>,
}

impl AuthZen {
    /// The point that `settings` describe; nothing is asked yet.
    ///
    /// # Errors
    /// `Invalid` for a URL that is not https, or a batch or list of none.
    pub fn new(settings: AuthZenSettings) -> Result<Self> {
        let client = Client::new(&settings.endpoint)?;
        if settings.max_batch == 0 || settings.max_listed == 0 {
            return Err(invalid("a batch or a list of none is of no use"));
        }
        Ok(Self { client, settings })
    }

    fn question<'a>(&'a self, identity: &'a Identity) -> Question<'a> {
        let properties = Properties {
            tenant: &identity.tenant().0,
            groups: identity.groups().collect(),
            groups_complete: identity.groups_complete(),
            issuer: identity.issuer(),
            clearance: identity.clearance(),
        };
        let subject = Subject { of: &self.settings.subject_type, id: principals::asker(identity), properties };
        let action = Action { name: &self.settings.action };
        Question { subject, action, resource: None, evaluations: Vec::new(), options: None, page: None }
    }

    fn resource(&self, identity: &Identity, id: &str) -> Resource<'_> {
        let id = principals::document(identity.tenant(), id, |_| false);
        Resource { of: &self.settings.resource_type, id: Some(id) }
    }
}

impl Authorizer for AuthZen {
    fn list(&self, identity: &Identity) -> Result<Option<Listed>> {
        if !self.settings.search {
            return Ok(None);
        }
        let AuthZenSettings { resource_type, max_listed, list_deadline, .. } = &self.settings;
        let since = Stopwatch::start();
        let (mut documents, mut tokens, mut seen) = (BTreeSet::new(), Vec::<String>::new(), 0);
        loop {
            let mut question = self.question(identity);
            question.resource = Some(Resource { of: resource_type, id: None });
            question.page = tokens.last().map(|token| NextPage { token: token.clone() });
            let found: Found = self.client.post("/access/v1/search/resource", &question)?;
            seen += found.results.len();
            for resource in found.results {
                if resource.of != *resource_type {
                    return Err(unavailable("the list has a resource of another type"));
                }
                documents.extend(principals::document_named(identity.tenant(), &resource.id, |_| false));
            }
            let next = found.page.and_then(|page| page.next_token).filter(|token| !token.is_empty());
            let Some(token) = next.filter(|_| seen < *max_listed) else {
                let complete = seen < *max_listed;
                return Ok(Some(Listed { documents: documents.into_iter().collect(), complete }));
            };
            if tokens.contains(&token) || since.seconds() >= list_deadline.as_secs_f64() {
                return Err(unavailable("the list does not end"));
            }
            tokens.push(token);
        }
    }

    fn check(&self, identity: &Identity, documents: &[&str]) -> Result<Vec<bool>> {
        if documents.len() > self.settings.max_batch {
            return Err(invalid(format!("{} documents are more than a batch", documents.len())));
        }
        let mut question = self.question(identity);
        match documents {
            [] => Ok(Vec::new()),
            [one] if self.settings.max_batch == 1 => {
                question.resource = Some(self.resource(identity, one));
                let answer: Decision = self.client.post("/access/v1/evaluation", &question)?;
                Ok(vec![answer.decision])
            }
            some => {
                let evaluations = some.iter().map(|id| Evaluation { resource: self.resource(identity, id) });
                question.evaluations = evaluations.collect();
                question.options = Some(Options { evaluations_semantic: "execute_all" });
                let answer: Decisions = self.client.post("/access/v1/evaluations", &question)?;
                if answer.evaluations.len() != some.len() {
                    return Err(unavailable("there are more or fewer answers than questions"));
                }
                Ok(answer.evaluations.into_iter().map(|answer| answer.decision).collect())
            }
        }
    }

    fn max_batch(&self) -> usize {
        self.settings.max_batch
    }
}
