//! A pack is a file of zstd's seekable format: a public reader of that format, which knows nothing of mlark, finds its
//! frames by the seek table and reads any part of the tar.

use std::io::{Cursor, Read, Seek, SeekFrom};

use crate::stock::things;
use crate::world::{Tested, World, backup, decrypt, noise};

/// The packs of a repository before encryption.
async fn packs(encrypted: bool) -> Tested<Vec<Vec<u8>>> {
    let world = World::with_packs(encrypted, 1 << 20).await?;
    backup(&world.open().await?, &things()).await?;
    let keys = match encrypted {
        true => [world.secrets("data")?, world.secrets("meta")?].concat(),
        false => Vec::new(),
    };
    let open = |path: std::path::PathBuf| {
        for key in &keys {
            if let Some(plain) = decrypt(&path, key)? {
                return Ok(plain);
            }
        }
        match encrypted {
            true => Err("no key opens a pack".into()),
            false => Ok(std::fs::read(path)?),
        }
    };
    world.files("packs").into_iter().map(open).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_reader_of_seekable_zstd_reads_any_part_of_a_pack() -> Tested {
    let mut frames = 0;
    for pack in [packs(true).await?, packs(false).await?].concat() {
        let mut whole = Vec::new();
        zstd::Decoder::new(pack.as_slice())?.read_to_end(&mut whole)?;
        let mut reader = zeekstd::Decoder::new(Cursor::new(&pack))?;
        let table = reader.seek_table();
        assert_eq!(table.size_decomp(), whole.len() as u64);
        // The frame with mlark's table is one with nothing in it.
        let last = table.num_frames() - 1;
        assert_eq!(table.frame_size_decomp(last)?, 0);
        assert_eq!(table.frame_size_decomp(last - 1)?, 1024);
        frames += last;
        let dice = noise(2048, pack.len() as u64);
        for dice in dice.chunks_exact(8) {
            let dice = |at: usize| u32::from_le_bytes([dice[at], dice[at + 1], dice[at + 2], 0]);
            let begin = dice(0) as usize % whole.len();
            let length = (dice(4) as usize % 70_000).min(whole.len() - begin);
            let mut part = vec![0; length];
            reader.seek(SeekFrom::Start(begin as u64))?;
            reader.read_exact(&mut part)?;
            assert!(part == whole[begin..begin + length], "{begin} {length}");
        }
    }
    assert!(frames > 30, "{frames}");
    Ok(())
}
