//! How far is a long job, for whoever watches?

/// Told what a job does; all methods may be called from any thread and do nothing unless overridden.
pub trait Progress: Sync {
    /// A stage with `total` units of work begins; the one before has ended.
    fn begin(&self, _stage: &str, _total: u64) {}
    /// `units` more are done.
    fn advance(&self, _units: u64) {}
    /// `passages` more were embedded.
    fn embedded(&self, _passages: u64) {}
    /// `amount` more was spent, or with a dry run would be.
    fn spent(&self, _amount: f64, _currency: &str) {}
    /// The job has ended.
    fn end(&self) {}
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
