//! Circles between files: no file imports, on any way, from a file that imports from it.
//!
//! A name that a module passes on (`pub use`) belongs to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::sources;

/// Path of a module: its names, from the root of the crate.
type Module = Vec<String>;

/// Text of a file without comments, imports of test modules, and inline modules.
struct SourceFile {
    code: String,
    /// Names that the module passes on, with the paths that they come from.
    passed_on: BTreeMap<String, Vec<String>>,
}

/// Files of a crate, by module.
struct CrateFiles(BTreeMap<Module, SourceFile>);

impl CrateFiles {
    fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in sources::under(root) {
            let mut module: Module = path
                .strip_prefix(root)
                .unwrap()
                .with_extension("")
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
                module.pop();
            }
            files.insert(module, SourceFile::new(&fs::read_to_string(&path).unwrap()));
        }
        Self(files)
    }

    /// Returns the file that defines a name, as a module knows it. None for names of other crates.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let mut rest = path;
        let mut module = match rest.first()?.as_str() {
            "crate" => Module::new(),
            "self" | "super" => from.clone(),
            first => {
                let child: Module = from.iter().cloned().chain([first.to_owned()]).collect();
                self.0.contains_key(&child).then(|| from.clone())?
            }
        };
        while let Some(word) = rest.first().filter(|word| is_relative(word)) {
            if word == "super" {
                module.pop();
            }
            rest = &rest[1..];
        }
        while let Some(name) = rest.first() {
            let child: Module = module.iter().cloned().chain([name.clone()]).collect();
            if !self.0.contains_key(&child) {
                break;
            }
            module = child;
            rest = &rest[1..];
        }
        let passed_on = rest.first().and_then(|name| self.0.get(&module)?.passed_on.get(name));
        match passed_on {
            Some(source) if depth < 8 => self.resolve(&module, source, depth + 1).or(Some(module)),
            Some(_) | None => Some(module),
        }
    }

    /// Returns the files that each file imports from.
    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of_file = |module: &Module, file: &SourceFile| {
            let mut found = BTreeSet::new();
            for path in file.paths() {
                found.extend(self.resolve(module, &path, 0));
            }
            found.remove(module);
            found
        };
        self.0.iter().map(|(module, file)| (module, of_file(module, file))).collect()
    }

    /// Returns the pairs of files that import from each other, directly or by others.
    fn circles(&self) -> Vec<String> {
        let imports = self.imports();
        let reach = |start: &Module| {
            let mut seen: BTreeSet<&Module> = BTreeSet::new();
            let mut open: Vec<&Module> = imports.get(start).into_iter().flatten().collect();
            while let Some(next) = open.pop() {
                if seen.insert(next) {
                    open.extend(imports.get(next).into_iter().flatten());
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            imports.keys().map(|module| (*module, reach(module))).collect();
        let mut circles = Vec::new();
        for (module, all) in &reached {
            let others = all.iter().filter(|other| other > &module);
            for other in others.filter(|other| reached[**other].contains(*module)) {
                circles.push(format!("{} and {}", module.join("::"), other.join("::")));
            }
        }
        circles
    }
}

fn is_relative(word: &str) -> bool {
    matches!(word, "crate" | "self" | "super")
}

impl SourceFile {
    fn new(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let all: Vec<&str> = lines.collect();
        let mut code = String::new();
        let mut index = 0;
        while let Some(line) = all.get(index) {
            let is_module = line.split_whitespace().any(|word| word == "mod");
            if is_module && line.ends_with('{') && !line.starts_with(' ') {
                // The paths of an inline module are counted from that module.
                while all.get(index).is_some_and(|line| *line != "}") {
                    index += 1;
                }
            } else {
                code.push_str(line);
                code.push('\n');
            }
            index += 1;
        }
        let mut passed_on = BTreeMap::new();
        for statement in statements(&code, true) {
            for path in expand(&statement) {
                let (source, name) = match path.split_last() {
                    Some((last, before)) => {
                        let (name, alias) = last.split_once(" as ").unwrap_or((last, last));
                        let source = before.iter().cloned().chain([name.to_owned()]).collect();
                        (source, alias.to_owned())
                    }
                    None => continue,
                };
                passed_on.insert(name, source);
            }
        }
        Self { code, passed_on }
    }

    /// Returns the paths of imports and those within the code.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut paths: Vec<Vec<String>> =
            statements(&self.code, false).iter().flat_map(|statement| expand(statement)).collect();
        for start in ["crate::", "super::"] {
            for (at, _) in self.code.match_indices(start) {
                let rest = &self.code[at..];
                let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                let end = rest.find(|c: char| !is_path(c)).unwrap_or(rest.len());
                let line = self.code[..at].rfind('\n').map_or(0, |line| line + 1);
                let before = &self.code[line..at];
                let is_import = before.contains("use ") || before.ends_with("pub(in ");
                if !is_import && !rest[end..].starts_with('!') && !rest[..end].ends_with(':') {
                    paths.push(rest[..end].split("::").map(str::to_owned).collect());
                }
            }
        }
        paths
    }
}

/// Returns the trees of the `use` statements; those that pass names on, or the others.
fn statements(code: &str, passing_on: bool) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let lines: Vec<&str> = statement.lines().map(str::trim).collect();
        let start = lines.iter().rposition(|line| line.starts_with("use ") || is_pub_use(line));
        if let Some(start) = start
            && is_pub_use(lines[start]) == passing_on
        {
            let tree = lines[start..].join(" ");
            found.push(tree.split_once("use ").unwrap().1.to_owned());
        }
    }
    found
}

fn is_pub_use(line: &str) -> bool {
    line.starts_with("pub") && line.contains("use ")
}

/// Returns the paths of a `use` tree.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        return vec![tree.split("::").map(|word| word.trim().to_owned()).collect()];
    };
    let before: Vec<String> = tree[..open]
        .split("::")
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    let inside = tree[open + 1..].trim_end().strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let mut depth = 0_i32;
    let mut branches = vec![String::new()];
    for c in inside.chars() {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if c == ',' && depth == 0 {
            branches.push(String::new());
        } else {
            branches.last_mut().unwrap().push(c);
        }
    }
    let branches = branches.iter().filter(|branch| !branch.trim().is_empty());
    branches
        .flat_map(|branch| expand(branch))
        .map(|path| before.iter().cloned().chain(path).collect())
        .collect()
}

#[test]
fn files_import_without_circles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for source in ["src", "crates/bitrix24/src", "crates/bitrix24-emulator/src"] {
        let files = CrateFiles::read(&root.join(source));
        let imports: usize = files.imports().values().map(BTreeSet::len).sum();
        assert!(imports > 20, "{source}: only {imports} imports were found");
        assert_eq!(files.circles(), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn circles_are_found_through_names_that_are_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        recard::store::write_whole(&folder.path().join(name), text.as_bytes()).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\npub use a::A;\n");
    write("a.rs", "use crate::b::{\n    B,\n};\npub struct A(B);\n");
    write("b.rs", "pub struct B;\n");
    assert!(CrateFiles::read(folder.path()).circles().is_empty());
    write("b.rs", "pub struct B(super::A);\n");
    assert_eq!(CrateFiles::read(folder.path()).circles(), ["a and b"]);
}
