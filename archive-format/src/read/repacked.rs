//! Objects of packs that were repacked and swept since this machine last looked: they lie in the packs that took their place.

use bytes::Bytes;

use crate::pack::Class;
use crate::repository::Inner;
use crate::{Address, Error};

impl Inner {
    /// The plain bytes of an object with the class of its pack. Where it cannot be read from where this machine knows it, the
    /// log is asked whether its pack was repacked, and it is read from there.
    pub(crate) async fn object(&self, address: Address) -> Result<(Class, Bytes), Error> {
        let failure = match self.objects.fetch(address).await {
            Ok(found) => return Ok(found),
            Err(failure) if failure.is_damage() || matches!(failure, Error::Storage(_)) => failure,
            Err(failure) => return Err(failure),
        };
        let learned = match self.read_log(false, &mut Vec::new()).await {
            Ok(()) => self.learn_repacked().await,
            Err(error) => Err(error),
        };
        let copies = match learned {
            Ok(()) => self.catalogue.copies_of(vec![address]).await,
            Err(error) => Err(error),
        };
        match copies {
            Ok(copies) if copies.iter().any(|packs| !packs.is_empty()) => {
                self.objects.fetch(address).await.map_err(|_| failure)
            }
            _ => Err(failure),
        }
    }
}
