//! The configuration as people get it wrong, and as they get it right.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test says where"
)]

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::*;
use crate::config;

fn now() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn refused(text: &str) -> Failure {
    let failure = parse(text, Path::new("mlark.toml"), now()).expect_err(text);
    assert_eq!(failure.status.code(), 2);
    failure
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    let failure = refused(
        "[repository]\nurl = \"/srv\"\n\n[[workspace]]\nname = \"a\"\nshedule = \"0 2 * * *\"\n",
    );
    let lines = failure.lines();
    assert!(
        lines.contains("workspace.shedule") && lines.contains("line 6"),
        "{lines}"
    );
    assert!(lines.contains("did you mean `schedule`"), "{lines}");
}

#[test]
fn a_value_that_is_not_served_is_refused_with_what_to_do_instead() {
    for (text, names) in [
        ("[repository]\nurl = \"ftp://account/container\"", "ftp://"),
        ("[network]\nproxy = \"ftp://u:pw@x\"", "network.proxy"),
        ("[limits]\nupload = \"1 MiB\"", "\"10 MiB/s\""),
        ("[limits]\ndownload = \"1 KiB/s\"", "below 256 KiB/s"),
        ("[limits]\nconcurrency = 0", "from 1 to 32"),
        ("[limits]\nmemory = \"128 MiB\"", "limits.memory"),
        (
            "[daemon.hooks]\non_success = [\"x\"]",
            "daemon.hooks.on_success",
        ),
        ("[daemon]\nat_once = 0", "nonzero"),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"azureml://subscriptions/*/resourceGroups/*/workspaces/*\"",
            "name the subscription",
        ),
    ] {
        let lines = refused(text).lines();
        assert!(lines.contains(names), "{text}: {lines}");
        assert!(!lines.contains("pw"), "{lines}");
    }
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (text, says) in [
        ("[repository]\npack_size = \"many\"", "64 MiB"),
        ("[[workspace]]\nname = \"a b\"\nurl = \"/x\"", "letters"),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\nschedule = \"0 2 31 2 *\"",
            "never comes",
        ),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\n[[target]]\nname = \"a\"\nurl = \"/y\"",
            "two workspaces, targets or destinations",
        ),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\ndata = \"some\"",
            "default-datastore",
        ),
        ("[[workspace]]\nname = \"a\"", "url"),
        ("[drill]\nschedule = \"0 2 31 2 *\"", "never comes"),
        ("[drill]\ninto = \"scratch\"", "no [[target]]"),
        ("[drill]\nfrom = \"cold\"", "no [[destination]]"),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\n[[workspace.export]]\nschedule = \"0 2 1 * *\"\nto = \"cold\"",
            "no [[destination]]",
        ),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\n[[workspace.export]]\nschedule = \"0 2 1 * *\"\nto = \"c\"\nkeep = 3\n\
             [[destination]]\nname = \"c\"\nurl = \"/c\"\nplain = true",
            "erasure of its key",
        ),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\n[[workspace.export]]\nschedule = \"0 2 1 * *\"\nto = \"c\"\nkeep = 0\n\
             [[destination]]\nname = \"c\"\nurl = \"/c\"",
            "keep",
        ),
        (
            "[[workspace]]\nname = \"a\"\nurl = \"/x\"\n[drill]\ninto = \"a\"",
            "what is backed up",
        ),
        ("repository = 3", "[repository]"),
        ("[repository\n", "line 1"),
    ] {
        let lines = refused(text).lines();
        assert!(lines.contains(says), "{text}: {lines}");
        assert!(lines.contains("mlark.toml"), "{text}: {lines}");
    }
}

#[test]
fn the_packaged_example_is_good() {
    let text = include_str!("../../../../systemd/mlark.toml");
    let config = parse(text, Path::new("systemd/mlark.toml"), now()).unwrap();
    assert_eq!(config.workspace.len(), 1);
    // Its commented lines are keys too: taken alone, each is known to the table.
    let commented = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = "));
    for line in commented {
        let key = line.split(" = ").next().unwrap_or_default();
        assert!(
            keys::KEYS
                .iter()
                .any(|known| known.path.contains(&format!(".{key}"))),
            "the example names `{key}`"
        );
    }
}

#[test]
fn a_configuration_that_is_shown_reads_back() {
    let text = include_str!("../../../../systemd/mlark.toml");
    let config = parse(text, Path::new("x"), now()).unwrap();
    let shown = toml::to_string_pretty(&config).unwrap();
    parse(&shown, Path::new("shown"), now()).unwrap();
}

/// A deserializer that only asks a type for the names of its fields.
struct Ask<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("no structure"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend_from_slice(fields);
        Err(de::Error::custom("asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: Deserialize<'static>>() -> BTreeSet<String> {
    let mut names = Vec::new();
    let _ = T::deserialize(Ask(&mut names));
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_table_of_keys_and_the_types_agree_both_ways() {
    let of_table = |table: &str| -> BTreeSet<String> {
        keys::names_in(table)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(fields::<Config>(), of_table(""));
    assert_eq!(fields::<config::Repository>(), of_table("repository"));
    assert_eq!(fields::<config::Workspace>(), of_table("workspace"));
    assert_eq!(fields::<config::Target>(), of_table("target"));
    for table in ["azure", "workspace.azure", "target.azure"] {
        assert_eq!(fields::<config::Azure>(), of_table(table));
    }
    for table in ["retention", "workspace.retention"] {
        assert_eq!(fields::<config::Retention>(), of_table(table));
    }
    assert_eq!(fields::<config::Guard>(), of_table("workspace.guard"));
    assert_eq!(
        fields::<config::KnownGap>(),
        of_table("workspace.known_gap")
    );
    assert_eq!(fields::<config::Drill>(), of_table("drill"));
    assert_eq!(
        fields::<config::ScheduledExport>(),
        of_table("workspace.export")
    );
    assert_eq!(fields::<config::Limits>(), of_table("limits"));
    assert_eq!(fields::<config::Network>(), of_table("network"));
    assert_eq!(fields::<config::Daemon>(), of_table("daemon"));
}
