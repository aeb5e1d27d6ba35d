//! The published models of Azure's documents, and documents in which every field of them is set.
//!
//! The file lies beside the project in `shared/azure/swagger`; it says of each model its bases, its discriminator and its
//! fields with their types and who may write them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

/// So often one model may lie within itself.
const DEPTH_MAX: usize = 3;

/// A field as the model that declares it has it.
pub(super) type FieldName = (String, String);

/// The published models.
pub(super) struct Models {
    models: Map<String, Value>,
    enums: Map<String, Value>,
    /// The sorts of each model that has any: those made of it that a discriminator tells apart.
    sorts: BTreeMap<String, Vec<String>>,
}

/// Where a value is asked for.
pub(super) struct Spot<'a> {
    /// The model that declares the field.
    pub(super) model: &'a str,
    /// The field.
    pub(super) field: &'a str,
    /// The models on the way from the root, the one that is filled last.
    pub(super) way: &'a [String],
}

/// What a field is where it must lead somewhere, or be one of few values that no model tells.
pub(super) type Sample<'a> = &'a dyn Fn(&Spot<'_>) -> Option<Value>;

impl Models {
    pub(super) fn load(folder: &Path) -> Self {
        let text = std::fs::read(folder.join("derived-2025-12-01-models.json")).unwrap();
        let mut file: Value = serde_json::from_slice(&text).unwrap();
        let mut take = |name: &str| match file[name].take() {
            Value::Object(members) => members,
            _ => panic!("no {name}"),
        };
        let mut models = Self {
            models: take("models"),
            enums: take("enums"),
            sorts: BTreeMap::new(),
        };
        models.sorts = models.sorted();
        models
    }

    fn sorted(&self) -> BTreeMap<String, Vec<String>> {
        let mut sorts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let told = self.models.iter();
        for (sort, _) in told.filter(|(_, model)| model["discriminator"].is_string()) {
            for base in self.line(sort).into_iter().filter(|base| base != sort) {
                sorts.entry(base.to_owned()).or_default().push(sort.clone());
            }
        }
        sorts
    }

    /// A model with those that it is made of, itself first.
    fn line(&self, name: &str) -> Vec<&str> {
        let mut line = Vec::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            let Some((name, model)) = self.models.get_key_value(name) else {
                continue;
            };
            line.push(name.as_str());
            open.extend(
                model["bases"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(Value::as_str),
            );
        }
        line
    }

    /// The fields of a model that a client writes, each with its type and those who declare it, the nearest first.
    fn fields(&self, name: &str) -> BTreeMap<&str, (&str, Vec<&str>)> {
        let mut found: BTreeMap<&str, (&str, Vec<&str>)> = BTreeMap::new();
        for owner in self.line(name) {
            for (field, about) in self.own_fields(owner) {
                let entry = found.entry(field).or_insert((about, Vec::new()));
                entry.1.push(owner);
            }
        }
        found
    }

    fn own_fields(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.models[name]["fields"].as_object().unwrap().iter();
        fields
            .filter(|(_, about)| {
                let who = about["visibility"].as_array();
                who.is_none_or(|who| who.iter().any(|who| *who == "create" || *who == "update"))
            })
            .map(|(field, about)| (field.as_str(), about["type"].as_str().unwrap()))
    }

    fn sorts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.sorts
            .get(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Every field that a client writes, of the models that can lie in a document of these roots.
    pub(super) fn below(&self, roots: &[&str]) -> BTreeSet<FieldName> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = roots.to_vec();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            open.extend(self.sorts(name));
            for (field, (kind, owners)) in self.fields(name) {
                found.extend(
                    owners
                        .into_iter()
                        .map(|owner| (owner.to_owned(), field.to_owned())),
                );
                open.extend(self.named_in(kind));
            }
        }
        found
    }

    /// Every field that a client writes, of every model.
    pub(super) fn all(&self) -> BTreeSet<FieldName> {
        let names: Vec<&str> = self.models.keys().map(String::as_str).collect();
        self.below(&names)
    }

    fn named_in(&self, kind: &str) -> Vec<&str> {
        let words = kind.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words
            .filter_map(|word| {
                self.models
                    .get_key_value(word)
                    .map(|(name, _)| name.as_str())
            })
            .collect()
    }
}

/// Makes documents until nothing new is set.
pub(super) struct Maker<'a> {
    models: &'a Models,
    sample: Sample<'a>,
    /// The fields below each sort that came up.
    below: BTreeMap<String, BTreeSet<FieldName>>,
    /// What was set so far.
    pub(super) set: BTreeSet<FieldName>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(models: &'a Models, sample: Sample<'a>) -> Self {
        Self {
            models,
            sample,
            below: BTreeMap::new(),
            set: BTreeSet::new(),
        }
    }

    /// Documents of one root in which every field is set at least once, of each sort of everything that has sorts too.
    pub(super) fn documents(&mut self, root: &str) -> Vec<Value> {
        let mut made = Vec::new();
        loop {
            let before = self.set.len();
            let document = self.object(root, &mut Vec::new());
            if self.set.len() == before {
                return made;
            }
            made.push(document);
        }
    }

    /// The sort with the most fields below it that were never set.
    fn rarest(&mut self, name: &str, way: &[String]) -> String {
        let models = self.models;
        let sorts = models.sorts(name).filter(|sort| fits(sort, way));
        let open = |sort: &&str| {
            let below = self.below.entry((*sort).to_owned());
            let below = below.or_insert_with(|| models.below(&[*sort]));
            below.difference(&self.set).count()
        };
        sorts.max_by_key(open).unwrap_or(name).to_owned()
    }

    fn object(&mut self, name: &str, way: &mut Vec<String>) -> Value {
        let mut members = Map::new();
        way.push(name.to_owned());
        for (field, (kind, owners)) in self.models.fields(name) {
            let spot = Spot {
                model: name,
                field,
                way,
            };
            let value = match (self.sample)(&spot) {
                Some(value) => Some(value),
                None => self.value(kind, field, way),
            };
            if let Some(value) = value {
                for owner in owners {
                    self.set.insert((owner.to_owned(), field.to_owned()));
                }
                members.insert(field.to_owned(), value);
            }
        }
        way.pop();
        Value::Object(members)
    }

    fn value(&mut self, kind: &str, field: &str, way: &mut Vec<String>) -> Option<Value> {
        let inner = |head: &str| kind.strip_prefix(head)?.strip_suffix(']');
        if let Some(inner) = inner("list[") {
            return Some(json!([self.value(inner, field, way)?]));
        }
        if let Some(inner) = inner("dict[str, ") {
            return Some(json!({"one": self.value(inner, field, way)?}));
        }
        if let Some(inner) = inner("Union[str, ") {
            let words = self.models.enums.get(inner);
            let words = words.unwrap_or_else(|| panic!("no words of {inner}"));
            return Some(words[0].clone());
        }
        if kind.starts_with("Literal[") {
            let own = &self.models.models[way.last()?.as_str()]["discriminator"];
            assert!(own.is_string(), "{way:?} {field}");
            return Some(own.clone());
        }
        Some(match kind {
            "str" => json!(format!("{field} of {}", way.last()?)),
            "int" => json!(3),
            "float" => json!(0.5),
            "bool" => json!(true),
            "datetime.datetime" => json!("2031-01-02T03:04:05Z"),
            "datetime.timedelta" => json!("PT5M"),
            "Any" => json!({"free": ["form", 1, 0.5, true]}),
            model => return self.model(model, way),
        })
    }

    fn model(&mut self, name: &str, way: &mut Vec<String>) -> Option<Value> {
        assert!(self.models.models.contains_key(name), "no model {name}");
        let name = self.rarest(name, way);
        if !fits(&name, way) {
            return None;
        }
        Some(self.object(&name, way))
    }
}

/// Whether a model may lie here once more.
fn fits(name: &str, way: &[String]) -> bool {
    way.iter().filter(|above| *above == name).count() < DEPTH_MAX
}
