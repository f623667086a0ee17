//! Memory that one thread uses again and again: a batch needs megabytes, which the system would hand out page by page.

/// A slice of any length whose content is left over from the last use.
#[derive(Default)]
pub(super) struct Buffer<T>(Vec<T>);

impl<T: Copy + Default> Buffer<T> {
    pub fn slice(&mut self, length: usize) -> &mut [T] {
        if self.0.len() < length {
            self.0.resize(length, T::default());
        }
        &mut self.0[..length]
    }
}
