//! Sparklines: a series in one row of blocks.
//!
//! Buckets are grouped by the clock, not from the right end, so that a column keeps its height while it moves
//! left, and moves only when a group is complete: a series that shimmers cannot be read, and costs bytes.

use crate::domain::Time;

/// Seven of the eight blocks: the full one would join the rows of a table into one slab.
const BLOCKS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// A stretch of a sparkline, all of it below what was expected, or none of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    /// The blocks.
    pub(crate) blocks: String,
    /// Whether they are worth a colour.
    pub(crate) low: bool,
}

/// A rate of 0 to 1, one bucket a second up to `at`; blank where nothing was measured. Told apart below `floor`.
pub(crate) fn rates(series: &[Option<f32>], columns: usize, at: Time, floor: f32) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for mean in grouped(series, columns, at) {
        let low = mean.is_some_and(|rate| rate < floor);
        if runs.last().is_none_or(|run| run.low != low) {
            runs.push(Run { blocks: String::new(), low });
        }
        if let Some(run) = runs.last_mut() {
            run.blocks.push(mean.map_or(' ', block));
        }
    }
    runs
}

/// Any other series, from zero to its own maximum.
pub(crate) fn heights(series: &[Option<f32>], columns: usize, at: Time) -> String {
    let means: Vec<Option<f32>> = grouped(series, columns, at).collect();
    let most = means.iter().flatten().copied().fold(f32::MIN_POSITIVE, f32::max);
    means.into_iter().map(|mean| mean.map_or(' ', |value| block(value / most))).collect()
}

/// Counts, one bucket a second up to `at`.
pub(crate) fn volumes(series: &[u32], columns: usize, at: Time) -> String {
    #[expect(clippy::cast_precision_loss, reason = "attempts of one second: far below 2^24")]
    let series: Vec<Option<f32>> = series.iter().map(|n| Some(*n as f32)).collect();
    heights(&series, columns, at)
}

/// The block for a share of the full height.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the blocks there are")]
pub(super) fn block(share: f32) -> char {
    BLOCKS[(share.clamp(0.0, 1.0) * 6.99) as usize]
}

/// The means of the newest groups that fit, oldest first. The newest group may still be filling.
fn grouped(series: &[Option<f32>], columns: usize, at: Time) -> impl Iterator<Item = Option<f32>> {
    let size = series.len().div_ceil(columns.max(1)).max(1);
    let filling = usize::try_from(at.secs().rem_euclid(i64::try_from(size).unwrap_or(1))).unwrap_or(0) + 1;
    let newest = series.len().saturating_sub(filling.min(series.len()));
    let (older, last) = series.split_at(newest);
    let mut groups: Vec<&[Option<f32>]> = older.rchunks(size).collect();
    groups.reverse();
    groups.push(last);
    let skipped = groups.len().saturating_sub(columns);
    groups.into_iter().skip(skipped).map(mean)
}

fn mean(group: &[Option<f32>]) -> Option<f32> {
    let (sum, n) = group.iter().flatten().fold((0.0, 0_u8), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f32::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_use_the_whole_scale_and_tell_what_is_low() {
        let run = |blocks: &str, low| Run { blocks: blocks.into(), low };
        let series = [Some(0.0), Some(0.5), None, Some(1.0)];
        assert_eq!(rates(&series, 4, Time::ZERO, 0.4), [run("▁", true), run("▄ ▇", false)]);
        assert_eq!(volumes(&[0, 10, 5], 3, Time::ZERO), "▁▇▄");
    }

    #[test]
    fn a_column_moves_only_when_its_group_is_complete() {
        let second =
            |n: i64| (0..60).map(|i| Some(if (n - 59 + i) % 7 == 0 { 1.0 } else { 0.2 })).collect::<Vec<Option<f32>>>();
        let line = |series: &[_], at| rates(series, 12, at, 0.0).into_iter().map(|run| run.blocks).collect::<String>();
        let drawn: Vec<String> = (600..606).map(|n| line(&second(n), Time::from_secs(n))).collect();
        let heads: Vec<String> = drawn.iter().map(|line| line.chars().take(11).skip(1).collect()).collect();
        assert!(heads[..5].iter().all(|head| *head == heads[0]), "{drawn:?}");
        assert_eq!(heads[5].chars().take(9).collect::<String>(), heads[0].chars().skip(1).collect::<String>());
        assert!(drawn.iter().all(|line| line.chars().count() == 12));
    }
}
