//! One request about batch jobs: submit one, or ask how it stands.

use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::types::{
    ModelInvocationJobInputDataConfig, ModelInvocationJobOutputDataConfig, ModelInvocationJobS3InputDataConfig,
    ModelInvocationJobS3OutputDataConfig, ModelInvocationJobStatus, S3InputFormat,
};
use safepassage_error::{Kind, Result};
use safepassage_models::remote::{CallError, wait_for};

use crate::account::Account;
use crate::fault::call_error;

/// The jobs of an account.
#[derive(Debug, Clone)]
pub(super) struct Jobs {
    client: Client,
}

/// A job as it is submitted.
#[derive(Debug, Clone)]
pub(super) struct Submitted {
    pub name: String,
    /// Of jobs with the same token only the first is made.
    pub token: String,
    pub role: String,
    pub model: String,
    pub input: String,
    pub output: String,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stands {
    /// It goes on.
    Open,
    /// It ended, with all of its output or a part of it.
    Ended,
    /// It ended before it was done: how, and what the service says of it.
    Broken(String),
}

impl Jobs {
    pub fn open(account: &Account) -> Result<Self> {
        let account = account.clone();
        wait_for(async move {
            let config = account.config().await;
            let mut bedrock = aws_sdk_bedrock::config::Builder::from(&config);
            if let Some(url) = account.endpoint_url {
                bedrock = bedrock.endpoint_url(url);
            }
            Ok(Self { client: Client::from_conf(bedrock.build()) })
        })
    }

    /// Submits a job, or finds the one that was submitted with the same token; gives its ARN.
    pub async fn submit(&self, job: &Submitted) -> Result<String, CallError> {
        let unsound = |e| CallError::refused(Kind::Internal, "the request is not whole").because(e);
        let input = ModelInvocationJobS3InputDataConfig::builder().s3_input_format(S3InputFormat::Jsonl);
        let input = input.s3_uri(&job.input).build().map_err(unsound)?;
        let output = ModelInvocationJobS3OutputDataConfig::builder().s3_uri(&job.output).build().map_err(unsound)?;
        let request = self.client.create_model_invocation_job().job_name(&job.name).client_request_token(&job.token);
        let request = request.role_arn(&job.role).model_id(&job.model);
        let request = request.input_data_config(ModelInvocationJobInputDataConfig::S3InputDataConfig(input));
        let request = request.output_data_config(ModelInvocationJobOutputDataConfig::S3OutputDataConfig(output));
        Ok(request.send().await.map_err(call_error)?.job_arn)
    }

    /// How the job `arn` stands.
    pub async fn look(&self, arn: &str) -> Result<Stands, CallError> {
        let job = self.client.get_model_invocation_job().job_identifier(arn).send().await.map_err(call_error)?;
        let status =
            job.status().ok_or_else(|| CallError::unavailable("the answer does not say how the job stands"))?;
        Ok(match status {
            ModelInvocationJobStatus::Completed | ModelInvocationJobStatus::PartiallyCompleted => Stands::Ended,
            ModelInvocationJobStatus::Failed
            | ModelInvocationJobStatus::Stopped
            | ModelInvocationJobStatus::Expired => {
                let said = job.message().map_or_else(String::new, |said| format!(": {said}"));
                Stands::Broken(format!("it is `{}`{said}", status.as_str()))
            }
            _ => Stands::Open,
        })
    }
}
