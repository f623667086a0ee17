//! Whoever listens to everything that libraries tell: what do they hear of prompts and answers?

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::converse::{SECRET, asked, refused, start, stop, streamed, text};
use crate::server::Reply;

/// Keeps everything that spans and events of anybody say.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Fields(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn whoever_listens_to_everything_that_is_told_hears_no_word_of_prompts_and_answers() {
    let told = Told::default();
    tracing::subscriber::set_global_default(told.clone()).unwrap();
    tracing::info!("listening");
    let whole = json!({"output": {"message": {"role": "assistant", "content": [{"text": "Pay rises."}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 20, "outputTokens": 6, "totalTokens": 26},
        "metrics": {"latencyMs": 7}});
    asked(vec![streamed(&[start(), text("Pay rises."), stop("end_turn")])], "").1.unwrap();
    asked(vec![Reply::json(200, &whole)], "whole = true").1.unwrap();
    asked(vec![refused(400, "ValidationException")], "").1.unwrap_err();
    let told = told.0.lock().unwrap().clone();
    assert!(told.contains("listening"));
    // In bytes too, as bodies are shown.
    for word in [SECRET, "Pay rises", "secret"] {
        let at = told.find(word).map(|at| &told[told.floor_char_boundary(at.saturating_sub(300))..at]);
        assert!(at.is_none(), "`{word}`, after {at:?}");
    }
}
