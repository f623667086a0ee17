//! Here is an error of the SDK: what should be done about it?
//!
//! One table for all services, by the name of the error and by the status. Messages are those of the service, but for those
//! that may quote what was sent.

use std::error::Error as Cause;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use safepassage_error::Kind;
use safepassage_models::remote::CallError;

/// Of a message of the service that much is repeated.
const MESSAGE_CHARS: usize = 300;
/// What is told of a refusal for the length of a text, in our words.
pub(crate) const TOO_LONG: &str = "the text is too long for the model";

/// What `error` means for whoever asked.
pub(crate) fn call_error<E>(error: SdkError<E, HttpResponse>) -> CallError
where
    E: Cause + ProvideErrorMetadata + Send + Sync + 'static,
{
    told(&error, |_| true).because(error)
}

/// As [`call_error`], of a model that was sent texts: of what is wrong with these only the name of the error is told, and no
/// cause, since both may quote them.
pub(crate) fn model_error<E>(error: &SdkError<E, HttpResponse>) -> CallError
where
    E: Cause + ProvideErrorMetadata + Send + Sync + 'static,
{
    told(error, |code| {
        !matches!(code, "" | "ValidationException" | "ModelErrorException" | "ModelStreamErrorException")
    })
}

/// What `error` means, with the service's own words if they may be told for its name.
fn told<E>(error: &SdkError<E, HttpResponse>, may_be: impl Fn(&str) -> bool) -> CallError
where
    E: Cause + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (status, retry_after) = stated(error.raw_response());
    match error {
        SdkError::TimeoutError(_) => CallError::unavailable("no answer in time"),
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => not_sent(error),
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let message = match service.err().message() {
                Some(message) if may_be(code) => message,
                Some(message) if is_about_length(message) => TOO_LONG,
                _ => "",
            };
            of_service(code, message, status, retry_after)
        }
        _ if status >= 400 => of_service("", "", status, retry_after),
        _ => CallError::unavailable("the answer cannot be read"),
    }
}

/// The status of an answer, and how long it wants to be left alone.
fn stated(answered: Option<&HttpResponse>) -> (u16, Option<Duration>) {
    let retry_after = answered.and_then(|answer| answer.headers().get("retry-after")).and_then(seconds);
    (answered.map_or(0, |answer| answer.status().as_u16()), retry_after)
}

/// Whether a refusal is for the length of a text: the services have one name for all that is wrong with a request.
fn is_about_length(message: &str) -> bool {
    let mut said = message.to_ascii_lowercase();
    said.retain(|c| c.is_ascii_alphanumeric());
    ["toomanyinputtokens", "toomanytokens", "toolong", "maxlength", "tokenlimit"]
        .iter()
        .any(|words| said.contains(words))
}

/// As [`call_error`], for what may quote a prompt: of the error the name is told and nothing else.
pub(crate) fn quiet_error<E, R>(error: &SdkError<E, R>, answered: Option<&HttpResponse>) -> CallError
where
    E: Cause + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let (status, retry_after) = stated(answered);
    match error {
        SdkError::TimeoutError(_) => CallError::unavailable("no answer in time"),
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => not_sent(error),
        SdkError::ServiceError(service) => {
            of_service(service.err().code().unwrap_or_default(), "", status, retry_after)
        }
        _ if status >= 400 => of_service("", "", status, retry_after),
        _ => CallError::unavailable("the answer cannot be read"),
    }
}

/// A request that never left, or whose connection broke.
fn not_sent<E: Cause + 'static, R: std::fmt::Debug>(error: &SdkError<E, R>) -> CallError {
    let mut cause = error.source();
    while let Some(found) = cause {
        match found.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::ProviderTimedOut(_)) => {
                return CallError::unavailable("the credentials were not given in time");
            }
            Some(CredentialsError::CredentialsNotLoaded(_)) => {
                return CallError::refused(Kind::Denied, "there are no credentials for Amazon");
            }
            Some(_) => return CallError::refused(Kind::Denied, "the credentials for Amazon were refused"),
            None => cause = found.source(),
        }
    }
    match error {
        SdkError::ConstructionFailure(_) => {
            CallError::refused(Kind::Invalid, "the request cannot be made; is a region set?")
        }
        _ => CallError::unavailable("the service cannot be reached, or closed the connection"),
    }
}

/// What an error within an answer means, which has a name and no status.
pub(crate) fn streamed_error(name: &str) -> CallError {
    let status = match name {
        "ThrottlingException" => 429,
        "ValidationException" => 400,
        _ => 500,
    };
    of_service(name, "", status, None)
}

fn of_service(code: &str, message: &str, status: u16, retry_after: Option<Duration>) -> CallError {
    let what = if code.is_empty() { format!("status {status}") } else { format!("`{code}`") };
    let message = match message {
        // May quote what was sent.
        "" => what,
        message if message.starts_with("Malformed input request") => what,
        message => format!("{what}: {}", message.chars().take(MESSAGE_CHARS).collect::<String>()),
    };
    match (code, status) {
        ("ModelNotReadyException", _) | (_, 408 | 424) => unavailable(message, retry_after),
        ("ServiceQuotaExceededException" | "SlowDown" | "ThrottlingException" | "RequestLimitExceeded", _)
        | ("RequestThrottled" | "KmsThrottled" | "OverLimit", _)
        | (_, 429) => CallError::throttled(message, retry_after),
        ("ExpiredToken" | "ExpiredTokenException" | "InvalidToken" | "RequestExpired", _)
        | ("InvalidSecurity" | "KmsAccessDenied" | "UnrecognizedClientException", _)
        | (_, 401 | 403) => CallError::refused(Kind::Denied, message),
        ("QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue", _) => {
            CallError::refused(Kind::NotFound, message)
        }
        (_, 412) => CallError::refused(Kind::Conflict, message),
        (_, 404) => CallError::refused(Kind::NotFound, message),
        (_, 400..=499) => CallError::refused(Kind::Invalid, message),
        _ => unavailable(message, retry_after),
    }
}

fn unavailable(message: String, retry_after: Option<Duration>) -> CallError {
    CallError { retry_after, ..CallError::unavailable(message) }
}

/// `Retry-After` in seconds; a date is not taken, because machines disagree about the time.
fn seconds(header: &str) -> Option<Duration> {
    header.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_error_has_its_kind() {
        let table = [
            ("AccessDeniedException", 403, Kind::Denied, false),
            ("ExpiredTokenException", 403, Kind::Denied, false),
            ("ExpiredToken", 400, Kind::Denied, false),
            ("ValidationException", 400, Kind::Invalid, false),
            ("ServiceQuotaExceededException", 400, Kind::Throttled, true),
            ("ResourceNotFoundException", 404, Kind::NotFound, false),
            ("ModelTimeoutException", 408, Kind::Unavailable, true),
            ("ModelErrorException", 424, Kind::Unavailable, true),
            ("ThrottlingException", 429, Kind::Throttled, true),
            ("ModelNotReadyException", 429, Kind::Unavailable, true),
            ("SlowDown", 503, Kind::Throttled, true),
            ("InternalServerException", 500, Kind::Unavailable, true),
            ("ServiceUnavailableException", 503, Kind::Unavailable, true),
            ("", 502, Kind::Unavailable, true),
            ("PreconditionFailed", 412, Kind::Conflict, false),
            ("QueueDoesNotExist", 400, Kind::NotFound, false),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, Kind::NotFound, false),
            ("KmsAccessDenied", 400, Kind::Denied, false),
            ("RequestThrottled", 403, Kind::Throttled, true),
            ("OverLimit", 403, Kind::Throttled, true),
        ];
        for (code, status, kind, may_retry) in table {
            let failed = of_service(code, "", status, None);
            assert_eq!((failed.error.kind(), failed.may_retry), (kind, may_retry), "{code} {status}");
        }
        let waits = of_service("ThrottlingException", "Too many requests", 429, Some(Duration::from_secs(7)));
        assert_eq!(waits.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(waits.error.message(), "`ThrottlingException`: Too many requests");
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let failed = of_service("ValidationException", "Malformed input request: found: my salary", 400, None);
        assert_eq!(failed.error.message(), "`ValidationException`");
    }
}
