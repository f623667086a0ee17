//! Which ef gives which recall on this graph, with and without a filter?
//!
//! Asks questions that lie between the rows (three parts of one row, one part of another, as queries are near but not
//! on the passages), compares with the exact answer, and notes recall@10 and the rows scored at growing ef. Both rows
//! count as absent: with them the walk would be led straight to the neighbourhood, as it is for no question from outside.
//! Filtered questions see rows at random, or whole topics without the one they are about.

use rayon::prelude::*;
use safepassage_error::Result;
use safepassage_error::system::Stopwatch;
use twox_hash::XxHash3_64;

use super::curve::{Curve, Kind, Point};
use super::walk::{Bits, Filter, Goal, walk};
use super::{Graph, Rows};
use crate::code::{Asked, Between, Int8};
use crate::kernel;
use crate::search::{TopK, rescore};

const QUESTIONS: u32 = 64;
const K: usize = 10;
const EFS: [u32; 10] = [10, 16, 24, 36, 56, 88, 140, 220, 360, 600];
const SHARES: [f32; 3] = [0.5, 0.2, 0.07];
const TOPICS: u32 = 48;
const THROUGH_FROM: f32 = 0.5;
/// Of the questions, how many are asked under each filter.
const FILTERED: usize = 40;

/// All rows but two.
struct Without<A> {
    asked: A,
    absent: [u32; 2],
}

impl<A: Asked> Asked for Without<A> {
    fn scores(&self, rows: &[u32], out: &mut Vec<i32>) -> Result<()> {
        self.asked.scores(rows, out)?;
        for (score, row) in out.iter_mut().zip(rows) {
            if self.absent.contains(row) {
                *score = i32::MIN;
            }
        }
        Ok(())
    }
}

struct Question {
    vector: Vec<f32>,
    absent: [u32; 2],
    /// The exact score of every row.
    scores: Vec<f32>,
}

impl Question {
    fn new(i: u32, rows: &impl Rows, n: u32, unit: bool) -> Result<Self> {
        let pick = |seed| (XxHash3_64::oneshot_with_seed(seed, &i.to_le_bytes()) % u64::from(n)) as u32;
        let absent = [pick(1), pick(2)];
        let (a, b) = (rows.row(absent[0])?, rows.row(absent[1])?);
        let mut vector: Vec<f32> = a.iter().zip(&*b).map(|(x, y)| 0.75 * x + 0.25 * y).collect();
        if unit {
            kernel::normalise(&mut vector);
        }
        let mut scores = (0..n).map(|row| rows.score(row, &vector)).collect::<Result<Vec<f32>>>()?;
        absent.iter().for_each(|&row| scores[row as usize] = f32::NEG_INFINITY);
        Ok(Self { vector, absent, scores })
    }

    /// How many of the best 10 rows within `bits` (of all for `None`) are there, and at least how good they are.
    fn truth(&self, bits: Option<Bits<'_>>) -> (usize, f32) {
        let mut top = TopK::new(K);
        for (row, &score) in (0..).zip(&self.scores) {
            if bits.is_none_or(|bits| bits.contains(row)) && score > f32::NEG_INFINITY {
                top.push(score, row);
            }
        }
        let top = top.into_sorted();
        (top.len(), top.last().map_or(f32::INFINITY, |(score, _)| *score))
    }
}

/// Which topic each row is of: that of the nearest of a few rows.
fn topics(between: &Between<'_>, n: u32) -> Vec<u8> {
    let pivots: Vec<u32> =
        (0..TOPICS).map(|i| (XxHash3_64::oneshot_with_seed(3, &i.to_le_bytes()) % u64::from(n)) as u32).collect();
    let nearest = |(left, scores): &mut (kernel::Left, Vec<i32>), row| {
        between.set(left, row);
        between.scores(left, row, &pivots, scores);
        (0..).zip(&*scores).max_by_key(|&(_, score)| score).map_or(0u8, |(topic, _)| topic)
    };
    (0..n).into_par_iter().map_init(|| (between.left(), Vec::new()), nearest).collect()
}

/// The rows that question `i` sees.
fn visible(i: u32, kind: Kind, topics: &[u8], own: u8) -> Vec<u64> {
    let n = topics.len();
    let mut words = vec![0u64; n.div_ceil(64)];
    let mut set = |row: usize| words[row / 64] |= 1 << (row % 64);
    if !kind.own_topic {
        let limit = (f64::from(kind.share) * u64::MAX as f64) as u64;
        let draws = |row: &usize| XxHash3_64::oneshot_with_seed(u64::from(i) + 4, &(*row as u32).to_le_bytes()) < limit;
        (0..n).filter(draws).for_each(&mut set);
        return words;
    }
    let mut sizes = [0usize; TOPICS as usize];
    topics.iter().for_each(|&topic| sizes[usize::from(topic)] += 1);
    let mut order: Vec<u8> = (0..TOPICS as u8).filter(|&topic| topic != own).collect();
    order.sort_by_key(|&topic| XxHash3_64::oneshot_with_seed(u64::from(i) + 5, &[topic]));
    let mut seen = [false; TOPICS as usize];
    let mut total = 0;
    for topic in order {
        if total as f64 >= f64::from(kind.share) * n as f64 {
            break;
        }
        seen[usize::from(topic)] = true;
        total += sizes[usize::from(topic)];
    }
    (0..n).filter(|&row| seen[usize::from(topics[row])]).for_each(&mut set);
    words
}

/// What a row costs on a scan, on average over a few turns of one thread.
fn scan_ns(graph: &Graph, codes: &Int8, questions: &[Question]) -> Result<f32> {
    let step = (graph.rows() / 16_384).max(1);
    let some: Vec<u32> = (0..graph.rows()).step_by(step as usize).collect();
    let (watch, mut scores) = (Stopwatch::start(), Vec::new());
    let turns = questions.iter().take(8);
    let count = turns.len() * some.len();
    for question in turns {
        let asked = codes.ask(&question.vector);
        some.chunks(256).try_for_each(|rows| asked.scores(rows, &mut scores))?;
    }
    Ok((watch.seconds() as f32 * 1e9 / count.max(1) as f32).max(0.1))
}

/// Measures every kind of walk.
pub(super) fn measure(
    graph: &Graph,
    codes: &Int8,
    between: &Between<'_>,
    rows: &impl Rows,
    unit: bool,
) -> Result<(Vec<Curve>, f32)> {
    let n = graph.rows();
    let questions: Vec<Question> =
        (0..QUESTIONS).into_par_iter().map(|i| Question::new(i, rows, n, unit)).collect::<Result<_>>()?;
    let topics = topics(between, n);
    let mut kinds = vec![Kind { share: 1.0, bridging: false, own_topic: false }];
    for share in SHARES {
        for own_topic in [false, true] {
            kinds.push(Kind { share, bridging: true, own_topic });
            // Where less is visible, walking through what is not is never the better way.
            if share >= THROUGH_FROM {
                kinds.push(Kind { share, bridging: false, own_topic });
            }
        }
    }
    let scan_ns = scan_ns(graph, codes, &questions)?;
    let curves = kinds.into_iter().map(|kind| curve(kind, graph, codes, rows, &questions, &topics));
    Ok((curves.collect::<Result<_>>()?, scan_ns))
}

fn curve(
    kind: Kind,
    graph: &Graph,
    codes: &Int8,
    rows: &impl Rows,
    questions: &[Question],
    topics: &[u8],
) -> Result<Curve> {
    let all = kind.share >= 1.0;
    let questions = if all { questions } else { &questions[..FILTERED] };
    let seen = questions.par_iter().zip(0..QUESTIONS).map(|(question, i)| {
        let words = if all { Vec::new() } else { visible(i, kind, topics, topics[question.absent[0] as usize]) };
        let len = words.iter().map(|word| u64::from(word.count_ones())).sum();
        let truth = question.truth((!all).then_some(Bits { words: &words, len }));
        (words, len, truth)
    });
    let seen: Vec<(Vec<u64>, u64, (usize, f32))> = seen.collect();
    let (mut points, mut all_scored, mut all_seconds) = (Vec::new(), 0, 0.0);
    for ef in EFS {
        let found = questions.par_iter().zip(&seen).map(|(question, (words, len, (_, least)))| {
            let bits = Bits { words, len: *len };
            let filter = match (all, kind.bridging) {
                (true, _) => Filter::Nothing,
                (_, true) => Filter::Bridging(bits),
                (_, false) => Filter::Through(bits),
            };
            let asked = Without { asked: codes.ask(&question.vector), absent: question.absent };
            let goal = Goal { ef: ef as usize, most_scored: u32::MAX };
            let watch = Stopwatch::start();
            let outcome = walk(graph, &asked, filter, goal)?;
            let seconds = watch.seconds();
            let (mut top, mut best) = (TopK::new(K), outcome.best);
            best.retain(|(_, row)| !question.absent.contains(row));
            rescore(rows, &question.vector, &best, &mut top, |bar| asked.asked.hardly_less(bar))?;
            let good = top.into_sorted().iter().filter(|(score, _)| score >= least).count();
            Ok((good, u64::from(outcome.scored), seconds))
        });
        let found: Vec<(usize, u64, f64)> = found.collect::<Result<_>>()?;
        let good: usize = found.iter().map(|(good, ..)| good).sum();
        let scored: u64 = found.iter().map(|(_, scored, _)| scored).sum();
        all_scored += scored;
        all_seconds += found.iter().map(|(.., seconds)| seconds).sum::<f64>();
        let there: usize = seen.iter().map(|(.., (count, _))| count).sum();
        let recall = good as f32 / there.max(1) as f32;
        points.push(Point { ef, recall, scored: scored as f32 / questions.len() as f32 });
        if recall >= 0.9995 {
            break;
        }
    }
    let ns = (all_seconds * 1e9 / all_scored.max(1) as f64) as f32;
    Ok(Curve { kind, ns: ns.max(0.1), points })
}
