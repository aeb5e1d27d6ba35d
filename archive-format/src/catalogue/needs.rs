//! What the catalogue knows of packs by class: which of them hold data, and which of those an object is read from.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, params};

use super::Catalogue;
use crate::pack::Class;
use crate::{Address, Error, PackName};

impl Catalogue {
    /// The classes of packs; those that are not known here are left out.
    pub(crate) async fn classes_of(
        &self,
        names: Vec<PackName>,
    ) -> Result<Vec<(PackName, Class)>, Error> {
        self.database
            .call("look packs up", move |connection| {
                let mut query =
                    connection.prepare_cached("SELECT class FROM pack WHERE name = ?1")?;
                let mut classes = Vec::with_capacity(names.len());
                for name in names {
                    let code = query.query_row([name.as_bytes()], |row| row.get(0));
                    let class = code.optional()?.and_then(Class::from_code);
                    classes.extend(class.map(|class| (name, class)));
                }
                Ok(classes)
            })
            .await
    }

    /// The data packs that objects are read from: of each the copy that reading tries first.
    pub(crate) async fn data_packs_of(
        &self,
        addresses: Vec<Address>,
    ) -> Result<BTreeSet<PackName>, Error> {
        self.database
            .call("look objects up", move |connection| {
                let mut query = connection.prepare_cached(
                    "SELECT name FROM object JOIN pack ON pack.id = object.pack
                     WHERE object.address = ?1 AND class <> ?2
                     ORDER BY CASE pack.state WHEN 0 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 2 ELSE 3 END, pack.id LIMIT 1",
                )?;
                let mut names = BTreeSet::new();
                for address in addresses {
                    let found = params![address.as_bytes(), Class::Meta.code()];
                    let name = query.query_row(found, |row| row.get(0)).optional()?;
                    names.extend(name.map(PackName::from_bytes));
                }
                Ok(names)
            })
            .await
    }
}
