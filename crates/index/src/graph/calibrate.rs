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
use crate::manifest::Metric;
use crate::search::{TopK, rescore};
use crate::segment::score;

const QUESTIONS: u32 = 64;
const K: usize = 10;
const EFS: [u32; 10] = [10, 16, 24, 36, 56, 88, 140, 220, 360, 600];
const SHARES: [f32; 3] = [0.5, 0.2, 0.07];
const TOPICS: u32 = 48;
const THROUGH_FROM: f32 = 0.5;
/// Of the questions, how many are asked under each filter.
const FILTERED: usize = 40;

/// How many of the best 10 rows are there, and at least how good they are.
type Truth = (usize, f32);

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
        Ok(Self { vector, absent })
    }
}

/// Which rows the questions see: of all, what share, and whether without the topics that they are about.
#[derive(Clone, Copy, PartialEq)]
struct Sees {
    share: f32,
    own_topic: bool,
}

/// A question with the rows it sees, one bit each; all rows if there are no bits.
struct Case<'a> {
    sees: Sees,
    number: usize,
    question: &'a Question,
    words: Vec<u64>,
    len: u64,
}

impl<'a> Case<'a> {
    fn new(sees: Sees, number: usize, questions: &'a [Question], topics: &[u8]) -> Self {
        let question = &questions[number];
        let own = topics[question.absent[0] as usize];
        let words = if sees.share >= 1.0 { Vec::new() } else { visible(number as u32, sees, topics, own) };
        let len = words.iter().map(|word| u64::from(word.count_ones())).sum();
        Self { sees, number, question, words, len }
    }

    fn bits(&self) -> Bits<'_> {
        Bits { words: &self.words, len: self.len }
    }
}

/// The best 10 rows of each of `cases`. Every row is read once and compared with every question, so that the rows may
/// lie in a file and the scores need not be kept.
fn truths(rows: &impl Rows, n: u32, metric: Metric, questions: &[Question], cases: &[Case<'_>]) -> Result<Vec<Truth>> {
    let nothing = || cases.iter().map(|_| TopK::new(K)).collect::<Vec<_>>();
    let all = (0..n).into_par_iter().with_min_len(1024).try_fold(
        || (nothing(), Vec::new()),
        |(mut best, mut scores), row| {
            let vector = rows.row(row)?;
            scores.clear();
            scores.extend(questions.iter().map(|question| score(metric, &vector, &question.vector)));
            for (best, case) in best.iter_mut().zip(cases) {
                let seen = case.words.is_empty() || case.bits().contains(row);
                if seen && !case.question.absent.contains(&row) {
                    best.push(scores[case.number], row);
                }
            }
            Ok((best, scores))
        },
    );
    let merge = |mut all: Vec<TopK<_>>, some: Vec<TopK<_>>| {
        let found = all.iter_mut().zip(some);
        found.for_each(|(all, some)| some.into_sorted().into_iter().for_each(|(score, row)| all.push(score, row)));
        Ok(all)
    };
    let all = all.map(|part| part.map(|(best, _)| best)).try_reduce(nothing, merge)?;
    let truth = |top: Vec<(f32, u32)>| (top.len(), top.last().map_or(f32::INFINITY, |(score, _)| *score));
    Ok(all.into_iter().map(|best| truth(best.into_sorted())).collect())
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
fn visible(i: u32, sees: Sees, topics: &[u8], own: u8) -> Vec<u64> {
    let n = topics.len();
    let mut words = vec![0u64; n.div_ceil(64)];
    let mut set = |row: usize| words[row / 64] |= 1 << (row % 64);
    if !sees.own_topic {
        let limit = (f64::from(sees.share) * u64::MAX as f64) as u64;
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
        if total as f64 >= f64::from(sees.share) * n as f64 {
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
    metric: Metric,
) -> Result<(Vec<Curve>, f32)> {
    let n = graph.rows();
    let unit = metric == Metric::Cosine;
    let questions: Vec<Question> =
        (0..QUESTIONS).into_par_iter().map(|i| Question::new(i, rows, n, unit)).collect::<Result<_>>()?;
    let topics = topics(between, n);
    let mut sees = vec![Sees { share: 1.0, own_topic: false }];
    sees.extend(SHARES.iter().flat_map(|&share| [false, true].map(|own_topic| Sees { share, own_topic })));
    let asked = |sees: &Sees| if sees.share >= 1.0 { questions.len() } else { FILTERED };
    let numbered: Vec<(Sees, usize)> = sees.iter().flat_map(|&s| (0..asked(&s)).map(move |i| (s, i))).collect();
    let cases: Vec<Case<'_>> =
        numbered.into_par_iter().map(|(sees, number)| Case::new(sees, number, &questions, &topics)).collect();
    let truths = truths(rows, n, metric, &questions, &cases)?;
    let cases: Vec<(Case<'_>, Truth)> = cases.into_iter().zip(truths).collect();
    let scan_ns = scan_ns(graph, codes, &questions)?;
    let mut curves = Vec::new();
    for cases in cases.chunk_by(|(a, _), (b, _)| a.sees == b.sees) {
        let Sees { share, own_topic } = cases[0].0.sees;
        let kind = |bridging| Kind { share, bridging, own_topic };
        curves.push(curve(kind(share < 1.0), scan_ns, graph, codes, rows, cases)?);
        // Where less is visible, walking through what is not is never the better way.
        if (THROUGH_FROM..1.0).contains(&share) {
            curves.push(curve(kind(false), scan_ns, graph, codes, rows, cases)?);
        }
    }
    Ok((curves, scan_ns))
}

fn curve(
    kind: Kind,
    scan_ns: f32,
    graph: &Graph,
    codes: &Int8,
    rows: &impl Rows,
    cases: &[(Case<'_>, Truth)],
) -> Result<Curve> {
    let (mut points, mut all_scored, mut all_seconds) = (Vec::new(), 0, 0.0);
    let mut scanned = Vec::new();
    for ef in EFS {
        let found = cases.par_iter().map(|(case, (_, least))| {
            let filter = match (kind.share >= 1.0, kind.bridging) {
                (true, _) => Filter::Nothing,
                (_, true) => Filter::Bridging(case.bits()),
                (_, false) => Filter::Through(case.bits()),
            };
            let question = case.question;
            let asked = Without { asked: codes.ask(&question.vector), absent: question.absent };
            let goal = Goal { ef: ef as usize, most_scored: u32::MAX };
            let watch = Stopwatch::start();
            let outcome = walk(graph, &asked, filter, goal)?;
            let seconds = watch.seconds();
            let (mut top, mut best) = (TopK::new(K), outcome.best);
            best.retain(|(_, row)| !question.absent.contains(row));
            rescore(rows, &question.vector, &best, &mut top, |bar| asked.asked.hardly_less(bar))?;
            let good = top.into_sorted().iter().filter(|(score, _)| score >= least).count();
            let scanned = if outcome.gave_up { case.bits().len } else { 0 };
            Ok((good, u64::from(outcome.scored), scanned, seconds))
        });
        let found: Vec<(usize, u64, u64, f64)> = found.collect::<Result<_>>()?;
        let good: usize = found.iter().map(|(good, ..)| good).sum();
        let scored: u64 = found.iter().map(|(_, scored, ..)| scored).sum();
        all_scored += scored;
        all_seconds += found.iter().map(|(.., seconds)| seconds).sum::<f64>();
        let there: usize = cases.iter().map(|(_, (count, _))| count).sum();
        let recall = good as f32 / there.max(1) as f32;
        points.push(Point { ef, recall, scored: scored as f32 / cases.len() as f32 });
        scanned.push(found.iter().map(|(.., scanned, _)| scanned).sum::<u64>() as f32 / cases.len() as f32);
        if recall >= 0.9995 {
            break;
        }
    }
    let ns = ((all_seconds * 1e9 / all_scored.max(1) as f64) as f32).max(0.1);
    // Where a walk gives way to the scan, that is paid too.
    points.iter_mut().zip(scanned).for_each(|(point, scanned)| point.scored += scanned * scan_ns / ns);
    Ok(Curve { kind, ns, points })
}
