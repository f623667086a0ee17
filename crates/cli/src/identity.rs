//! Here are arguments: who asks, and who decides about them besides?

use std::path::Path;

use safepassage::jwt::{ClaimMapping, KeySet, Verifier, VerifierSettings};
use safepassage::system::Clock;
use safepassage::{Engine, Error, Identity, Result, Session, identity_from_json};

use crate::args;

/// The session of whoever asks, with whoever decides besides.
pub fn session(engine: &Engine, arguments: &args::Who) -> Result<Session> {
    let session = engine.session(read(&arguments.who, engine.clock())?)?;
    match &arguments.authorizer {
        Some(file) => with_authorizer(session, file),
        None => Ok(session),
    }
}

#[cfg(feature = "authorizers")]
fn with_authorizer(session: Session, file: &Path) -> Result<Session> {
    let named = |error: Error| error.with("file", file.display());
    let authorizer = safepassage::policy::authorizer_from_json(&bytes(file)?).map_err(named)?;
    Ok(session.with_authorizer(authorizer))
}

#[cfg(not(feature = "authorizers"))]
fn with_authorizer(_: Session, _: &Path) -> Result<Session> {
    Err(Error::invalid("read authorizer", "this program was built without authorizers (`--features authorizers`)"))
}

pub fn read(who: &args::Identity, clock: &Clock) -> Result<Identity> {
    if let Some(file) = &who.identity {
        return from_file(file, clock);
    }
    if let Some(token) = &who.token.token {
        let verifier = verifier(&who.token)?;
        return match token.strip_prefix('@') {
            Some(file) => verifier.verify(bytes(Path::new(file))?.trim_ascii(), clock),
            None => verifier.verify(token, clock),
        };
    }
    let user = who.user.as_deref().unwrap_or_default();
    if who.group.is_empty() && !who.no_groups {
        let message = "say which groups the user is in: --group G for each, or --no-groups";
        return Err(Error::invalid("read identity", message));
    }
    for group in who.group.iter().filter(|group| group.starts_with("group:") || group.starts_with("user:")) {
        eprintln!("hint: groups are ids, taken as they are: `{group}` is the principal `group:{group}`");
    }
    let mut identity = Identity::asserted(user)
        .groups(who.group.iter().map(String::as_str))
        .tenant(who.tenant.as_deref().unwrap_or_default());
    if let Some(clearance) = &who.clearance {
        identity = identity.clearance(clearance);
    }
    identity.issue(clock)
}

/// The identity that a JSON file describes.
pub fn from_file(file: &Path, clock: &Clock) -> Result<Identity> {
    identity_from_json(&bytes(file)?, clock).map_err(|e| e.with("file", file.display()))
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file)
        .map_err(|e| Error::invalid("read identity", format!("`{}` cannot be read: {e}", file.display())))
}

/// Takes the tokens that the arguments describe. Algorithms that are not said are those of the keys: their file is
/// trusted, the token is not.
fn verifier(arguments: &args::Token) -> Result<Verifier> {
    let missing = |what: &str| Error::invalid("read identity", format!("a token needs {what}"));
    let jwks = arguments.jwks.as_deref().ok_or_else(|| missing("--jwks FILE"))?;
    let keys = KeySet::from_jwks(&bytes(jwks)?).map_err(|e| e.with("file", jwks.display()))?;
    if let Some(file) = &arguments.verifier {
        let settings = VerifierSettings::from_json(&bytes(file)?).map_err(|e| e.with("file", file.display()))?;
        return Verifier::new(settings, keys);
    }
    let issuer = arguments.issuer.as_deref().ok_or_else(|| missing("--issuer I, or --verifier FILE"))?;
    let [first, ..] = &*arguments.audience else { return Err(missing("--audience A, or --verifier FILE")) };
    let algorithms = match &*arguments.algorithm {
        [] => keys.algorithms(),
        said => said.to_vec(),
    };
    if algorithms.is_empty() {
        return Err(missing("--algorithm ALG, because the key set has keys of several families"));
    }
    let mut settings = VerifierSettings::new(issuer, first, algorithms);
    settings.audiences.clone_from(&arguments.audience);
    settings.local_issuer = arguments.local_issuer;
    settings.mapping = arguments.claims.as_deref().map_or(Ok(ClaimMapping::oidc()), ClaimMapping::preset)?;
    Verifier::new(settings, keys)
}
