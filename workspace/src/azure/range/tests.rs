//! Reading ranges from a file that is whole, changed, cut or damaged.

use std::sync::Mutex;

use futures::TryStreamExt;

use super::{Piece, RANGE_BYTES_MAX, Ranged, read};
use crate::{Entry, Error, FilePath, Location, SourceFile, Validators};

struct Held {
    bytes: Vec<u8>,
    etags: Mutex<Vec<&'static str>>,
    cut: u64,
}

impl Ranged for Held {
    async fn range(
        &self,
        start: u64,
        length: u64,
        _: Option<&str>,
    ) -> Result<Option<Piece>, Error> {
        let whole = self.bytes.len() as u64;
        if start >= whole {
            return Ok(None);
        }
        let end = (start + length).min(whole) - self.cut;
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
        cut: 0,
    }
}

async fn all(held: Held, file: &SourceFile) -> Result<Vec<u8>, Error> {
    read(held, file)
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
    let cut = Held {
        cut: 1,
        ..held(b"abc".to_vec(), &[])
    };
    let cut = all(cut, &right).await;
    assert!(matches!(cut, Err(Error::Damaged { .. })), "{cut:?}");
    Ok(())
}
