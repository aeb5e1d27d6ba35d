//! Recorded requests of official clients, sent to the simulator in three forms: as they were, with everything renamed, and twice.
//!
//! The recordings of `../shared/azure/wire` lie outside of the project; without them those tests say so and pass. The ones in
//! `recordings/` are the project's own, made by `tests/interop/record.py`, and are always played.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod differences;
mod least;
mod names;
mod player;
mod recording;
mod rename;
mod scene;
mod twice;
mod values;

use std::path::{Path, PathBuf};

use differences::Difference;
use recording::Recording;

/// Requests of a form that must be answered as recorded, in percent.
const ALIKE: usize = 95;

fn own() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    Recording::all(&folder)
}

fn outside() -> Option<Vec<Recording>> {
    let found = beside("shared/azure/wire")?;
    Some(Recording::all(&found))
}

/// A folder beside the project, or a line that says what is skipped.
fn beside(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = ["..", "../.."]
        .into_iter()
        .map(|up| root.join(up).join(name))
        .find(|path| path.is_dir());
    if found.is_none() {
        recording::say(&format!("skipped: ../{name} is not beside the project"));
    }
    found
}

/// Plays recordings in one form into an empty cloud and holds what differs against the file.
fn judge(set: &str, form: &str, recordings: &[Recording]) {
    let play = match form {
        "in-order" => player::once(recordings),
        "renamed" => player::once(&rename::all(recordings)),
        _ => player::twice(recordings),
    };
    let found = Difference::gather(set, form, &play);
    let unlike = found
        .iter()
        .map(|difference| difference.count)
        .sum::<usize>();
    let percent = 100.0 * (play.len() - unlike) as f64 / play.len() as f64;
    let listed = differences::listed(set, form);
    recording::say(&format!(
        "{set} {form}: {} requests, {unlike} answered otherwise, {percent:.1} % alike",
        play.len()
    ));
    let unexplained = differences::without(&found, &listed);
    let over = differences::without(&listed, &found);
    assert!(
        unexplained.is_empty(),
        "answers that differ without a reason in differences.jsonl:\n{}\n{}",
        differences::lines(&unexplained),
        player::examples(&play)
    );
    assert!(
        over.is_empty(),
        "entries of differences.jsonl that are none any more:\n{}",
        differences::lines(&over)
    );
    assert!(
        (play.len() - unlike) * 100 >= play.len() * ALIKE,
        "only {percent:.1} % are alike"
    );
}

#[test]
fn own_recordings_in_order_get_the_same_answers() {
    judge("own", "in-order", &own());
}

#[test]
fn own_recordings_renamed_get_the_same_answers() {
    judge("own", "renamed", &own());
}

#[test]
fn own_recordings_sent_twice_get_what_azure_answers_to_a_second_one() {
    judge("own", "twice", &own());
}

#[test]
fn recordings_in_order_get_the_same_answers() {
    if let Some(recordings) = outside() {
        judge("wire", "in-order", &recordings);
    }
}

#[test]
fn recordings_renamed_get_the_same_answers() {
    if let Some(recordings) = outside() {
        judge("wire", "renamed", &recordings);
    }
}

#[test]
fn recordings_sent_twice_get_what_azure_answers_to_a_second_one() {
    if let Some(recordings) = outside() {
        judge("wire", "twice", &recordings);
    }
}

#[test]
fn renaming_leaves_no_name_of_the_recording_behind() {
    let recordings = own();
    let names = names::Names::of(&recordings);
    assert!(names.len() > 10, "few names were found: {}", names.len());
    for recording in rename::all(&recordings) {
        for row in &recording.rows {
            let left = names.in_text(&format!("{} {}", row.host, row.target));
            assert!(left.is_empty(), "{left:?} stayed in {}", row.target);
        }
    }
}

#[test]
fn recordings_and_their_answers_are_as_the_specification_says() {
    let (Some(folder), Some(recordings)) = (beside("shared/azure/swagger"), outside()) else {
        return;
    };
    let specification = simulator::Specification::load(&folder).unwrap();
    let summary = player::held_against(&recordings, specification);
    recording::say(&summary.to_string());
    assert!(summary.seen.len() >= 40, "{summary}");
    assert!(summary.mismatches.is_empty(), "{summary}");
}
