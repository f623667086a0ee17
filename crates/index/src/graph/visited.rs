//! Which rows has this walk met?

/// A bitset that forgets only what it was told.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    met: Vec<u32>,
}

impl Visited {
    /// Forgets everything; rows are below `rows` from now on.
    pub fn start(&mut self, rows: u32) {
        for row in self.met.drain(..) {
            self.words[row as usize / 64] = 0;
        }
        let words = (rows as usize).div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Notes `row`; whether it is new.
    #[inline]
    pub fn meet(&mut self, row: u32) -> bool {
        let word = &mut self.words[row as usize / 64];
        let bit = 1 << (row % 64);
        let new = *word & bit == 0;
        if new {
            *word |= bit;
            self.met.push(row);
        }
        new
    }

    /// Adds those of `rows` that are new, and for which `keep` says yes, to `out`; what is beyond the rows is left out.
    ///
    /// Without a branch on what is new: that cannot be foreseen, and a wrong guess costs more than the rest.
    #[inline]
    pub fn meet_all(&mut self, rows: &[u32], keep: impl Fn(u32) -> bool, out: &mut Vec<u32>) {
        let start = out.len();
        out.resize(start + rows.len(), 0);
        let mut end = start;
        for &row in rows {
            let Some(word) = self.words.get_mut(row as usize / 64) else { continue };
            let bit = u64::from(keep(row)) << (row % 64);
            let new = *word & bit != bit;
            *word |= bit;
            out[end] = row;
            end += usize::from(new);
        }
        out.truncate(end);
        self.met.extend_from_slice(&out[start..]);
    }
}
