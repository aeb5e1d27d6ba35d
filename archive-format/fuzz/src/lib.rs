//! What the targets have in common: the bytes go to the target of that name, and the heap that it takes is measured.

/// Runs a target. Bytes that it refuses are fine; a panic or too large a heap is not.
pub fn hold(name: &str, bytes: &[u8]) {
    let target = archive_format::fuzzing::named(name).expect("a target of that name");
    let _refused = target.hold(bytes, |work| {
        allocation_counter::measure(work).bytes_max
    });
}
