//! Which visible passages say the words of a question, or say them and are near it too?

use std::cell::RefCell;

use safepassage_error::{Error, Result};

use super::{Found, Hit, Snapshot, VisibleRows};
use crate::lexical::{Room, Statistics, Weights, Words};
use crate::search::{Fusion, Plan, TopK};
use crate::segment::Segment;
use crate::snapshot::Answer;

thread_local! {
    /// Kept between searches: 8 bytes for every row of the largest segment.
    static ROOMS: RefCell<(Room, Room)> = RefCell::default();
}

/// Of how many passages by each way a fusion is made: of so many times k, and of so many at least.
const DEPTH: (usize, usize) = (2, 50);

/// The visible rows of one segment that have something of the question.
struct Part<'a> {
    s: usize,
    segment: &'a Segment,
    /// For each clause the rows, with its weighted frequency.
    rows: Vec<Vec<(u32, f32)>>,
}

impl Snapshot {
    /// The `k` visible passages that say most of `words`, by BM25F with statistics over visible passages alone. There may be
    /// fewer: a passage without any of the words, or without one that must be there, is none. The answer is exact.
    ///
    /// # Errors
    /// `Invalid` if `visible` is of another generation; `Corrupted`.
    pub fn search_words(&self, visible: &VisibleRows, words: &Words, k: usize) -> Result<Answer> {
        self.check_generation(visible)?;
        let (hits, _) = self.best_by_words(visible, words, k, &[])?;
        let plan = if visible.is_empty() { Plan::Empty } else { Plan::Words };
        // Whatever says any of the words was looked at, so there are k or no more.
        Ok(self.answer(visible, Found { hits, plan, exact: true }, true, 1.0))
    }

    /// The `k` visible passages that are best by `words` and by nearness to `query` together.
    ///
    /// # Errors
    /// As [`Snapshot::search`].
    pub fn search_both(
        &self,
        visible: &VisibleRows,
        words: &Words,
        query: &[f32],
        k: usize,
        recall: f32,
        fusion: Fusion,
    ) -> Result<Answer> {
        let query = self.prepared(query, recall)?;
        self.check_generation(visible)?;
        if k == 0 || words.is_empty() {
            return self.search(visible, &query, k, recall);
        }
        let depth = Self::fusion_depth(k);
        let near = self.nearest(visible, &query, depth, recall)?;
        let (said, said_of_near) = self.best_by_words(visible, words, depth, &near.hits)?;
        let hits = self.fused((&near.hits, said_of_near), &said, &query, k, fusion)?;
        let complete = hits.len() as u64 == visible.len().min(k as u64);
        Ok(self.answer(visible, Found { hits, ..near }, complete, recall))
    }

    /// Of how many passages by each way a fusion of `k` is made.
    #[must_use]
    pub fn fusion_depth(k: usize) -> usize {
        k.saturating_mul(DEPTH.0).max(DEPTH.1)
    }

    /// As [`Snapshot::search_both`], of answers by nearness and by words that were found apart among rows of which somebody
    /// outside withholds some: nothing but what is in them counts.
    ///
    /// # Errors
    /// As [`Snapshot::search`]; `Invalid` for answers of another generation.
    pub fn fuse(
        &self,
        visible: &VisibleRows,
        (words, query): (&Words, &[f32]),
        (near, said): (Answer, Answer),
        k: usize,
        fusion: Fusion,
    ) -> Result<Answer> {
        let query = self.prepared(query, near.recall)?;
        self.check_generation(visible)?;
        if near.hits.iter().chain(&said.hits).any(|hit| self.place(hit).is_none()) {
            return Err(super::other_generation());
        }
        let (_, said_of_near) = self.best_by_words(visible, words, 0, &near.hits)?;
        let hits = self.fused((&near.hits, said_of_near), &said.hits, &query, k, fusion)?;
        let complete = hits.len() == k || (near.complete && said.complete);
        Ok(Answer { hits, complete, exact: near.exact && said.exact, ..near })
    }

    /// The best `k` of both lists; the first comes with what its passages say.
    fn fused(
        &self,
        (near, said_of_near): (&[Hit], Vec<f32>),
        said: &[Hit],
        query: &[f32],
        k: usize,
        fusion: Fusion,
    ) -> Result<Vec<Hit>> {
        let place = |hit: &Hit| (hit.segment, hit.row);
        let mut known: Vec<(usize, u32)> = near.iter().map(place).collect();
        known.sort_unstable();
        let only_said = said.iter().filter(|hit| known.binary_search(&place(hit)).is_err());
        let nearness = only_said.clone().map(|hit| self.nearness(hit, query)).collect::<Result<Vec<_>>>()?;
        let near_scores = near.iter().map(|hit| hit.score).chain(nearness);
        let said_scores = said_of_near.into_iter().chain(only_said.clone().map(|hit| hit.score));
        let scores = fusion.fuse(&near_scores.collect::<Vec<_>>(), &said_scores.collect::<Vec<_>>());
        let candidates = near.iter().chain(only_said);
        let mut hits: Vec<Hit> = candidates.zip(scores).map(|(hit, score)| Hit { score, ..*hit }).collect();
        self.rank(&mut hits, k);
        Ok(hits)
    }

    fn nearness(&self, hit: &Hit, query: &[f32]) -> Result<f32> {
        use crate::graph::Rows;
        self.segments[hit.segment].segment.vectors.score(hit.row, query)
    }

    /// The best `k` by words, and what `others` say of them: zero if nothing that counts.
    fn best_by_words(
        &self,
        visible: &VisibleRows,
        words: &Words,
        k: usize,
        others: &[Hit],
    ) -> Result<(Vec<Hit>, Vec<f32>)> {
        if words.is_empty() || (k == 0 && others.is_empty()) {
            return Ok((Vec::new(), vec![0.0; others.len()]));
        }
        let lengths = |s: usize, rows: &safepassage_access::Visible| {
            Ok::<_, Error>(self.segments[s].segment.lexical()?.map(|words| words.lengths(rows)).unwrap_or_default())
        };
        let weights = visible.statistics.weights(lengths)?;
        ROOMS.with_borrow_mut(|(room, marks)| {
            let (parts, found) = self.said(visible, words, &weights, room)?;
            let worth: Vec<f32> =
                words.clauses().iter().zip(found).map(|(clause, n)| weights.rarity(n) * clause.times).collect();
            let mut hits = Vec::new();
            let mut of_others = vec![0.0; others.len()];
            for part in parts {
                part.score(words, &worth, room, marks);
                let scored = others.iter().zip(&mut of_others).filter(|(hit, _)| hit.segment == part.s);
                scored.for_each(|(hit, score)| *score = room.of(hit.row));
                let mut top = TopK::with_ties(k, |row| part.segment.tie(row));
                room.drain().into_iter().for_each(|(row, score)| top.push(score, row));
                hits.extend(top.into_sorted().into_iter().map(|(score, row)| self.hit(part.s, row, score)));
            }
            self.rank(&mut hits, k);
            Ok((hits, of_others))
        })
    }

    /// The rows of each segment that have something of the question, and how many rows have each part of it of all that
    /// are counted over.
    fn said(
        &self,
        visible: &VisibleRows,
        words: &Words,
        weights: &Weights,
        room: &mut Room,
    ) -> Result<(Vec<Part<'_>>, Vec<u64>)> {
        let mut found = vec![0; words.clauses().len()];
        let mut parts = Vec::new();
        let counted = match &visible.statistics {
            Statistics::Counted(counted) => &counted.parts,
            Statistics::Flat => &visible.parts,
        };
        for (s, counted) in counted {
            let segment = &*self.segments[*s].segment;
            let Some(lexical) = segment.lexical()? else { continue };
            let wanted = visible.parts.iter().find(|(own, _)| own == s).map(|(_, wanted)| wanted);
            let narrowed = wanted.is_none_or(|wanted| wanted.len() < counted.len());
            room.start(segment.rows());
            let mut part = Part { s: *s, segment, rows: Vec::with_capacity(found.len()) };
            for (clause, found) in words.clauses().iter().zip(&mut found) {
                let mut rows = lexical.rows(clause, counted, weights, room)?;
                *found += rows.len() as u64;
                if narrowed {
                    rows.retain(|(row, _)| wanted.is_some_and(|wanted| wanted.contains(*row)));
                }
                part.rows.push(rows);
            }
            if wanted.is_some() {
                parts.push(part);
            }
        }
        Ok((parts, found))
    }
}

impl Part<'_> {
    /// Puts the scores of the rows into `room`: of those alone that have all that must be there.
    fn score(&self, words: &Words, worth: &[f32], room: &mut Room, marks: &mut Room) {
        room.start(self.segment.rows());
        marks.start(self.segment.rows());
        let mut required = 0.0;
        for clause in words.clauses().iter().zip(&self.rows).filter(|(clause, _)| clause.required).map(|(_, rows)| rows)
        {
            required += 1.0;
            clause.iter().for_each(|(row, _)| marks.add(*row, 1.0));
        }
        for (rows, worth) in self.rows.iter().zip(worth) {
            for &(row, weight) in rows {
                if required == 0.0 || marks.of(row) == required {
                    room.add(row, worth * Weights::saturated(weight));
                }
            }
        }
    }
}
