//! Can every row be reached, and which rows should lie side by side?

use super::builder::{Links, NONE};
use crate::code::permute;

/// The rows that no path of links leads to from `start`.
pub(super) fn unreachable(lowest: &[u32], width: usize, start: u32) -> Vec<u32> {
    let mut seen = vec![false; lowest.len() / width];
    spread(lowest, width, start, &mut seen, &mut Vec::new());
    (0..).zip(&seen).filter(|(_, seen)| !**seen).map(|(row, _)| row).collect()
}

/// Marks what can be reached from `start`, and lists it in the order in which it is met.
fn spread(lowest: &[u32], width: usize, start: u32, seen: &mut [bool], met: &mut Vec<u32>) {
    if std::mem::replace(&mut seen[start as usize], true) {
        return;
    }
    let mut at = met.len();
    met.push(start);
    while let Some(&row) = met.get(at) {
        at += 1;
        let near = &lowest[row as usize * width..][..width];
        for &next in near.iter().take_while(|&&next| next != NONE) {
            if !std::mem::replace(&mut seen[next as usize], true) {
                met.push(next);
            }
        }
    }
}

/// Links every row that cannot be reached from `start` behind one that can: `near` names the row nearest to a lost one
/// among those reached.
///
/// A list that is full gives its last link up to the lost row, which takes that link over: what was reached stays so.
pub(super) fn connect_all(links: &mut Links, start: u32, mut near: impl FnMut(&Links, u32, &[bool]) -> u32) {
    let width = links.width;
    let mut seen = vec![false; links.lowest.len() / width];
    let mut met = Vec::new();
    spread(&links.lowest, width, start, &mut seen, &mut met);
    for lost in 0..seen.len() as u32 {
        if seen[lost as usize] {
            continue;
        }
        let host = near(links, lost, &seen);
        let list = |row: u32| row as usize * width..(row as usize + 1) * width;
        let given_up = match links.lowest[list(host)].iter_mut().find(|link| **link == NONE) {
            Some(free) => {
                *free = lost;
                NONE
            }
            None => std::mem::replace(&mut links.lowest[list(host).end - 1], lost),
        };
        let own = &mut links.lowest[list(lost)];
        if given_up != NONE && given_up != lost && !own.contains(&given_up) {
            let free = own.iter().position(|link| *link == NONE).unwrap_or(width - 1);
            own[free] = given_up;
        }
        spread(&links.lowest, width, lost, &mut seen, &mut met);
    }
}

/// An order of the rows in which neighbours lie near each other: as a walk from the top meets them.
pub(super) fn order(links: &Links, start: u32) -> Vec<u32> {
    let mut seen = vec![false; links.lowest.len() / links.width];
    let mut met = Vec::with_capacity(seen.len());
    spread(&links.lowest, links.width, start, &mut seen, &mut met);
    for row in 0..seen.len() as u32 {
        spread(&links.lowest, links.width, row, &mut seen, &mut met);
    }
    met
}

/// The same graph with row `order[i]` called i.
pub(super) fn renumber(links: &mut Links, order: &[u32]) {
    let mut place = vec![0; order.len()];
    (0..).zip(order).for_each(|(new, &old)| place[old as usize] = new);
    permute(bytemuck::cast_slice_mut(&mut links.lowest), links.width * size_of::<u32>(), order);
    links.lowest.iter_mut().filter(|link| **link != NONE).for_each(|link| *link = place[*link as usize]);
    if links.upper.is_empty() {
        links.entry = place.get(links.entry as usize).copied().unwrap_or(0);
    }
    let top = links.upper.len().saturating_sub(1);
    for (depth, layer) in links.upper.iter_mut().enumerate() {
        let mut by_row: Vec<u32> = (0..layer.rows.len() as u32).collect();
        by_row.sort_unstable_by_key(|&node| place[layer.rows[node as usize] as usize]);
        let mut new = vec![0; by_row.len()];
        (0..).zip(&by_row).for_each(|(at, &node)| new[node as usize] = at);
        let named = |&node: &u32| if node == NONE { NONE } else { new[node as usize] };
        let old = |&node: &u32| layer.links[node as usize * layer.width..][..layer.width].iter().map(named);
        let moved = by_row.iter().flat_map(old).collect();
        layer.rows = by_row.iter().map(|&node| place[layer.rows[node as usize] as usize]).collect();
        layer.links = moved;
        if depth == top {
            links.entry = new[links.entry as usize];
        }
    }
}
