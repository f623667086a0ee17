//! Here is a text: does a guardrail of Bedrock let it go on? (`ApplyGuardrail`)

use std::sync::Arc;

use aws_sdk_bedrockruntime::types::{
    GuardrailAction, GuardrailAssessment, GuardrailContentBlock, GuardrailContentSource,
    GuardrailSensitiveInformationPolicyAction, GuardrailTextBlock,
};
use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::{CallError, Caller, GuardrailCall, GuardrailProvider, RemoteGuardrail};
use safepassage_models::{CataloguedModel, Direction, Task, Verdict};

use super::client::Model;
use crate::account::{AccessKeys, Account};
use crate::fault::quiet_error;

/// A guardrail of Bedrock, which looks at texts for any model.
#[derive(Debug, Clone)]
pub struct BedrockGuardrail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Model,
    /// As the catalogue has it: `ID:VERSION`.
    model: String,
    id: String,
    version: String,
}

impl BedrockGuardrail {
    /// The guardrail of an entry of a catalogue, whose `model` is `ID:VERSION`, called by `caller` with `keys`, or those that
    /// are found; nothing is sent yet.
    ///
    /// # Errors
    /// `Denied` if the entry has expired, or is of another provider or for something else; `Invalid` for another name.
    pub fn open(entry: &CataloguedModel, keys: Option<AccessKeys>, caller: Caller) -> Result<RemoteGuardrail> {
        let (cleared, model) = (entry.cleared()?, entry.model.clone());
        cleared.check_model("bedrock", &model)?;
        entry.check_task(Task::Guard)?;
        let Some((id, version)) = model.rsplit_once(':').filter(|(id, version)| !id.is_empty() && !version.is_empty())
        else {
            return Err(Error::invalid("open model", format!("the guardrail `{model}` is not ID:VERSION")));
        };
        let (id, version) = (id.to_owned(), version.to_owned());
        let client = Model::open(&Account { keys, ..Account::from(&entry.at) }, &id)?;
        RemoteGuardrail::new(cleared, Self(Arc::new(Inner { client, model, id, version })), caller)
    }
}

/// Whether all that was done is that identifiers were replaced. What any other policy found, and what is not known yet, is more.
fn only_masks(assessments: &[GuardrailAssessment]) -> bool {
    use GuardrailSensitiveInformationPolicyAction::Anonymized;
    let masks = |assessment: &GuardrailAssessment| {
        let others = assessment.topic_policy().is_some()
            || assessment.content_policy().is_some()
            || assessment.word_policy().is_some()
            || assessment.contextual_grounding_policy().is_some()
            || assessment.automated_reasoning_policy().is_some();
        let Some(found) = assessment.sensitive_information_policy().filter(|_| !others) else { return false };
        let mut actions =
            found.pii_entities().iter().map(|one| one.action()).chain(found.regexes().iter().map(|one| one.action()));
        actions.all(|action| *action == Anonymized)
    };
    !assessments.is_empty() && assessments.iter().all(masks)
}

impl GuardrailProvider for BedrockGuardrail {
    fn model(&self) -> (&str, &str) {
        ("bedrock", &self.0.model)
    }

    fn check(&self, text: &str, direction: Direction) -> GuardrailCall {
        let (guardrail, text) = (Arc::clone(&self.0), text.to_owned());
        Box::pin(async move {
            let source = match direction {
                Direction::In => GuardrailContentSource::Input,
                Direction::Out => GuardrailContentSource::Output,
            };
            let block = GuardrailTextBlock::builder().text(text).build();
            let block = block.map_err(|_| CallError::refused(Kind::Internal, "the request cannot be made"))?;
            let (client, _) = guardrail.client.client();
            let call =
                client.apply_guardrail().guardrail_identifier(&guardrail.id).guardrail_version(&guardrail.version);
            let sent = call.source(source).content(GuardrailContentBlock::Text(block)).send().await;
            let answer = sent.map_err(|error| quiet_error(&error, error.raw_response()))?;
            match answer.action() {
                GuardrailAction::None => Ok(Verdict::Pass),
                // Anything else, also what is not known yet, lets nothing go on.
                _ => {
                    let said: Vec<&str> = answer.outputs().iter().filter_map(|output| output.text()).collect();
                    let masks =
                        *answer.action() == GuardrailAction::GuardrailIntervened && only_masks(answer.assessments());
                    let verdict = if masks { Verdict::Masked } else { Verdict::Intervened };
                    Ok(verdict(said.join("\n")))
                }
            }
        })
    }
}
