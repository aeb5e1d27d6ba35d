//! Where references lead that name a place by way of another item: what that item said once, or what an earlier run found
//! out. A job that ended does not change where its outputs lie, so it need not be asked every day.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use url::Url;

/// Addresses without a query, by the reference as it stands in a document.
#[derive(Debug, Default)]
pub(crate) struct Ways(Mutex<HashMap<String, Url>>);

impl Ways {
    /// Where a reference leads, if that is known.
    pub(crate) fn get(&self, uri: &str) -> Option<Url> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(uri).cloned()
    }

    /// Remembers it.
    pub(crate) fn add(&self, uri: &str, mut address: Url) {
        address.set_query(None);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(uri.to_owned(), address);
    }
}
