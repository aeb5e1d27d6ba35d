//! The environment variables that the program was started with. They are read here once; everything else asks this
//! value, so that tests hand in their own. Values may be secrets and are never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Names and values of environment variables.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own. Variables that are not UTF-8 are left out: none of those that mlark reads may be.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable. An empty one counts as absent, as in the Azure SDKs.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a variable that names a file.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// All of them, by name.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// `$XDG_CONFIG_HOME/mlark`, or `~/.config/mlark`.
    pub fn configuration_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME", ".config")
    }

    /// `$XDG_CACHE_HOME/mlark`, or `~/.cache/mlark`.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_CACHE_HOME", ".cache")
    }

    fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        self.path(variable)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(self.path("HOME")?.join(below_home)))
            .map(|folder| folder.join("mlark"))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Shows names only.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_never_appear_in_debug_output() {
        let environment: Environment = [("AZURE_CLIENT_SECRET".to_owned(), "hunter2".to_owned())]
            .into_iter()
            .collect();
        let shown = format!("{environment:?}");
        assert!(shown.contains("AZURE_CLIENT_SECRET") && !shown.contains("hunter2"));
    }
}
