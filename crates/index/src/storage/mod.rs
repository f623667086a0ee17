//! Where do the files of an index live, and when are they durable?
//!
//! One narrow contract over a local folder, memory, and a storage that fails on purpose. Files are written once and
//! never changed, which is why readers need no locks.

mod beside;
mod faulty;
mod local;
mod memory;
mod scratch;

use std::fmt::Debug;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use safepassage_error::Result;

pub(crate) use beside::Beside;
pub use faulty::{Fault, FaultyStorage};
pub use local::LocalStorage;
pub use memory::MemoryStorage;
pub use scratch::Scratch;

/// Writes the bytes of one file.
pub type WriteBytes<'a> = &'a mut dyn FnMut(&mut dyn Write) -> std::io::Result<()>;

/// Held by the one who does something; dropping it, or the death of the process, lets the next one in.
pub trait Lease: Debug + Send + Sync {}

/// A folder of files that are written once.
///
/// Paths are relative, with `/` between names, and no name starts with a dot.
///
/// # Durability contract
/// When [`Storage::put_if_absent`] returns `Ok`, the whole file and its name survive a power cut. When it returns an
/// error, or the process dies inside, the name either does not exist or holds the whole file: never a part. Of several
/// concurrent calls for one path exactly one succeeds. A file that is listed, exists or was read stays the same until
/// deleted; bytes already read stay valid after a delete.
pub trait Storage: Debug + Send + Sync {
    /// Creates `path` with what `write` writes.
    ///
    /// # Errors
    /// `Conflict` if the path exists; `Unavailable` if the bytes cannot be stored (a full disk, no permission).
    fn put_if_absent(&self, path: &str, write: WriteBytes<'_>) -> Result<()>;

    /// The bytes of `path`; mapped, not copied, where the storage can.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; `Unavailable` if it cannot be read.
    fn read(&self, path: &str) -> Result<Bytes>;

    /// Whether `path` exists now. Cheap: searches ask it.
    ///
    /// # Errors
    /// `Unavailable` if that cannot be told; never `Ok(false)` in doubt.
    fn exists(&self, path: &str) -> Result<bool>;

    /// The names directly below `folder`, in byte order; empty if there is no such folder.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be listed.
    fn list(&self, folder: &str) -> Result<Vec<String>>;

    /// Removes `path`, a file or a folder with all below it. Removing what is not there is fine.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be removed.
    fn delete(&self, path: &str) -> Result<()>;

    /// Room for what need not stay in memory and is of no use to anybody else; `None` where files lie in memory too.
    ///
    /// # Errors
    /// As of a [`Storage::put`].
    fn scratch(&self) -> Result<Option<Arc<dyn Scratch>>> {
        Ok(None)
    }

    /// The local folder that the files lie in, for a log that is appended to; `None` where there is none.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Becomes the one `role` (such as `writer`) of this folder, as `holder`, which is shown to whoever is refused. Leases
    /// of different roles have nothing to do with each other.
    ///
    /// # Errors
    /// `Conflict`, naming the holder, while somebody else is.
    fn lease(&self, role: &str, holder: &str) -> Result<Box<dyn Lease>>;
}
