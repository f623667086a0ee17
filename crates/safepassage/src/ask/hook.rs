//! Who else sees what goes to a model and what comes back?

use safepassage_error::Result;
use safepassage_models::Request;

use super::answer::Answer;

/// Sees, changes or refuses what goes to a model and what comes back: a place for guardrails, logs of one's own, or rules
/// of a house. An error of a hook ends the call. Hooks belong to whoever runs the program: what one adds to a prompt is not
/// held against permissions.
pub trait Hook: Send + Sync {
    /// A prompt that is about to be sent. It is decided after this whether all its passages may still be.
    ///
    /// # Errors
    /// Whatever refuses it; nothing is sent then.
    fn before_request(&self, request: &mut Request) -> Result<()> {
        let _ = request;
        Ok(())
    }

    /// A piece of the answer, before anybody gets it.
    ///
    /// # Errors
    /// Whatever refuses it; the call is ended.
    fn on_piece(&self, piece: &mut String) -> Result<()> {
        let _ = piece;
        Ok(())
    }

    /// All of the answer, when it is there. Pieces that were given are given.
    ///
    /// # Errors
    /// Whatever refuses it.
    fn after_response(&self, answer: &mut Answer) -> Result<()> {
        let _ = answer;
        Ok(())
    }
}
