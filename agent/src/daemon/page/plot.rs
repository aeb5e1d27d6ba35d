//! How a workspace grows, and what each backup of it added to the repository: two small plots, and the same in words. They
//! are stretched to the width that there is, so that no text stands in them.

use archive_format::SnapshotRecord;

use super::markup::Html;
use super::timeline::{day, last_of_runs};
use crate::ui::amount;

/// How many backups a plot shows.
const POINTS: usize = 60;
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// Draws both for the snapshots of a workspace, oldest first.
pub(super) fn draw(html: &mut Html, records: &[SnapshotRecord]) {
    let mut records: Vec<&SnapshotRecord> = last_of_runs(records).collect();
    records.drain(..records.len().saturating_sub(POINTS));
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return;
    };
    let sizes: Vec<u64> = records.iter().map(|record| record.bytes.listed).collect();
    let stored: Vec<u64> = records.iter().map(|record| record.bytes.stored).collect();
    let all = sizes.iter().copied().fold(0, u64::saturating_add);
    let added = stored.iter().copied().fold(0, u64::saturating_add);
    html.element("div", &[("class", "plots")], |html| {
        let says = format!(
            "{} on {}, {} on {}",
            amount::size(first.bytes.listed),
            day(first.started),
            amount::size(last.bytes.listed),
            day(last.started)
        );
        plot(html, "Size of the workspace", &says, &sizes, line);
        let says = format!(
            "{} added for {} of {} in all",
            amount::size(added),
            amount::counted(records.len() as u64, "backup"),
            amount::size(all)
        );
        plot(
            html,
            "Added to the repository by each backup",
            &says,
            &stored,
            bars,
        );
    });
}

/// What deduplication and compression save: what all snapshots would take by themselves, and what the repository takes.
pub(super) fn saved(records: &[SnapshotRecord], repository_bytes: u64) -> Option<String> {
    let all = last_of_runs(records)
        .map(|record| record.bytes.listed)
        .fold(0, u64::saturating_add);
    if repository_bytes == 0 || all <= repository_bytes {
        return None;
    }
    Some(format!(
        "{} of backups in {}: {:.1} times smaller by deduplication and compression",
        amount::size(all),
        amount::size(repository_bytes),
        all as f64 / repository_bytes as f64
    ))
}

fn plot(
    html: &mut Html,
    title: &str,
    says: &str,
    values: &[u64],
    shape: impl FnOnce(&mut Html, &[f64]),
) {
    let most = values.iter().copied().max().unwrap_or_default();
    let scale = |value: &u64| match most {
        0 => 0.0,
        most => *value as f64 / most as f64,
    };
    let shares: Vec<f64> = values.iter().map(scale).collect();
    html.element("figure", &[], |html| {
        html.element("figcaption", &[], |html| {
            html.words("strong", "", title);
            html.text(" ");
            html.words("span", "quiet", says);
        });
        html.element("p", &[("class", "scale quiet")], |html| {
            html.text(&format!("{} at most", amount::size(most)))
        });
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let label = format!("{title}: {says}");
        html.element(
            "svg",
            &[
                ("viewBox", &view),
                ("preserveAspectRatio", "none"),
                ("role", "img"),
                ("aria-label", &label),
            ],
            |html| {
                for share in [0.0, 0.5, 1.0] {
                    let y = height(share);
                    html.element(
                        "path",
                        &[("class", "rule"), ("d", &format!("M0 {y:.1}H{WIDTH}"))],
                        |_| {},
                    );
                }
                shape(html, &shares);
            },
        );
    });
}

/// How far from the top a share of the largest value is.
fn height(share: f64) -> f64 {
    2.0 + (HEIGHT - 4.0) * (1.0 - share)
}

fn line(html: &mut Html, shares: &[f64]) {
    let step = WIDTH / shares.len().saturating_sub(1).max(1) as f64;
    let mut points: Vec<String> = shares
        .iter()
        .enumerate()
        .map(|(place, share)| format!("{:.1} {:.1}", place as f64 * step, height(*share)))
        .collect();
    // A single backup is a level line.
    if let [only] = shares {
        points.push(format!("{WIDTH} {:.1}", height(*only)));
    }
    let line = format!("M{}", points.join("L"));
    let area = format!("{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z");
    html.element("path", &[("class", "area"), ("d", &area)], |_| {});
    html.element("path", &[("class", "line"), ("d", &line)], |_| {});
}

fn bars(html: &mut Html, shares: &[f64]) {
    let step = WIDTH / shares.len().max(12) as f64;
    for (place, share) in shares.iter().enumerate() {
        let (x, y) = (place as f64 * step + step * 0.1, height(*share));
        let shape = format!("M{x:.1} {HEIGHT}V{y:.1}h{:.1}V{HEIGHT}Z", step * 0.8);
        html.element("path", &[("class", "column"), ("d", &shape)], |_| {});
    }
}
