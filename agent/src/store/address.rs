//! The address of a repository: a folder, or a place in an object store.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// Where a repository lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine.
    Folder(PathBuf),
    /// `az://ACCOUNT/CONTAINER[/PREFIX]`: Azure Blob Storage.
    Azure {
        /// The storage account.
        account: String,
        /// The container.
        container: String,
        /// What names begin with; may be empty.
        prefix: String,
    },
    /// `s3://BUCKET[/PREFIX]`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What names begin with; may be empty.
        prefix: String,
    },
    /// `gs://BUCKET[/PREFIX]`: Google Cloud Storage.
    Google {
        /// The bucket.
        bucket: String,
        /// What names begin with; may be empty.
        prefix: String,
    },
}

impl Address {
    /// Reads an address. The reason of a refusal never repeats what may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text {
                "" => Err("it is empty".to_owned()),
                text if text.starts_with("file:") => folder(text),
                text => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        match scheme {
            "file" => return folder(text),
            "az" | "s3" | "gs" => {}
            _ => {
                return Err(format!(
                    "{scheme}:// names no store that mlark knows; write a path, az://ACCOUNT/CONTAINER, s3://BUCKET or gs://BUCKET"
                ));
            }
        }
        if rest.contains(['?', '#', '@', '%']) {
            return Err(
                "it holds more than names; a shared access signature is read from `sas_file`"
                    .to_owned(),
            );
        }
        let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if scheme == "az" {
            let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if !is_account(first) {
                return Err("az://ACCOUNT/CONTAINER begins with the name of a storage account: small letters and digits".to_owned());
            }
            if !is_container(container) {
                return Err("az://ACCOUNT/CONTAINER names a container of 3 to 63 small letters, digits and single hyphens".to_owned());
            }
            return Ok(Self::Azure {
                account: first.to_owned(),
                container: container.to_owned(),
                prefix: prefix_of(prefix)?,
            });
        }
        if !is_bucket(first) {
            return Err(format!(
                "{scheme}://BUCKET names a bucket of 3 to 222 small letters, digits, `.`, `-` and `_`"
            ));
        }
        let (bucket, prefix) = (first.to_owned(), prefix_of(rest)?);
        Ok(match scheme {
            "s3" => Self::S3 { bucket, prefix },
            _ => Self::Google { bucket, prefix },
        })
    }

    /// How somebody makes the container or bucket that is missing at the address that a storage gave as its own.
    pub fn how_to_make(place: &str) -> Option<String> {
        Some(match Self::parse(place).ok()? {
            Self::Folder(_) => return None,
            Self::Azure {
                account, container, ..
            } => format!(
                "make the container: az storage container create --account-name {account} --name {container} --auth-mode login"
            ),
            Self::S3 { bucket, .. } => format!("make the bucket: aws s3 mb s3://{bucket}"),
            Self::Google { bucket, .. } => {
                format!("make the bucket: gcloud storage buckets create gs://{bucket}")
            }
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self {
            Self::Folder(path) => return write!(f, "{}", path.display()),
            Self::Azure {
                account,
                container,
                prefix,
            } => {
                write!(f, "az://{account}/{container}")?;
                prefix
            }
            Self::S3 { bucket, prefix } => {
                write!(f, "s3://{bucket}")?;
                prefix
            }
            Self::Google { bucket, prefix } => {
                write!(f, "gs://{bucket}")?;
                prefix
            }
        };
        match prefix.as_str() {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

fn folder(url: &str) -> Result<Address, String> {
    Some(url)
        .filter(|url| url.starts_with("file:///"))
        .and_then(|url| Url::parse(url).ok())
        .and_then(|url| url.to_file_path().ok())
        .map(Address::Folder)
        .ok_or_else(|| {
            "a file:// URL has an absolute path and no host, like file:///srv/mlark".to_owned()
        })
}

fn prefix_of(text: &str) -> Result<String, String> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let part_fits = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(fits);
    if prefix.is_empty() || (prefix.len() <= 500 && prefix.split('/').all(part_fits)) {
        Ok(prefix.to_owned())
    } else {
        Err("what follows the container or bucket has letters, digits, `.`, `-`, `_` and single `/` only".to_owned())
    }
}

fn is_small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

// Private clouds allow hyphens and other lengths than Azure's 3 to 24.
fn is_account(name: &str) -> bool {
    (1..=63).contains(&name.len()) && name.bytes().all(|byte| is_small(byte) || byte == b'-')
}

fn is_container(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| is_small(byte) || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

fn is_bucket(name: &str) -> bool {
    (3..=222).contains(&name.len())
        && name
            .bytes()
            .all(|byte| is_small(byte) || matches!(byte, b'.' | b'-' | b'_'))
        && name.bytes().next().is_some_and(is_small)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_folder_or_a_place_in_a_store() {
        for (text, expected) in [
            ("/srv/mlark", "/srv/mlark"),
            ("relative/folder", "relative/folder"),
            ("file:///srv/ml%20ark", "/srv/ml ark"),
            ("az://stbackup007/mlark", "az://stbackup007/mlark"),
            ("az://stbackup007/mlark/", "az://stbackup007/mlark"),
            ("az://acct/cont/team-a/b", "az://acct/cont/team-a/b"),
            ("s3://bucket.example/p", "s3://bucket.example/p"),
            ("s3://bucket", "s3://bucket"),
            ("gs://my_bucket/x_y/", "gs://my_bucket/x_y"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), expected);
            assert_eq!(
                Address::parse(expected).unwrap().to_string(),
                expected,
                "an address is read as it is shown"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for refused in [
            "",
            "az://account",
            "az://account/",
            "az://Account/container",
            "az://account/Container",
            "az://account/co",
            "az://account/a--b",
            "az://account/container//x",
            "az://account/container/../x",
            "az://account/container/a b",
            "s3://",
            "s3://ab",
            "gs://bucket//x",
            "ftp://x/y",
            "file:relative",
            "file://host/x",
        ] {
            assert!(Address::parse(refused).is_err(), "{refused}");
        }
        for secret in [
            "az://account/container?sv=1&sig=SECRET",
            "az://user:SECRET@account/container",
        ] {
            let why = Address::parse(secret).unwrap_err();
            assert!(why.contains("sas_file") && !why.contains("SECRET"), "{why}");
        }
    }

    #[test]
    fn a_missing_container_comes_with_the_command_that_makes_it() {
        let how = Address::how_to_make("az://acct/cont/p").unwrap();
        assert!(how.contains("--account-name acct --name cont"), "{how}");
        assert!(
            Address::how_to_make("s3://bkt/p")
                .unwrap()
                .contains("s3://bkt")
        );
        assert_eq!(Address::how_to_make("/srv/x"), None);
    }
}
