//! Lists the kinds one after the other and takes each item as it comes.
//!
//! A kind that cannot be listed to its end is a gap; what it showed before is good.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use archive_format::LineKey;
use workspace::kind::Origin;
use workspace::{Content, Error as SourceError, Kind};

use super::item::Found;
use super::observer::Event;
use super::reading::is_out_of_reach;
use super::report::Gap;
use super::run::{ITEMS_AT_ONCE, LOCAL_ITEMS_AT_ONCE, Run};
use super::{Error, reason};

/// What stands for a kind where a gap is about the workspace itself.
const WORKSPACE: &str = "workspace";

impl Run<'_> {
    /// Lists everything that the selection can take.
    pub(super) async fn list_all(&self) -> Result<(), Error> {
        for kind in self.source.kinds() {
            if self.policy.selection.may_take_kind(kind.name) && !self.is_lost() {
                self.list_kind(kind).await?;
            }
        }
        let refused = self
            .first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match refused {
            Some(source) if !self.has_listed() => Err(self.unreadable(source)),
            _ => Ok(()),
        }
    }

    /// Whether anything was listed. The workspace's own document was read when it was opened, and says nothing.
    fn has_listed(&self) -> bool {
        let mut kinds = self.counts.kinds();
        kinds.any(|of| of.kind.origin != Origin::Workspace && of.items.listed() > 0)
    }

    async fn list_kind(&self, kind: &'static Kind) -> Result<(), Error> {
        let Some(counts) = self.counts.of(kind.name) else {
            return Ok(());
        };
        self.observer.event(&Event::Listing(kind));
        self.prepare(kind).await;
        counts.whole.store(true, Ordering::Relaxed);
        let list = self.source.list(kind);
        let at_once = match kind.content {
            Content::Folder => LOCAL_ITEMS_AT_ONCE,
            _ => ITEMS_AT_ONCE,
        };
        self.drive(list, at_once, |listed| async move {
            match listed {
                Ok(listed) => self.item(listed, Found::Listed).await,
                Err(error) => {
                    counts.whole.store(false, Ordering::Relaxed);
                    self.listing_failed(kind, error)
                }
            }
        })
        .await?;
        if let Some(said) = self.source.absence(kind) {
            self.observer.event(&Event::NotOffered(kind, &said));
        }
        if kind.content == Content::Run {
            self.take_runs(kind).await?;
        }
        self.observer
            .event(&Event::Listed(kind, counts.items.listed()));
        Ok(())
    }

    /// Makes ready what is read as it was at one moment. Where that cannot be had, what is there is read as it is.
    async fn prepare(&self, kind: &'static Kind) {
        if self.policy.dry_run {
            return;
        }
        if let Err(error) = self.source.prepare(kind).await {
            let why = reason::of(&error);
            self.kind_gap(
                kind,
                format!("It was read as it is, without a snapshot of the share: {why}"),
            );
        }
    }

    /// Takes that away again. Twice is once.
    pub(super) async fn release(&self) {
        let Err(error) = self.source.release().await else {
            return;
        };
        let mut kinds = self.source.kinds().into_iter();
        if let Some(kind) = kinds.find(|kind| kind.content == Content::Share) {
            let why = reason::of(&error);
            self.kind_gap(
                kind,
                format!("The snapshot of the share was left behind: {why}"),
            );
        }
    }

    /// A kind's listing ended in an error. Where nothing was ever listed and nothing can be, the run ends.
    fn listing_failed(&self, kind: &'static Kind, error: SourceError) -> Result<(), Error> {
        if kind.is_unknown() && is_no_collection(&error) {
            let why = reason::of(&error);
            self.observer.event(&Event::NotOffered(kind, &why));
            return Ok(());
        }
        if is_out_of_reach(&error) {
            if !self.has_listed() {
                return Err(self.unreadable(error));
            }
            self.lose(&error);
        }
        self.kind_gap(
            kind,
            format!("It could not be listed to its end: {}", reason::of(&error)),
        );
        self.first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        Ok(())
    }

    /// Remembers that the workspace went out of reach: nothing more is asked, and the snapshot is a partial one.
    pub(super) fn lose(&self, error: &SourceError) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            let gap = Gap {
                key: LineKey::new(WORKSPACE, &self.policy.name, None::<String>),
                item: self.policy.name.clone(),
                file: None,
                reason: format!("It went out of reach: {}", reason::words(error)),
                known: None,
            };
            self.observer.event(&Event::Gap(&gap));
            self.counts.gap(gap);
        }
    }

    fn unreadable(&self, source: SourceError) -> Error {
        Error::Unreadable {
            workspace: self.policy.name.clone(),
            source: Box::new(source),
        }
    }
}

/// Whether an error says that a type that the table does not have holds no items: it is acted on, and nothing lists it.
/// Whatever else keeps such a kind from being listed may keep something from being saved.
fn is_no_collection(error: &SourceError) -> bool {
    let status = error.refusal().map(|refusal| refusal.status);
    matches!(status, Some(405 | 501))
}
