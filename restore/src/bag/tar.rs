//! Headers of a POSIX tar: ustar, with a PAX record in front where a path or a size does not fit. Owner, mode and time are
//! fixed, so that the same content makes the same bytes.

/// What everything in a tar is a multiple of.
pub(crate) const BLOCK_BYTES: u64 = 512;

/// The largest size that the field of a ustar header takes: eleven octal digits.
const USTAR_SIZE_MAX: u64 = 0o777_7777_7777;

/// The longest path that a ustar header takes without its prefix, of which nobody needs to know.
const USTAR_PATH_MAX: usize = 100;

const FILE: u8 = b'0';
const PAX: u8 = b'x';

/// The blocks in front of a member.
pub(crate) fn header(path: &str, size: u64) -> Vec<u8> {
    let mut records = String::new();
    let fits = path.len() <= USTAR_PATH_MAX && path.is_ascii();
    if !fits {
        records.push_str(&record("path", path));
    }
    if size > USTAR_SIZE_MAX {
        records.push_str(&record("size", &size.to_string()));
    }
    let mut out = Vec::new();
    if !records.is_empty() {
        out.extend(block("PaxHeaders/member", records.len() as u64, PAX));
        out.extend(records.as_bytes());
        out.resize(out.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    }
    let short = if fits { path } else { "member" };
    out.extend(block(short, size.min(USTAR_SIZE_MAX), FILE));
    out
}

/// How many zeros stand behind so many bytes of a member.
pub(crate) fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK_BYTES) - size) as usize
}

/// What a tar ends with.
pub(crate) fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK_BYTES as usize]
}

/// A record of a PAX header, `LENGTH KEY=VALUE`: the length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    loop {
        let next = rest + length.to_string().len();
        if next == length {
            return format!("{length} {key}={value}\n");
        }
        length = next;
    }
}

fn block(path: &str, size: u64, sort: u8) -> [u8; BLOCK_BYTES as usize] {
    let mut block = [0; BLOCK_BYTES as usize];
    put(&mut block, 0, path);
    put(&mut block, 100, "0000644\0");
    put(&mut block, 108, "0000000\0");
    put(&mut block, 116, "0000000\0");
    put(&mut block, 124, &format!("{size:011o}\0"));
    put(&mut block, 136, "00000000000\0");
    put(&mut block, 148, "        ");
    block[156] = sort;
    put(&mut block, 257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut block, 148, &format!("{sum:06o}\0 "));
    block
}

fn put(block: &mut [u8], at: usize, text: &str) {
    block[at..at + text.len()].copy_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test says where")]

    use std::process::Command;

    use super::*;

    #[test]
    fn the_length_of_a_record_counts_its_own_digits() {
        // The example of POSIX: `25 ctime=1084839148.1212\n`.
        assert_eq!(
            record("ctime", "1084839148.1212"),
            "25 ctime=1084839148.1212\n"
        );
        for length in 80..120 {
            let made = record("path", &"x".repeat(length));
            let (said, _) = made.split_once(' ').unwrap();
            assert_eq!(said, made.len().to_string());
        }
    }

    #[test]
    fn stock_tar_reads_short_long_and_foreign_paths() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("bag/{}/{}", "d".repeat(150), "f".repeat(180));
        let paths = ["bag/bagit.txt", &long, "bag/data/\u{e4}\u{f6}/x y.txt"];
        let mut tar = Vec::new();
        for path in paths {
            let content = path.as_bytes();
            tar.extend(header(path, content.len() as u64));
            tar.extend(content);
            tar.resize(tar.len() + padding(content.len() as u64), 0);
        }
        tar.extend(end());
        let file = folder.path().join("a.tar");
        std::fs::write(&file, tar).unwrap();
        let done = Command::new("tar")
            .arg("-xf")
            .arg(&file)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        for path in paths {
            assert_eq!(
                std::fs::read_to_string(folder.path().join(path)).unwrap(),
                path
            );
        }
    }
}
