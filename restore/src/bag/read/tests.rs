//! Bags of the conformance suite of the Library of Congress, and bags made here: whole, changed, hostile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256, Sha512};

use super::*;

const ALL: Reading<'static> = Reading {
    keep: &|_| false,
    read: &|_| true,
};

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn suite(folder: &str) -> Vec<PathBuf> {
    let at = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/bagit");
    if !at.is_dir() {
        eprintln!("skipped: {} is not there", at.display());
        return Vec::new();
    }
    let mut bags: Vec<PathBuf> = std::fs::read_dir(at.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    bags.sort();
    assert!(!bags.is_empty(), "no bags in {folder}");
    bags
}

fn told(judgement: &Judgement) -> String {
    format!(
        "errors {:#?}\nwarnings {:#?}",
        judgement.errors, judgement.warnings
    )
}

#[test]
fn bags_of_the_suite_are_judged_as_their_folders_say() {
    for folder in ["v1.0/valid", "v0.97/valid", "v0.97/warning"] {
        for bag in suite(folder) {
            let judgement = read_folder(&bag, ALL).unwrap();
            assert!(
                judgement.is_valid(),
                "{}: {}",
                bag.display(),
                told(&judgement)
            );
            let warns = folder.ends_with("warning");
            assert!(
                !warns || !judgement.warnings.is_empty(),
                "{}",
                bag.display()
            );
        }
    }
    for folder in [
        "v1.0/invalid",
        "v0.97/invalid",
        "v0.97/linux-only",
        "v0.97/windows-only",
    ] {
        for bag in suite(folder) {
            let judgement = read_folder(&bag, ALL).unwrap();
            assert!(
                !judgement.is_valid(),
                "{}: {}",
                bag.display(),
                told(&judgement)
            );
        }
    }
}

#[test]
fn bags_of_the_suite_are_judged_alike_as_a_tar() {
    for (folder, valid) in [("v1.0/valid", true), ("v1.0/invalid", false)] {
        for bag in suite(folder) {
            let mut tar = tar::Builder::new(Vec::new());
            tar.append_dir_all("bag", &bag).unwrap();
            let tar = tar.into_inner().unwrap();
            let judgement = read_tar(tar.as_slice(), ALL).unwrap();
            // The order of a folder may put a manifest of SHA-512 before its files, or `bagit.txt` last.
            assert_eq!(
                judgement.is_valid(),
                valid,
                "{}: {}",
                bag.display(),
                told(&judgement)
            );
        }
    }
}

/// The files of a whole bag of version 1.0.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut put = |path: &str, bytes: &[u8]| files.insert(path.to_owned(), bytes.to_vec());
    put(
        "bagit.txt",
        b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    );
    put(
        "bag-info.txt",
        b"Source-Organization: test\n of many\nPayload-Oxum: 9.2\n",
    );
    put("data/a.txt", b"alpha");
    put("data/sub/100%25 b.txt", b"beta");
    let mut files: BTreeMap<String, Vec<u8>> = files
        .into_iter()
        .map(|(path, bytes)| (path.replace("%25", "%"), bytes))
        .collect();
    seal(&mut files);
    files
}

/// Writes the manifests anew.
fn seal(files: &mut BTreeMap<String, Vec<u8>>) {
    files.retain(|path, _| !path.contains("manifest-"));
    for (prefix, payload) in [("manifest", true), ("tagmanifest", false)] {
        let (mut short, mut long) = (String::new(), String::new());
        for (path, bytes) in files.iter() {
            if path.starts_with("data/") == payload && !path.starts_with("tagmanifest-") {
                let path = path.replace('%', "%25");
                short += &format!("{}  {path}\n", hex::encode(Sha256::digest(bytes)));
                long += &format!("{}  {path}\n", hex::encode(Sha512::digest(bytes)));
            }
        }
        files.insert(format!("{prefix}-sha256.txt"), short.into_bytes());
        files.insert(format!("{prefix}-sha512.txt"), long.into_bytes());
    }
}

fn in_folder(files: &BTreeMap<String, Vec<u8>>) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let at = folder.path().join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, bytes).unwrap();
    }
    read_folder(folder.path(), ALL).unwrap()
}

/// The order in which bags are written: `bagit.txt`, the payload, the manifests, the rest.
fn tar(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let place = |path: &str| match path {
        "bagit.txt" => 0,
        _ if path.starts_with("data/") => 1,
        _ => 2,
    };
    let mut paths: Vec<&String> = files.keys().collect();
    paths.sort_by_key(|path| (place(path), path.as_str()));
    for path in paths {
        let mut header = tar::Header::new_ustar();
        header.set_size(files[path].len() as u64);
        header.set_mode(0o644);
        let name = format!("bag/{path}");
        builder
            .append_data(&mut header, name, files[path].as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn both(files: &BTreeMap<String, Vec<u8>>) -> [Judgement; 2] {
    [
        in_folder(files),
        read_tar(tar(files).as_slice(), ALL).unwrap(),
    ]
}

#[test]
fn a_whole_bag_is_valid_and_its_files_are_known_by_their_digests() {
    for judgement in both(&files()) {
        assert!(judgement.is_valid(), "{}", told(&judgement));
        assert_eq!(judgement.warnings, []);
        assert_eq!((judgement.files, judgement.bytes), (2, 9));
        assert_eq!(judgement.version, "1.0");
        let below = judgement.files_below("data/sub/");
        assert_eq!(below.len(), 1);
        let digest: [u8; 32] = Sha256::digest(b"beta").into();
        assert_eq!(below[0].sha256, digest);
        let tags: Vec<String> = judgement.tags().into_iter().map(|file| file.name).collect();
        let named = [
            "bag-info.txt",
            "bagit.txt",
            "manifest-sha256.txt",
            "manifest-sha512.txt",
        ];
        assert_eq!(tags[..4], named);
    }
}

/// What is done to a whole bag, and what its judgement must name.
type Case = (&'static str, fn(&mut BTreeMap<String, Vec<u8>>));

#[test]
fn every_way_of_breaking_a_bag_is_named_by_its_file() {
    fn text(files: &mut BTreeMap<String, Vec<u8>>, path: &str, edit: impl Fn(String) -> String) {
        let text = String::from_utf8(files.remove(path).unwrap()).unwrap();
        files.insert(path.to_owned(), edit(text).into_bytes());
    }
    let cases: Vec<Case> = vec![
        ("data/a.txt", |files| {
            files.get_mut("data/a.txt").unwrap()[0] ^= 1
        }),
        ("data/a.txt", |files| drop(files.remove("data/a.txt"))),
        ("data/extra", |files| {
            drop(files.insert("data/extra".to_owned(), vec![1]))
        }),
        ("bag-info.txt", |files| {
            text(files, "bag-info.txt", |text| text.replace("test", "tent"))
        }),
        ("bag-info.txt", |files| {
            text(files, "bag-info.txt", |text| text.replace("9.2", "9.3"));
            seal(files);
        }),
        ("bag-info.txt", |files| {
            text(files, "bag-info.txt", |text| {
                text.replace("Oxum:", "Oxum :")
            });
            seal(files);
        }),
        ("bagit.txt", |files| drop(files.remove("bagit.txt"))),
        ("bagit.txt", |files| {
            text(files, "bagit.txt", |text| text.replace("n: 1.0", "n : 1.0"));
            seal(files);
        }),
        ("bagit.txt", |files| {
            text(files, "bagit.txt", |text| text.replace("1.0", "2.0"));
            seal(files);
        }),
        ("manifest-sha256.txt", |files| {
            text(files, "manifest-sha256.txt", |text| {
                text.replace("data/a", "data/../a")
            });
        }),
        ("manifest-sha256.txt", |files| {
            text(files, "manifest-sha256.txt", |text| {
                text + "zz  data/a.txt\n"
            });
        }),
        ("data/a.txt", |files| {
            text(files, "manifest-sha256.txt", |text| {
                let first = text.lines().next().unwrap().to_owned();
                format!("{text}{first}\n")
            });
        }),
        ("", |files| {
            files.retain(|path, _| !path.starts_with("manifest-"))
        }),
        ("manifest-sha512.txt", |files| {
            text(files, "tagmanifest-sha256.txt", |text| {
                let kept = text.lines().filter(|line| !line.contains("sha512"));
                kept.map(|line| format!("{line}\n")).collect()
            });
        }),
        ("data/c", |files| {
            files.insert("fetch.txt".to_owned(), b"https://a/b - data/c\n".to_vec());
            seal(files);
        }),
    ];
    for (at, (named, edit)) in cases.into_iter().enumerate() {
        let mut changed = files();
        edit(&mut changed);
        for judgement in both(&changed) {
            let found = judgement.errors.iter().any(|error| error.path == named);
            assert!(found, "case {at}, {named}: {}", told(&judgement));
            assert!(!judgement.is_valid());
        }
    }
}

#[test]
fn no_changed_byte_of_a_tar_passes_unless_nothing_of_the_bag_changed() {
    let whole = tar(&files());
    let good = read_tar(whole.as_slice(), ALL).unwrap();
    let content = |judgement: &Judgement| judgement.files_below("");
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        let judgement = read_tar(changed.as_slice(), ALL).unwrap();
        match judgement.is_valid() {
            // What fills a block behind a file is nobody's.
            true => assert_eq!(content(&judgement), content(&good), "byte {at}"),
            false => refused += 1,
        }
    }
    assert!(refused > 4000, "{refused}");
}

#[test]
fn hostile_members_of_a_tar_are_findings() {
    let add = |edit: &dyn Fn(&mut tar::Builder<Vec<u8>>)| {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, bytes) in files() {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            builder
                .append_data(&mut header, format!("bag/{path}"), bytes.as_slice())
                .unwrap();
        }
        edit(&mut builder);
        read_tar(builder.into_inner().unwrap().as_slice(), ALL).unwrap()
    };
    let whole = add(&|_| ());
    // `bag-info.txt` comes before `bagit.txt` here; both are UTF-8, so that nothing is lost.
    assert!(whole.is_valid(), "{}", told(&whole));
    let member = |builder: &mut tar::Builder<Vec<u8>>, name: &[u8], sort: tar::EntryType| {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(sort);
        header.set_size(0);
        if sort.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    };
    let regular = tar::EntryType::Regular;
    let cases: [(&[u8], tar::EntryType); 6] = [
        (b"bag/../../etc/x", regular),
        (b"/etc/x", regular),
        (b"other/data/x", regular),
        (b"bag/data/a.txt", regular),
        (b"bag/data/link", tar::EntryType::Symlink),
        (b"bag/data/device", tar::EntryType::Char),
    ];
    for (name, sort) in cases {
        let judgement = add(&|builder| member(builder, name, sort));
        assert!(!judgement.is_valid(), "{}", String::from_utf8_lossy(name));
    }
    let mut tail = tar(&files());
    tail.extend_from_slice(b"more");
    assert!(!read_tar(tail.as_slice(), ALL).unwrap().is_valid());
    let cut = tar(&files());
    assert!(!read_tar(&cut[..2000], ALL).unwrap().is_valid());
}

#[cfg(unix)]
#[test]
fn a_link_in_a_folder_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files() {
        let at = folder.path().join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, bytes).unwrap();
    }
    let (away, from) = (
        tempfile::tempdir().unwrap(),
        folder.path().join("data/a.txt"),
    );
    let to = away.path().join("a.txt");
    std::fs::copy(&from, &to).unwrap();
    std::fs::remove_file(&from).unwrap();
    std::os::unix::fs::symlink(&to, &from).unwrap();
    let judgement = read_folder(folder.path(), ALL).unwrap();
    let named = |finding: &Finding| finding.path == "data/a.txt";
    assert!(judgement.errors.iter().any(named), "{}", told(&judgement));
}

#[test]
fn a_source_that_fails_is_an_error_and_no_judgement() {
    struct Failing<'a>(&'a [u8]);
    impl io::Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.is_empty() {
                true => Err(io::Error::other("the line went dead")),
                false => self.0.read(buffer),
            }
        }
    }
    let whole = tar(&files());
    let failed = read_tar(Failing(&whole[..3000]), ALL).unwrap_err();
    assert!(matches!(failed, ReadError::Read { .. }));
}

#[test]
fn the_reader_ends_where_it_is_told_to_and_keeps_what_it_is_asked_for() {
    let stopped = Reading {
        read: &|_| false,
        ..ALL
    };
    let judgement = read_tar(tar(&files()).as_slice(), stopped).unwrap();
    assert!(judgement.stopped && !judgement.is_valid());
    let keeping = Reading {
        keep: &|path: &str| path == "bag-info.txt",
        ..ALL
    };
    let judgement = read_tar(tar(&files()).as_slice(), keeping).unwrap();
    assert_eq!(judgement.kept_paths().collect::<Vec<_>>(), ["bag-info.txt"]);
    assert!(
        judgement
            .kept("bag-info.txt")
            .unwrap()
            .starts_with(b"Source")
    );
}

#[test]
fn names_that_a_file_system_takes_for_one_are_a_warning() {
    let mut twins = files();
    twins.insert("data/A.txt".to_owned(), b"x".to_vec());
    twins.insert("data/e\u{301}".to_owned(), b"x".to_vec());
    twins.insert("data/\u{e9}".to_owned(), b"x".to_vec());
    twins.insert("bag-info.txt".to_owned(), b"Payload-Oxum: 12.5\n".to_vec());
    seal(&mut twins);
    let judgement = read_tar(tar(&twins).as_slice(), ALL).unwrap();
    assert!(judgement.is_valid(), "{}", told(&judgement));
    assert_eq!(judgement.warnings.len(), 2, "{}", told(&judgement));
}

#[test]
fn lines_end_in_either_end_or_both_in_every_encoding() {
    use super::text::{Broken, Encoding, Lines};

    let read = |encoding, bytes: &[u8], piece: usize| {
        let mut found = Vec::new();
        let mut each = |line: &str| found.push(line.to_owned());
        let mut lines = Lines::new(encoding);
        let mut done = Ok(());
        for piece in bytes.chunks(piece) {
            done = done.and_then(|()| lines.push(piece, &mut each));
        }
        done = done.and_then(|()| lines.finish(&mut each));
        done.map(|()| found)
    };
    let text = "é\r\nb\rc\n\nd";
    let expected = ["é", "b", "c", "", "d"].map(str::to_owned).to_vec();
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let wide = |big: bool| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    for piece in 1..5 {
        let utf8 = read(Encoding::Utf8, text.as_bytes(), piece);
        assert_eq!(utf8, Ok(expected.clone()));
        assert_eq!(read(Encoding::Latin1, &latin, piece), Ok(expected.clone()));
        assert_eq!(
            read(Encoding::Utf16, &wide(true), piece),
            Ok(expected.clone())
        );
        assert_eq!(
            read(Encoding::Utf16, &wide(false), piece),
            Ok(expected.clone())
        );
    }
    assert_eq!(read(Encoding::Utf8, &latin, 3), Err(Broken::Encoding));
    assert_eq!(
        read(Encoding::Utf8, &vec![b'a'; 300_000], 999),
        Err(Broken::Long)
    );
}

#[test]
fn a_path_is_unescaped_only_where_it_was_escaped() {
    let decoded = |text: &str| super::path::decode(text);
    assert_eq!(decoded("a%0Ab%0dc%25d"), "a\nb\rc%d");
    assert_eq!(decoded("%7E%2"), "%7E%2");
    assert_eq!(decoded("é%"), "é%");
}
