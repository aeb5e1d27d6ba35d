//! The runbook is typed, command by command, after what it is about was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mlark::ExitStatus;
use serde_json::Value;

use super::bench::Bench;
use super::program::Program;

/// Who types what the page says: he fills in the variables, writes the files, and types every command of mlark.
struct Typist<'a> {
    program: &'a Program<'a>,
    filled: BTreeMap<String, String>,
    /// What he typed of mlark, with how it ended.
    typed: Vec<(String, u8)>,
    /// What he left to others, by its first word.
    others: BTreeSet<String>,
}

impl<'a> Typist<'a> {
    fn new(program: &'a Program<'a>, filled: &[(&str, &str)]) -> Self {
        let filled = filled.iter();
        Self {
            program,
            filled: filled
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            typed: Vec::new(),
            others: BTreeSet::new(),
        }
    }

    /// Types everything below the heading that begins so.
    async fn section(&mut self, page: &str, heading: &str) {
        let begin = page.find(&format!("\n## {heading}")).expect(heading);
        let section = &page[begin + 1..];
        let end = section[1..]
            .find("\n## ")
            .map_or(section.len(), |end| end + 1);
        for block in section[..end].split("```sh\n").skip(1) {
            self.block(block.split("\n```").next().unwrap()).await;
        }
    }

    async fn block(&mut self, block: &str) {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        if let Some(exits) = first.strip_prefix("# exit ") {
            return self.command(exits, rest).await;
        }
        if first.starts_with("cat > ") {
            let path = self.path(&self.words(first)[2]);
            let (text, _) = rest.rsplit_once("\nEND").unwrap();
            let fill = first.ends_with("<<END");
            let text = if fill {
                self.fill(text)
            } else {
                text.to_owned()
            };
            return std::fs::write(path, text + "\n").unwrap();
        }
        for line in block.lines() {
            match line.split_once('=') {
                // A variable that nobody filled in would be taken as it stands.
                Some((name, _)) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
                    assert!(self.filled.contains_key(name), "{line}");
                }
                _ => drop(self.others.insert(self.words(line)[0].clone())),
            }
        }
    }

    async fn command(&mut self, exits: &str, line: &str) {
        assert!(line.starts_with("mlark ") && !line.contains('\n'), "{line}");
        let allowed: BTreeSet<u8> = exits
            .split("; ")
            .map(|part| part.split_once(':').expect(exits).0.parse().expect(exits))
            .collect();
        let words: Vec<String> = self
            .words(line)
            .iter()
            .map(|word| self.path(word))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (status, out, err) = self.program.typed(&words).await;
        let code = status.code();
        assert!(
            allowed.contains(&code),
            "{line}\nended with {code}: {out}\n{err}"
        );
        if let Some(begin) = err.find("mlark-machine-1 ") {
            let line = err[begin..].split('\'').next().unwrap().to_owned();
            self.filled.insert("LINE".to_owned(), line);
        }
        self.typed.push((line.to_owned(), code));
    }

    /// Files that are named without a folder lie in his.
    fn path(&self, word: &str) -> String {
        let is_file = word.ends_with(".plan") || word.ends_with(".toml");
        if is_file && !word.contains('/') {
            return self.program.path(word).display().to_string();
        }
        word.to_owned()
    }

    fn fill(&self, text: &str) -> String {
        // The longest name first: `$NAMES` is not `$NAME`.
        let mut names: Vec<&String> = self.filled.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, name| {
            text.replace(&format!("${name}"), &self.filled[name])
        })
    }

    /// The words of a line as a POSIX shell makes them of quotes and variables.
    fn words(&self, line: &str) -> Vec<String> {
        let (mut words, mut word, mut begun, mut quote) = (Vec::new(), String::new(), false, None);
        let mut plain = String::new();
        for sign in line.chars() {
            match (quote, sign) {
                (Some(mark), sign) if mark == sign => {
                    word.push_str(&if mark == '"' {
                        self.fill(&plain)
                    } else {
                        plain.clone()
                    });
                    plain.clear();
                    quote = None;
                }
                (None, '\'' | '"') => {
                    word.push_str(&self.fill(&plain));
                    plain.clear();
                    (quote, begun) = (Some(sign), true);
                }
                (None, ' ') => {
                    word.push_str(&self.fill(&plain));
                    plain.clear();
                    if begun || !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    begun = false;
                }
                (_, sign) => plain.push(sign),
            }
        }
        assert!(quote.is_none(), "{line}");
        word.push_str(&self.fill(&plain));
        if begun || !word.is_empty() {
            words.push(word);
        }
        words
    }
}

/// An installation that was backed up, its owner's key in a safe place, and its runbook.
async fn installed<'a>(bench: &'a Bench) -> (Program<'a>, PathBuf, String) {
    let rescue = bench.name(&bench.target);
    let program = Program::new(
        bench,
        &format!("schedule = \"0 2 * * *\"\n[[target]]\nname = \"rescue\"\nurl = \"{rescue}\"\n"),
    );
    let (status, made) = program.run(&["init", "--json"]).await;
    assert_eq!(status, ExitStatus::Done);
    let made: Value = serde_json::from_str(&made).unwrap();
    let safe = program.path("safe.key");
    std::fs::write(&safe, made["identity"].as_str().unwrap()).unwrap();
    assert_eq!(program.run(&["backup"]).await.0, ExitStatus::Done);
    let file = program.path("runbook.md");
    let arguments = ["runbook", "--output", file.to_str().unwrap()];
    assert_eq!(program.run(&arguments).await.0, ExitStatus::Done);
    let page = std::fs::read_to_string(file).unwrap();
    (program, safe, page)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_loss_of_the_machine_a_key_and_the_address_are_enough() {
    let bench = Bench::small().await;
    let (program, safe, page) = installed(&bench).await;
    let safe = safe.to_str().unwrap();
    for lost in ["mlark.toml", "agent.key", "runbook.md"] {
        std::fs::remove_file(program.path(lost)).unwrap();
    }
    std::fs::remove_dir_all(program.path("cache")).unwrap();
    let repository = program.path("repository");
    let mut words = vec!["mlark", "runbook", "--stored", "--repository"];
    words.extend([repository.to_str().unwrap(), "--identity-file", safe]);
    let stored = words.join(" ").replace(safe, "\"$OWNER_KEY\"");
    assert!(page.contains(&stored), "the page does not say `{stored}`");
    let (status, found, _) = program.typed(&words).await;
    assert_eq!(
        (status, found.trim_end()),
        (ExitStatus::Done, page.trim_end())
    );
    let mut typist = Typist::new(
        &program,
        &[("OWNER_KEY", safe), ("NAME", "vm-2"), ("LINE", "")],
    );
    typist.section(&found, "1. ").await;
    let others = ["chown", "systemctl"].map(str::to_owned);
    assert_eq!(typist.others, BTreeSet::from(others));
    assert_eq!(typist.typed.len(), 9, "{:?}", typist.typed);
    let keys = program.run(&["key", "list", "--json"]).await.1;
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let machines: Vec<&Value> = keys["holders"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|holder| holder["sort"] == "machine")
        .map(|holder| &holder["label"])
        .collect();
    assert_eq!(machines, ["vm-2"], "the lost machine is left out");
    let snapshots = program.run(&["snapshots", "--json"]).await.1;
    let snapshots: Value = serde_json::from_str(&snapshots).unwrap();
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_loss_of_a_notebook_it_comes_back_alone() {
    let bench = Bench::small().await;
    let (program, safe, page) = installed(&bench).await;
    let found = program
        .run(&["ls", "latest", "notebooks/**", "--json"])
        .await
        .1;
    let found: Value = serde_json::from_str(&found).unwrap();
    let path = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["item"].as_str()?.strip_prefix("notebooks/"))
        .find(|path| path.ends_with(".ipynb"))
        .unwrap()
        .to_owned();
    let before = bench.dump(&bench.source);
    let files = before["files"].as_object().unwrap();
    let (name, content) = files
        .iter()
        .find(|(name, _)| name.ends_with(&path))
        .unwrap();
    super::undelete::remove(&bench, &path);
    let now = bench.store.clock.now().to_string();
    let last = path.rsplit('/').next().unwrap();
    let filled = [
        ("OWNER_KEY", safe.to_str().unwrap()),
        ("NAME", last),
        ("NOTEBOOK", &path),
        ("BEFORE", &now),
    ];
    let mut typist = Typist::new(&program, &filled);
    typist.section(&page, "4. ").await;
    let verbs: Vec<bool> = [" find ", " undelete ", " restore apply "]
        .iter()
        .zip(&typist.typed)
        .map(|(verb, (line, _))| line.contains(verb))
        .collect();
    assert_eq!(verbs, [true; 3], "{:?}", typist.typed);
    let after = bench.dump(&bench.source);
    assert_eq!(after["files"][name]["sha256"], content["sha256"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_loss_of_the_region_the_workspace_comes_back_in_another() {
    let bench = Bench::small().await;
    let (program, safe, page) = installed(&bench).await;
    let filled = [
        ("OWNER_KEY", safe.to_str().unwrap()),
        ("REGION", "northeurope"),
        ("GROUP", "rg-rescue"),
    ];
    let mut typist = Typist::new(&program, &filled);
    typist.section(&page, "3. ").await;
    assert_eq!(typist.others, BTreeSet::from(["az".to_owned()]));
    // Plan and apply with losses, and a comparison that finds nothing else.
    let codes: Vec<u8> = typist.typed.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, [3, 3, 0], "{:?}", typist.typed);
    let kept = bench.dump(&bench.target)["files"]
        .as_object()
        .unwrap()
        .len();
    assert!(kept > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_loss_of_a_workspace_it_comes_back_under_its_name() {
    let bench = Bench::small().await;
    let (program, safe, page) = installed(&bench).await;
    let filled = [("OWNER_KEY", safe.to_str().unwrap())];
    let mut typist = Typist::new(&program, &filled);
    typist.section(&page, "2. ").await;
    assert_eq!(typist.others, BTreeSet::from(["az".to_owned()]));
    // Nothing is lost: all three say so, whatever of it Azure does not show twice alike.
    assert_eq!(typist.typed.len(), 3, "{:?}", typist.typed);
    assert_eq!(typist.typed[2].1, 0, "{:?}", typist.typed);
}
