//! A bucket of another account: a role is assumed for it, and again when its session ends.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use safepassage_aws::s3::S3Stores;
use safepassage_aws::{AccessKeys, Account};
use safepassage_error::Kind;
use safepassage_ingest::FileStore;
use safepassage_models::remote::CallLimits;

use crate::ministack::Ministack;
use crate::server::{Reply, Request, serve};

const ROLE: &str = "arn:aws:iam::123456789012:role/ai";

/// The store of `url` below a bucket `docs`, for somebody with keys of an account of their own.
fn files(sts: &str, s3: &str) -> Box<dyn FileStore> {
    let keys = AccessKeys { id: "AKIDOWN".into(), secret: "own".into(), session_token: None };
    let account = Account { region: Some("eu-central-1".into()), keys: Some(keys), ..Account::default() };
    let stores = S3Stores::new(account, CallLimits { max_attempts: 1, ..S3Stores::limits() });
    let url = format!("s3://docs/all?endpoint={s3}&role={ROLE}&external_id=bank-7&sts_endpoint={sts}");
    Box::new(stores.files(&url).unwrap())
}

fn xml(status: u16, body: String) -> Reply {
    Reply::Answer { status, headers: vec![("content-type".into(), "text/xml".into())], body: body.into_bytes() }
}

/// What STS gives for the `number`th session, which ends at `until`.
fn session(number: usize, until: &str) -> Reply {
    xml(
        200,
        format!(
            r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
            <AccessKeyId>ASIASESSION{number}</AccessKeyId><SecretAccessKey>s{number}</SecretAccessKey>
            <SessionToken>token{number}</SessionToken><Expiration>{until}</Expiration></Credentials>
            <AssumedRoleUser><AssumedRoleId>R:safepassage</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser>
            </AssumeRoleResult></AssumeRoleResponse>"#
        ),
    )
}

const EMPTY: &str =
    "<ListBucketResult><Name>docs</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";

/// A server that keeps what it was asked.
fn recording(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> (String, Arc<Mutex<Vec<Request>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let url = serve(move |request| {
        let number = {
            let mut seen = kept.lock().unwrap();
            seen.push(request.clone());
            seen.len()
        };
        answer(number, &request)
    });
    (url, seen)
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map(String::as_str).unwrap_or_default()
}

#[test]
fn the_role_is_assumed_with_its_external_id_and_again_when_the_session_ends() {
    // The first session has ended by the time it is used again.
    let (sts, asked) = recording(|number, _| {
        session(number, if number == 1 { "2020-01-01T00:00:00Z" } else { "2199-01-01T00:00:00Z" })
    });
    let (s3, listed) = recording(|_, _| xml(200, EMPTY.into()));
    let files = files(&sts, &s3);
    for _ in 0..4 {
        assert_eq!(files.list().unwrap(), []);
    }
    let asked = asked.lock().unwrap();
    let body = String::from_utf8(asked[0].body.clone()).unwrap();
    for wanted in ["Action=AssumeRole", "ExternalId=bank-7", "RoleSessionName=safepassage", "role%2Fai"] {
        assert!(body.contains(wanted), "{wanted}: {body}");
    }
    assert!(header(&asked[0], "authorization").contains("Credential=AKIDOWN/"));
    assert_eq!(asked.len(), 2, "the second session serves all others");
    let listed = listed.lock().unwrap();
    let sessions: Vec<&str> = listed.iter().map(|request| header(request, "x-amz-security-token")).collect();
    assert_eq!(sessions.len(), 4);
    assert!(sessions[1..].iter().all(|token| *token == "token2"), "{sessions:?}");
    assert!(listed.iter().all(|request| !header(request, "authorization").contains("AKIDOWN")));
}

#[test]
fn a_role_that_may_not_be_assumed_gives_nothing_of_the_own_account() {
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let (sts, _) = recording(move |_, _| xml(403, denied.into()));
    let (s3, listed) = recording(|_, _| xml(200, EMPTY.into()));
    let error = files(&sts, &s3).list().unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(listed.lock().unwrap().is_empty());
}

#[test]
fn a_bucket_is_read_with_a_session_of_another_service() {
    let stack = Ministack::start();
    let url = format!("http://{}", stack.address);
    let put = |path: &str, body: &'static [u8]| {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(&stack.address).unwrap();
        // The account of the role owns the bucket; here its number is a key of it.
        let signed = "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=x";
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {signed}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            stack.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    put(
        "/docs",
        br#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>"#,
    );
    put("/docs/all/a.md", b"a text");
    let files = files(&url, &url);
    let listed = files.list().unwrap();
    assert_eq!(listed.iter().map(|file| file.key.as_str()).collect::<Vec<_>>(), ["a.md"]);
    assert_eq!(files.get(&[&listed[0]]).unwrap().remove(0).unwrap().bytes, b"a text");
}
