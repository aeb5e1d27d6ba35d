//! Pages of a list: `nextLink` is followed verbatim, to the same host alone, until there is none.
//!
//! An empty page is no end. A link that comes back is a loop and an error. An item that comes back, as it does where a
//! list moves while it is read, is dropped, as far as a bounded memory of names reaches.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};

use futures::Stream;
use futures::stream;
use serde_json::Value;
use url::Url;

use super::cloud::host_of;
use super::connection::Connection;
use crate::Error;

/// How many names are remembered to find items that come twice.
const NAMES_MAX: usize = 16 * 1024;
/// A list with more pages is taken for one without end.
const PAGES_MAX: usize = 1_000_000;

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its items.
    pub(crate) values: Vec<Value>,
}

/// The pages of a list from its first address on.
pub(crate) fn pages(
    connection: &Connection,
    first: Url,
) -> impl Stream<Item = Result<Page, Error>> + Send + 'static {
    let reader = Reader {
        connection: connection.clone(),
        next: Some(first),
        links: HashSet::new(),
        names: Names::default(),
    };
    stream::try_unfold(reader, async |mut reader| {
        let page = reader.read().await?;
        Ok(page.map(|page| (page, reader)))
    })
}

struct Reader {
    connection: Connection,
    next: Option<Url>,
    links: HashSet<u64>,
    names: Names,
}

impl Reader {
    async fn read(&mut self) -> Result<Option<Page>, Error> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        let answer = self.connection.get(url.clone()).await?;
        let looped = !self.links.insert(hash(url.as_str())) || self.links.len() > PAGES_MAX;
        if looped {
            return Err(answer.unusable("its pages go round in a circle"));
        }
        let mut document = answer.json()?;
        self.next = match document.get("nextLink").and_then(Value::as_str) {
            Some(link) if !link.is_empty() => Some(follow(&url, link)?),
            _ => None,
        };
        let Some(Value::Array(mut values)) = document.get_mut("value").map(Value::take) else {
            return Err(answer.unusable("it has no list named `value`"));
        };
        values.retain(|value| match value.get("id").and_then(Value::as_str) {
            Some(id) => self.names.is_new(id),
            None => true,
        });
        Ok(Some(Page { values }))
    }
}

/// The address of the next page, on the host of this one.
fn follow(from: &Url, link: &str) -> Result<Url, Error> {
    let next = from.join(link).map_err(|_| Error::Name {
        text: link.split('?').next().unwrap_or_default().to_owned(),
        what: "the address of a next page",
    })?;
    if next.scheme() == from.scheme() && host_of(&next) == host_of(from) {
        Ok(next)
    } else {
        Err(Error::Untrusted {
            host: host_of(&next),
        })
    }
}

/// The names seen last.
#[derive(Default)]
pub(crate) struct Names {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Names {
    /// Whether a name was not seen before.
    pub(crate) fn is_new(&mut self, name: &str) -> bool {
        let hash = hash(name);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > NAMES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_on_the_same_host_or_an_error() {
        let from = Url::parse("https://management.x:8443/a?b=1").unwrap();
        assert_eq!(
            follow(&from, "/c?$skip=%3D").unwrap().as_str(),
            "https://management.x:8443/c?$skip=%3D"
        );
        for link in [
            "https://management.x/c",
            "https://evil/c",
            "http://management.x:8443/c",
            "//evil/c",
        ] {
            assert!(
                matches!(follow(&from, link), Err(Error::Untrusted { .. })),
                "{link}"
            );
        }
    }

    #[test]
    fn a_name_that_comes_back_is_noticed() {
        let mut names = Names::default();
        assert!(names.is_new("a") && names.is_new("b") && !names.is_new("a"));
        for number in 0..NAMES_MAX {
            assert!(names.is_new(&number.to_string()));
        }
        assert_eq!(names.known.len(), NAMES_MAX);
    }
}
