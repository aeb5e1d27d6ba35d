//! Reading ranges from a file that is whole, changed, cut or damaged.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use md5::{Digest, Md5};
use tokio::sync::Semaphore;

use super::{Piece, RANGE_BYTES_MAX, Ranged, read};
use crate::{Entry, Error, FilePath, Location, SourceFile, Validators};

struct Held {
    bytes: Vec<u8>,
    etags: Mutex<Vec<&'static str>>,
    /// The longest piece that comes before the connection is cut.
    cut: u64,
    asked: Arc<Mutex<Vec<(u64, u64)>>>,
    /// The digest that is stated of every range in place of the right one.
    digest: Option<&'static str>,
}

impl Ranged for Held {
    async fn range(
        &self,
        start: u64,
        length: u64,
        _: Option<&str>,
        digest: bool,
    ) -> Result<Option<Piece>, Error> {
        let whole = self.bytes.len() as u64;
        if start >= whole {
            return Ok(None);
        }
        self.asked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((start, length));
        let end = (start + length.min(self.cut)).min(whole);
        let asked = usize::try_from(start).unwrap_or_default()
            ..usize::try_from((start + length).min(whole)).unwrap_or_default();
        let right = STANDARD.encode(Md5::digest(self.bytes.get(asked).unwrap_or_default()));
        let part =
            usize::try_from(start).unwrap_or_default()..usize::try_from(end).unwrap_or_default();
        let mut etags = self
            .etags
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Some(Piece {
            bytes: self.bytes.get(part).unwrap_or_default().to_vec().into(),
            etag: etags.pop().map(str::to_owned),
            total: Some(whole),
            md5: digest.then(|| self.digest.map_or(right, str::to_owned)),
        }))
    }
}

fn file(size: Option<u64>, md5: Option<&str>) -> Result<SourceFile, Error> {
    Ok(SourceFile {
        path: FilePath::new("f")?,
        entry: Entry::File,
        size,
        validators: Validators {
            etag: Some("1".to_owned()),
            last_modified: None,
            content_md5: md5.map(str::to_owned),
        },
        content_type: None,
        metadata: Default::default(),
        tier: None,
        attributes: None,
        location: Location::Local("f".into()),
    })
}

fn held(bytes: Vec<u8>, etags: &[&'static str]) -> Held {
    Held {
        bytes,
        etags: Mutex::new(etags.to_vec()),
        cut: u64::MAX,
        asked: Arc::default(),
        digest: None,
    }
}

async fn all(held: Held, file: &SourceFile) -> Result<Vec<u8>, Error> {
    read(held, file, Arc::new(Semaphore::new(3)))
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}

#[tokio::test]
async fn a_large_file_comes_whole_in_pieces() -> Result<(), Error> {
    let bytes: Vec<u8> = (0..=255).cycle().take(9 * 1024 * 1024).collect();
    let size = bytes.len() as u64;
    assert!(size > 2 * RANGE_BYTES_MAX);
    let read = all(held(bytes.clone(), &[]), &file(Some(size), None)?).await?;
    assert!(read == bytes);
    let unknown = all(held(bytes.clone(), &[]), &file(None, None)?).await?;
    assert!(unknown == bytes);
    Ok(())
}

#[tokio::test]
async fn an_empty_file_is_empty_whether_its_size_was_known_or_not() -> Result<(), Error> {
    let md5 = Some("1B2M2Y8AsgTpgAmY7PhCfg==");
    assert!(
        all(held(vec![], &[]), &file(Some(0), md5)?)
            .await?
            .is_empty()
    );
    assert!(all(held(vec![], &[]), &file(None, md5)?).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_change_meanwhile_is_an_error() -> Result<(), Error> {
    let bytes = vec![7; 5 * 1024 * 1024];
    let listed = file(Some(bytes.len() as u64), None)?;
    let changed = all(held(bytes.clone(), &["\"2\"", "\"1\""]), &listed).await;
    assert!(matches!(changed, Err(Error::Changed { .. })), "{changed:?}");
    let shorter = all(held(vec![7; 10], &[]), &listed).await;
    assert!(matches!(shorter, Err(Error::Changed { .. })), "{shorter:?}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_digest_or_length_is_damage() -> Result<(), Error> {
    let wrong = all(held(b"abc".to_vec(), &[]), &file(Some(3), Some("AAAA"))?).await;
    assert!(matches!(wrong, Err(Error::Damaged { .. })), "{wrong:?}");
    let right = file(Some(3), Some("kAFQmDzST7DWlj99KOF/cg=="))?;
    assert_eq!(all(held(b"abc".to_vec(), &[]), &right).await?, b"abc");
    Ok(())
}

#[tokio::test]
async fn a_range_with_another_digest_is_damage_where_the_whole_has_none() -> Result<(), Error> {
    let of = || Held {
        digest: Some("kAFQmDzST7DWlj99KOF/cg=="),
        ..held(b"abd".to_vec(), &[])
    };
    let wrong = all(of(), &file(Some(3), None)?).await;
    let text = format!("{wrong:?}");
    assert!(text.contains("Damaged") && text.contains("at 0"), "{text}");
    // The digest of the whole is proof enough, and the service is not asked for others.
    let right = file(Some(3), Some("SRHfJpYQJKXR7dqFbaAkzw=="))?;
    let whole = all(of(), &right).await;
    assert!(!format!("{whole:?}").contains("at 0"), "{whole:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cut_range_goes_on_at_the_byte_and_no_byte_is_asked_for_twice() -> Result<(), Error> {
    let bytes: Vec<u8> = (0..=250).cycle().take(9 * 1024 * 1024).collect();
    let size = bytes.len() as u64;
    let cut = Held {
        cut: 3_000_000,
        ..held(bytes.clone(), &[])
    };
    let asked = cut.asked.clone();
    assert!(all(cut, &file(Some(size), None)?).await? == bytes);
    let asked = asked
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let got: u64 = asked
        .iter()
        .map(|(_, length)| (*length).min(3_000_000))
        .sum();
    assert_eq!(got, size, "{asked:?}");
    assert_eq!(asked.len(), 5, "{asked:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_cut_again_and_again_is_given_up() -> Result<(), Error> {
    let drip = Held {
        cut: 1,
        ..held(vec![1; 100], &[])
    };
    let ended = all(drip, &file(Some(100), None)?).await;
    assert!(matches!(ended, Err(Error::Broken { .. })), "{ended:?}");
    let nothing = Held {
        cut: 0,
        ..held(vec![1; 100], &[])
    };
    let ended = all(nothing, &file(Some(100), None)?).await;
    assert!(matches!(ended, Err(Error::Damaged { .. })), "{ended:?}");
    Ok(())
}
