//! Here is a message that something changed in a bucket: which objects should be looked at again?
//!
//! S3's own notifications (as they lie in an SQS queue, also when they came through SNS) and those of EventBridge. Messages
//! come more than once and in any order, so they say where to look and nothing of what is there: who sees what is read
//! from the bucket.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use safepassage_error::{Error, Result};

use super::client::is_version;
use super::keys::decoded;
use crate::options;

/// An object that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChange {
    /// Its bucket.
    pub bucket: String,
    /// Its key, decoded.
    pub key: String,
    /// Whether the message says that it is gone.
    pub removed: bool,
    /// Orders messages about the same object, where it is given.
    pub sequencer: Option<String>,
    /// The version that it is about, where the bucket keeps versions.
    pub version: Option<String>,
}

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectEvents {
    /// In the order of the message; empty for a test message of S3.
    pub changes: Vec<ObjectChange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    s3: Named,
}

#[derive(Deserialize)]
struct Named {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    sequencer: Option<String>,
    #[serde(rename = "versionId", alias = "version-id")]
    version: Option<String>,
}

impl ObjectEvents {
    /// Reads one message.
    ///
    /// # Errors
    /// `Invalid` if it is not one of S3: then nobody knows what changed, and everything should be looked at again.
    pub fn read(message: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(message).map_err(|e| unknown().because(e))?;
        Self::of(value)
    }

    /// Reads messages that follow each other: one a line, or as tools write what a queue gave.
    ///
    /// # Errors
    /// As [`ObjectEvents::read`], of any of them.
    pub fn read_all(messages: &str) -> Result<Vec<Self>> {
        let values = serde_json::Deserializer::from_str(messages).into_iter::<Value>();
        values.map(|value| Self::of(value.map_err(|e| unknown().because(e))?)).collect()
    }

    fn of(value: Value) -> Result<Self> {
        if let Some(body) = value.get("Body").or_else(|| value.get("body")).and_then(Value::as_str) {
            // A message of a queue.
            return Self::read(body);
        }
        // What `ReceiveMessage` gives, and what a function is called with that a queue calls.
        let of_queue = |one: &Value| one.get("Body").is_some() || one.get("body").is_some();
        let several = value.get("Messages").or_else(|| value.get("Records")).and_then(Value::as_array);
        if let Some(several) = several.filter(|several| several.iter().any(of_queue)) {
            let changes = several.iter().map(|one| Ok(Self::of(one.clone())?.changes)).collect::<Result<Vec<_>>>()?;
            return Ok(Self { changes: changes.concat() });
        }
        if let Some(inner) = value.get("Message").and_then(Value::as_str).filter(|_| value.get("TopicArn").is_some()) {
            // SNS puts the message in another.
            return Self::read(inner);
        }
        if value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            return Ok(Self::default());
        }
        if let Some(records) = value.get("Records") {
            let records: Vec<Record> =
                Deserialize::deserialize(records).map_err(|e: serde_json::Error| unknown().because(e))?;
            let changes = records.into_iter().map(|record| {
                let Named { bucket, mut object } = record.s3;
                object.key = decoded(&object.key).ok_or_else(unknown)?;
                let removed = removed(&record.event_name).ok_or_else(unknown)?;
                Ok(change(bucket, object, removed))
            });
            return Ok(Self { changes: changes.collect::<Result<_>>()? });
        }
        let of_s3 = value.get("source").and_then(Value::as_str) == Some("aws.s3");
        let kind = value.get("detail-type").and_then(Value::as_str).filter(|_| of_s3).ok_or_else(unknown)?;
        let detail = value.get("detail").ok_or_else(unknown)?;
        let Named { bucket, object } =
            Deserialize::deserialize(detail).map_err(|e: serde_json::Error| unknown().because(e))?;
        let removed = kind == "Object Deleted";
        Ok(Self { changes: vec![change(bucket, object, removed)] })
    }
}

/// The names below `url` of the objects there that these messages speak of. What they say of them does not matter, nor
/// their order or that some come twice: what counts is what is there. With the version, where all messages about an object
/// are about this one.
///
/// # Errors
/// `Invalid` if `url` is no URL of a bucket.
pub fn changed_below<'a>(
    url: &str,
    events: impl IntoIterator<Item = &'a ObjectEvents>,
) -> Result<BTreeMap<String, Option<String>>> {
    let (url, _) = options::read(url)?;
    let refused = || Error::invalid("read S3 message", format!("`{url}` is not s3://BUCKET/FOLDER"));
    let place = url.strip_prefix("s3://").ok_or_else(refused)?;
    let (bucket, folder) = place.split_once('/').unwrap_or((place, ""));
    let folder = folder.trim_end_matches('/');
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let changes = events.into_iter().flat_map(|events| &events.changes).filter(|change| change.bucket == bucket);
    let mut below = BTreeMap::new();
    for change in changes {
        let Some(key) = change.key.strip_prefix(&prefix) else { continue };
        let version = change.version.clone().filter(|_| !change.removed);
        let known = below.entry(key.to_owned()).or_insert_with(|| version.clone());
        *known = known.take().filter(|known| version.as_ref() == Some(known));
    }
    Ok(below)
}

fn change(bucket: Bucket, object: Object, removed: bool) -> ObjectChange {
    let Object { key, sequencer, version } = object;
    ObjectChange {
        bucket: bucket.name,
        key,
        removed,
        sequencer,
        version: version.filter(|version| is_version(version)),
    }
}

fn unknown() -> Error {
    Error::invalid("read S3 message", "it is not a message of S3, SNS or EventBridge about objects")
}

/// Whether `name` says that an object is gone; `None` if it says nothing of objects.
fn removed(name: &str) -> Option<bool> {
    let name = name.strip_prefix("s3:").unwrap_or(name);
    let kind = name.split(':').next().unwrap_or_default();
    match kind {
        "ObjectRemoved" | "LifecycleExpiration" => Some(true),
        kind if kind.starts_with("Object") => Some(false),
        "LifecycleTransition" | "IntelligentTiering" | "Replication" | "ReducedRedundancyLostObject" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, removed: bool) -> ObjectChange {
        let (sequencer, version) = (Some("0055AED6DCD90281E5".into()), None);
        ObjectChange { bucket: "docs".into(), key: key.into(), removed, sequencer, version }
    }

    fn notification(name: &str, key: &str) -> String {
        format!(
            r#"{{"Records": [{{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "{name}", "s3": {{
                "bucket": {{"name": "docs", "arn": "arn:aws:s3:::docs"}},
                "object": {{"key": "{key}", "size": 1, "eTag": "x", "sequencer": "0055AED6DCD90281E5"}}}}}}]}}"#
        )
    }

    #[test]
    fn messages_of_both_kinds_name_the_object() {
        let created = notification("ObjectCreated:Put", "hr/a+b%2Bc.md");
        assert_eq!(ObjectEvents::read(&created).unwrap().changes, [change("hr/a b+c.md", false)]);
        let removed = notification("s3:ObjectRemoved:DeleteMarkerCreated", "a.md");
        assert_eq!(ObjectEvents::read(&removed).unwrap().changes, [change("a.md", true)]);
        let through_sns = serde_json::json!({"TopicArn": "arn:aws:sns:::t", "Message": created}).to_string();
        assert_eq!(ObjectEvents::read(&through_sns).unwrap().changes, [change("hr/a b+c.md", false)]);
        for (kind, removed) in [("Object Created", false), ("Object Tags Added", false), ("Object Deleted", true)] {
            let bridge = serde_json::json!({"version": "0", "source": "aws.s3", "detail-type": kind, "detail": {
                "bucket": {"name": "docs"}, "object": {"key": "hr/a b+c.md", "size": 1, "sequencer": "0055AED6DCD90281E5"}}});
            assert_eq!(ObjectEvents::read(&bridge.to_string()).unwrap().changes, [change("hr/a b+c.md", removed)]);
        }
        let body = serde_json::json!({"MessageId": "1", "Body": created}).to_string();
        let received = format!("{{\"Messages\": [{body}, {body}]}}");
        assert_eq!(ObjectEvents::read(&received).unwrap().changes.len(), 2);
        let to_function = serde_json::json!({"Records": [{"eventSource": "aws:sqs", "body": created}]}).to_string();
        let all = ObjectEvents::read_all(&format!("{body}\n{to_function} {created}")).unwrap();
        assert!(all.iter().all(|events| events.changes == [change("hr/a b+c.md", false)]) && all.len() == 3);
        let test = r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "docs"}"#;
        assert_eq!(ObjectEvents::read(test).unwrap(), ObjectEvents::default());
    }

    #[test]
    fn only_what_lies_below_the_url_is_looked_at() {
        let events = |key: &str| ObjectEvents::read(&notification("ObjectCreated:Put", key)).unwrap();
        let events = ["all/a.md", "all/b/c.md", "all/a.md", "other/a.md", "allies.md"].map(events);
        let below = |url: &str| changed_below(url, &events).unwrap().into_keys().collect::<Vec<_>>();
        assert_eq!(below("s3://docs/all?region=eu-west-1"), ["a.md", "b/c.md"]);
        assert_eq!(below("s3://docs/all/"), ["a.md", "b/c.md"]);
        assert_eq!(below("s3://docs").len(), 4);
        assert!(below("s3://elsewhere/all").is_empty());
        assert!(changed_below("/all", &events).is_err());
    }

    #[test]
    fn a_version_is_named_where_all_messages_are_about_it() {
        let of = |name: &str, key: &str, version: &str| {
            let object = serde_json::json!({"key": key, "versionId": version});
            let record = serde_json::json!({"eventName": name, "s3": {"bucket": {"name": "docs"}, "object": object}});
            ObjectEvents::read(&serde_json::json!({"Records": [record]}).to_string()).unwrap()
        };
        let bridge = serde_json::json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {
            "bucket": {"name": "docs"}, "object": {"key": "a", "version-id": "1"}}});
        let (made, gone) = ("ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated");
        let events = [
            of(made, "a", "1"),
            ObjectEvents::read(&bridge.to_string()).unwrap(),
            of(made, "b", "1"),
            of(made, "b", "2"),
            of(made, "b", "1"),
            of(gone, "c", "1"),
            of(made, "d", "null"),
        ];
        let below = changed_below("s3://docs", &events).unwrap();
        let below: Vec<_> = below.iter().map(|(key, version)| (key.as_str(), version.as_deref())).collect();
        assert_eq!(below, [("a", Some("1")), ("b", None), ("c", None), ("d", None)]);
    }

    #[test]
    fn what_is_no_message_of_s3_is_never_nothing_changed() {
        let strange = notification("Wiped", "a");
        let broken = notification("ObjectCreated:Put", "%zz");
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"Records": [{}]}"#,
            r#"{"source": "aws.ec2", "detail-type": "x", "detail": {}}"#,
            &strange,
            &broken,
        ] {
            assert!(ObjectEvents::read(bad).is_err(), "{bad}");
        }
    }
}
