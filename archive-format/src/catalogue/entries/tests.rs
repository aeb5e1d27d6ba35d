//! Questions about the log that are answered without reading all of it.

use super::*;

async fn with_entries(entries: &[(u64, u8, &'static str)]) -> (tempfile::TempDir, Catalogue) {
    let folder = tempfile::tempdir().unwrap();
    let (catalogue, _) = Catalogue::open(folder.path().join("catalogue.sqlite"))
        .await
        .unwrap();
    let entries = entries.to_vec();
    let added = catalogue.database.call("add", move |connection| {
        for (number, signer, sort) in entries {
            connection.execute(
                "INSERT INTO log (number, hash, signer, sort, body) VALUES (?1, ?2, ?3, ?4, '')",
                params![number as i64, [0_u8; 32], [signer; 32], sort],
            )?;
        }
        Ok(())
    });
    added.await.unwrap();
    (folder, catalogue)
}

#[tokio::test]
async fn the_first_hole_in_the_log_is_found_wherever_it_is() {
    let numbers = |numbers: &[u64]| -> Vec<(u64, u8, &'static str)> {
        numbers.iter().map(|number| (*number, 1, "hold")).collect()
    };
    for (there, last, hole) in [
        (&[1, 2, 3][..], 3, None),
        (&[1, 2, 4, 5], 5, Some(3)),
        (&[1, 2, 4, 5], 2, None),
        (&[2, 3], 3, Some(1)),
        (&[1, 5], 5, Some(2)),
    ] {
        let (_folder, catalogue) = with_entries(&numbers(there)).await;
        let found = catalogue.first_hole(last).await.unwrap();
        assert_eq!(found, hole, "{there:?} up to {last}");
    }
}

#[tokio::test]
async fn of_each_signer_and_sort_the_first_entry_is_named_and_every_one_that_was_passed_over() {
    let (_folder, catalogue) = with_entries(&[
        (1, 1, "keys"),
        (2, 2, "snapshot"),
        (3, 2, "forget"),
        (4, 2, "snapshot"),
        (5, 3, "snapshot"),
        (6, 2, PASSED),
        (7, 2, PASSED),
    ])
    .await;
    let found = catalogue.signers().await.unwrap();
    let found: Vec<(u64, String)> = (found.into_iter())
        .map(|(number, _, sort)| (number, sort))
        .collect();
    let wanted = [
        (1, "keys"),
        (2, "snapshot"),
        (3, "forget"),
        (5, "snapshot"),
        (6, PASSED),
        (7, PASSED),
    ];
    assert_eq!(
        found,
        wanted.map(|(number, sort)| (number, sort.to_owned()))
    );
}
