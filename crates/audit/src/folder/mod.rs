//! Where does the log lie, and when is a line durable?
//!
//! The files of an index are written once; a log is appended to, so it has a contract of its own.

mod local;

use std::fmt::Debug;

use safepassage_error::Result;

pub use local::LocalFolder;

/// Held by the one process that appends, or by any number that read; dropping it lets the next one in.
pub trait Lock: Debug {}

/// The files of one log. Names are relative to the index, with `/` between them.
///
/// # Durability contract
/// Bytes given to [`Folder::append`] with `sync`, and the name of their file, survive a power cut once it returns `Ok`.
/// Without `sync` they survive the end of the process. When it fails, or the process dies inside, any number of the
/// first bytes may be there; the same goes for [`Folder::create`]. [`Folder::overwrite`] leaves the whole old or new bytes.
pub trait Folder: Debug + Send + Sync {
    /// Waits, not for ever, until nobody else appends; with `alone`, until nobody reads either.
    ///
    /// # Errors
    /// `Unavailable` if that takes too long or files cannot be locked.
    fn lock(&self, alone: bool) -> Result<Box<dyn Lock>>;

    /// The names below `folder`, in byte order; empty if there is no such folder.
    ///
    /// # Errors
    /// `Unavailable`.
    fn list(&self, folder: &str) -> Result<Vec<String>>;

    /// How many bytes a file has; `None` if there is none.
    ///
    /// # Errors
    /// `Unavailable`.
    fn length(&self, name: &str) -> Result<Option<u64>>;

    /// The bytes from `from` up to `to` or the end; `None` if there is no such file.
    ///
    /// # Errors
    /// `Unavailable`.
    fn read(&self, name: &str, from: u64, to: Option<u64>) -> Result<Option<Vec<u8>>>;

    /// Adds `bytes` to the end of a file, which is made if there is none.
    ///
    /// # Errors
    /// `Unavailable`: a full disk, no permission.
    fn append(&self, name: &str, bytes: &[u8], sync: bool) -> Result<()>;

    /// Replaces the bytes of a small file that never changes its length.
    ///
    /// # Errors
    /// `Unavailable`.
    fn overwrite(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Makes a small file, durable when it returns.
    ///
    /// # Errors
    /// `Conflict` if it exists; `Unavailable`.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Removes a file. Removing what is not there is fine.
    ///
    /// # Errors
    /// `Unavailable`.
    fn remove(&self, name: &str) -> Result<()>;
}
