//! Which ef gives which recall, and at what price?

use safepassage_error::Result;

/// Recall@10 and the rows scored, on average, at one ef.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub ef: u32,
    pub recall: f32,
    /// With what the scan costs, in as many rows, where the walk gives way to it.
    pub scored: f32,
}

/// What kind of walk was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kind {
    /// The share of rows that were visible; 1 for all.
    pub share: f32,
    /// Whether forbidden rows were bridged, or walked through.
    pub bridging: bool,
    /// Whether what the question is about was forbidden, or rows at random.
    pub own_topic: bool,
}

/// Growing ef for one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    pub kind: Kind,
    /// What a scored row cost, all that goes with it included: nanoseconds of one core.
    pub ns: f32,
    pub points: Vec<Point>,
}

impl Curve {
    /// The ef at which half of what may be missed is missed, with the rows that it scores; the other half is kept for
    /// questions harder than the ones measured. `None` if no measured ef does it.
    pub fn at(&self, recall: f32) -> Option<Point> {
        let wanted = recall + (1.0 - recall) / 2.0;
        let above = self.points.iter().position(|point| point.recall >= wanted)?;
        let high = self.points[above];
        let Some(low) = above.checked_sub(1).map(|below| self.points[below]) else { return Some(high) };
        // Between two measured ef the missed share falls about as ef grows: in a straight line is on the safe side.
        let part = (wanted - low.recall) / (high.recall - low.recall).max(f32::EPSILON);
        let between = |a: f32, b: f32| a + (b - a) * part;
        Some(Point {
            ef: between(low.ef as f32, high.ef as f32).ceil() as u32,
            recall: wanted,
            scored: between(low.scored, high.scored),
        })
    }

    /// As numbers for [`Curve::read`].
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let Kind { share, bridging, own_topic } = self.kind;
        let head = [share.to_bits(), bridging.into(), own_topic.into(), self.ns.to_bits(), self.points.len() as u32];
        head.into_iter().chain(self.points.iter().flat_map(|p| [p.ef, p.recall.to_bits(), p.scored.to_bits()]))
    }

    pub fn read(take: &mut impl FnMut(u64) -> Result<Vec<u32>>) -> Result<Self> {
        let head = take(5)?;
        let kind = Kind { share: f32::from_bits(head[0]), bridging: head[1] == 1, own_topic: head[2] == 1 };
        let numbers = take(u64::from(head[4]) * 3)?;
        let point = |n: &[u32]| Point { ef: n[0], recall: f32::from_bits(n[1]), scored: f32::from_bits(n[2]) };
        Ok(Self { kind, ns: f32::from_bits(head[3]), points: numbers.chunks_exact(3).map(point).collect() })
    }
}
