//! The fuzz targets as plain tests: over the corpus that fuzzing left in `fuzz/corpus`, and over seeds made anew.
//!
//! A file named `regression-…` once showed a fault. Where `MLARK_TESTS_SEEDS` names a folder, the seeds are written there
//! for the fuzzer to begin with; `MLARK_TESTS_TARGET` is the one target whose corpus is read, for `tests/fuzz/coverage.py`.
//!
//! It is a program of its own: its allocator counts, and `tests/fuzz/coverage.py` builds it once more with counters of lines.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use archive_format::Error;
use archive_format::fuzzing::{TARGETS, Target};

type Tested = Result<(), Box<dyn StdError + Send + Sync>>;

/// The committed corpus is small, since each file of it costs every run of the tests.
const FILE_BYTES_MAX: u64 = 256 << 10;
const CORPUS_BYTES_MAX: u64 = 2 << 20;

fn hold(target: &Target, bytes: &[u8]) -> Result<(), Error> {
    target.hold(bytes, |work| allocation_counter::measure(work).bytes_max)
}

fn corpus() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"))
}

#[test]
fn every_target_holds_over_its_corpus() -> Tested {
    let mut whole = 0;
    let only = asked_for("MLARK_TESTS_TARGET");
    for target in &TARGETS {
        if only.as_ref().is_some_and(|only| only != target.name) {
            continue;
        }
        let (mut read, mut refused) = (0, 0);
        for file in std::fs::read_dir(corpus().join(target.name))? {
            let file = file?;
            let bytes = std::fs::read(file.path())?;
            assert!(bytes.len() as u64 <= FILE_BYTES_MAX, "{:?}", file.path());
            whole += bytes.len() as u64;
            match hold(target, &bytes) {
                Ok(()) => read += 1,
                Err(_) => refused += 1,
            }
        }
        let name = target.name;
        assert!(
            read > 0 && refused > 0,
            "the corpus of {name} has {read} files that are read and {refused} that are refused"
        );
    }
    assert!(whole <= CORPUS_BYTES_MAX, "the corpus has {whole} bytes");
    Ok(())
}

#[test]
fn every_seed_of_a_target_is_read_or_refused_as_it_should_be() -> Tested {
    let folder = asked_for("MLARK_TESTS_SEEDS").map(PathBuf::from);
    let mut wrong = Vec::new();
    for target in &TARGETS {
        for (name, bytes, reads) in target.seeds()? {
            if let Some(folder) = &folder {
                std::fs::create_dir_all(folder.join(target.name))?;
                std::fs::write(folder.join(target.name).join(name), &bytes)?;
            }
            let outcome = hold(target, &bytes);
            if outcome.is_ok() != reads {
                wrong.push(format!("{}, {name}: {outcome:?}", target.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "seeds, and one target alone, are asked for by variables"
)]
fn asked_for(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}

/// The gate on the lines that a corpus reaches (`tests/fuzz`) asks which files a target is about.
#[test]
fn every_target_has_a_program_and_names_files_that_are_there() -> Tested {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(home.join("fuzz/Cargo.toml"))?;
    for target in &TARGETS {
        let name = target.name;
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let program = std::fs::read_to_string(home.join(format!("fuzz/targets/{name}.rs")))?;
        assert!(program.contains(&format!("hold(\"{name}\"")), "{name}");
        assert!(!target.modules.is_empty());
        for module in target.modules {
            assert!(home.join("src").join(module).is_file(), "{module}");
        }
    }
    let bins = manifest.matches("[[bin]]").count();
    assert_eq!(bins, TARGETS.len());
    Ok(())
}
