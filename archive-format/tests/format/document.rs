//! FORMAT.md says the values that the code has.

use archive_format::log::Body;
use archive_format::{ChunkParameters, magic};

use crate::world::Tested;

/// The page.
pub(crate) const FORMAT: &str = include_str!("../../FORMAT.md");

#[test]
fn the_page_has_the_magics_and_limits_of_the_code() -> Tested {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let grouped = |number: u64| {
        let digits = number.to_string();
        let groups: Vec<_> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect();
        groups.join(",")
    };
    let wanted = [
        text(&magic::TABLE_MAGIC),
        text(&magic::INDEX_MAGIC),
        text(&magic::CHUNK_LIST_MAGIC),
        text(&magic::PACK_LIST_MAGIC),
        text(magic::ENTRY_CONTEXT),
        text(magic::CHECKPOINT_CONTEXT),
        text(magic::RECORD_CONTEXT),
        text(magic::SECRET_CONTEXT),
        format!("{:#010X}", magic::TABLE_FRAME_MAGIC).replace("0X", "0x"),
        format!("{:#010X}", magic::SEEK_FRAME_MAGIC).replace("0X", "0x"),
        format!("{:#010X}", magic::SEEK_TABLE_MAGIC).replace("0X", "0x"),
        format!("at most {} MiB", magic::OBJECT_BYTES_MAX >> 20),
        format!(
            "16 MiB + {}\ndecompressed, or over {} KiB more",
            grouped(magic::FRAME_BYTES_MAX - magic::OBJECT_BYTES_MAX),
            (magic::STORED_FRAME_BYTES_MAX - magic::FRAME_BYTES_MAX) >> 10
        ),
        format!(
            "age header over\n{} KiB or {} lines, of a key file over {} KiB or {} lines",
            magic::AGE_HEADER_BYTES_MAX >> 10,
            magic::AGE_HEADER_LINES_MAX,
            magic::KEY_HEADER_BYTES_MAX >> 10,
            grouped(magic::KEY_HEADER_LINES_MAX as u64)
        ),
        format!("at most {} ", grouped(magic::AGE_HEADER_BYTES_MAX as u64)),
        format!("a log entry over {} MiB", magic::ENTRY_BYTES_MAX >> 20),
        format!(
            "a checkpoint over {} MiB",
            magic::CHECKPOINT_BYTES_MAX >> 20
        ),
        format!("fit into {} MiB", magic::CHECKPOINT_BYTES_MAX >> 20),
        format!(
            "first line of either over {} KiB",
            magic::SIGNED_LINE_BYTES_MAX >> 10
        ),
        format!("whose number {} divides", magic::CHECKPOINT_LOOK),
        format!("of the last\n{} entries", magic::CHECKPOINT_ENTRIES),
        format!("an index over {} MiB", magic::INDEX_BYTES_MAX >> 20),
        format!("key files over {} MiB", magic::RECORD_BYTES_MAX >> 20),
        format!("a line over {} KiB", magic::LINE_BYTES_MAX >> 10),
        format!("a piece over {} KiB", magic::PIECE_BYTES_MAX >> 10),
        format!("a depth, over {}", magic::TREE_DEPTH_MAX),
        format!("`level`, at most {}", magic::TREE_DEPTH_MAX),
        format!("at most {}", grouped(magic::PACK_FRAMES_MAX.into())),
        format!("at most {}", grouped(magic::PACK_OBJECTS_MAX.into())),
        format!("{} children", grouped(magic::ROOT_PIECES_MAX as u64)),
        format!("more than {} chunks", magic::LINE_CHUNKS_MAX),
        format!("more than {} objects and arrays", magic::JSON_DEPTH_MAX),
        format!(
            "less than {} KiB shares a frame",
            magic::LARGE_OBJECT_BYTES >> 10
        ),
        format!("about {} KiB of tar", magic::SHARED_FRAME_BYTES >> 10),
        format!("at most {} KiB)", magic::PATH_BYTES_MAX >> 10),
        format!("packs: {} random bytes", magic::SECRET_SALT_BYTES),
        ChunkParameters::default().algorithm,
    ];
    for value in wanted {
        assert!(FORMAT.contains(&value), "FORMAT.md does not say `{value}`");
    }
    for sort in Body::SORTS {
        assert!(
            FORMAT.contains(&format!("| `{sort}` |")),
            "FORMAT.md does not have the entry `{sort}`"
        );
    }
    Ok(())
}
