//! Documents, executed and compared with their text.
//!
//! Every `console` block is typed into a shell, command by command, in an empty folder with the
//! `examples/` of the repository, and the output is compared with the text. In the output `[..]`
//! stands for any text in a line, and a line `...` for any lines. A block with `file=PATH` behind
//! its kind is written to that file before the next commands. The commands of a page run in one
//! folder, from top to bottom. A page that holds the sentence [`ON_A_PORTAL`] has a portal.
//!
//! Every `sh` block is parsed by a shell, and its recard commands by the program's own command
//! line, but it is not run.
//!
//! After a change that is meant: `SNAPSHOTS=overwrite cargo test --test integration docs::`, and
//! look at the difference.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use recard::emulator::Emulator;
use snapbox::filter::NormalizeToExpected;
use snapbox::{Data, IntoData as _};

use crate::support::env::TestEnv;
use crate::support::page::{Block, Shell, blocks, read, root, runs, steps};

/// The comment of a page whose commands want a real portal. An emulator stands in for it, under
/// this name.
const ON_A_PORTAL: &str = "<!-- The commands of this page are tested on an emulator that stands in for company.bitrix24.com. -->";

/// The name of the portal on such a page, and a webhook of it.
const PORTAL: &str = "company.bitrix24.com";
const WEBHOOK: &str = "https://company.bitrix24.com/rest/1/xxxxxxxxxxxxxxxx/";

/// The kinds of blocks that there are. `text` is for what no program reads.
const KINDS: &[&str] =
    &["console", "json", "rust", "sh", "text", "toml", "xml", "yaml", "csv", "dockerfile"];

/// All documents: those of the root, and those in `docs/`.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(str::to_owned).into();
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    assert!(pages.len() > 3, "{pages:?}");
    pages
}

/// The folder of somebody who reads a page.
struct Reader {
    env: TestEnv,
    shell: Shell,
    portal: Option<(Emulator, String)>,
    /// The names of runs on the page, each with the one that it had this time.
    runs: Vec<(String, String)>,
    named: Vec<String>,
}

impl Reader {
    fn new(page: &str, portal: Option<Emulator>) -> Self {
        let env = TestEnv::new();
        for entry in std::fs::read_dir(root().join("examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let name = format!("examples/{}", path.file_name().unwrap().to_str().unwrap());
            env.file(&name, &std::fs::read_to_string(&path).unwrap());
        }
        let portal = portal.map(|emulator| {
            env.file(".recard-webhook", &emulator.webhook_url(1).unwrap());
            let name = emulator
                .rest_url()
                .trim_start_matches("http://")
                .trim_end_matches("/rest")
                .to_owned();
            (emulator, name)
        });
        let shell = Shell::start(env.path());
        Self { env, shell, portal, runs: Vec::new(), named: runs(page) }
    }

    /// Replaces the portal of the page by the real one.
    fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((emulator, name)) = &self.portal {
            text = text.replace(WEBHOOK, &emulator.webhook_url(1).unwrap()).replace(PORTAL, name);
        }
        for (shown, real) in &self.runs {
            text = text.replace(shown, real);
        }
        text
    }

    /// Replaces the real portal by that of the page.
    fn shown(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((_, name)) = &self.portal {
            text = text.replace(&format!("{name} (an emulator)"), PORTAL).replace(name, PORTAL);
        }
        for run in runs(&text) {
            if !self.runs.iter().any(|(_, real)| *real == run) {
                let made_up = || format!("20261101T09{:02}00Z-1a2b3c", self.runs.len());
                let shown = self.named.get(self.runs.len()).cloned().unwrap_or_else(made_up);
                self.runs.push((shown, run));
            }
        }
        for (shown, real) in &self.runs {
            text = text.replace(real, shown);
        }
        text
    }

    /// Follows a page, and gives the page as it should be.
    fn follow(&mut self, page: &str) -> String {
        let mut lines: Vec<String> = page.lines().map(|line| format!("{line}\n")).collect();
        let mut changed: Vec<(Block, String)> = Vec::new();
        for block in blocks(page) {
            if let Some(file) = &block.file {
                self.env.file(file, &self.hidden(&block.text));
            }
            if block.kind == "console" {
                let text = self.transcript(&block.text);
                changed.push((block, text));
            }
        }
        for (block, text) in changed.into_iter().rev() {
            let indent = " ".repeat(block.indent);
            let line =
                |line: &str| if line == "\n" { line.to_owned() } else { format!("{indent}{line}") };
            lines.splice(block.lines, text.split_inclusive('\n').map(line));
        }
        lines.concat()
    }

    /// Returns the transcript as it should be.
    fn transcript(&mut self, text: &str) -> String {
        let mut out = String::new();
        for step in steps(text) {
            let command = self.hidden(step.command.trim_end());
            let printed = self.shell.run(&command);
            let printed = self.shown(&printed);
            let wanted = Data::text(step.printed.clone());
            let fitted =
                NormalizeToExpected::new().redact().normalize(Data::text(printed), &wanted);
            out.push_str(&step.typed);
            out.push_str(&fitted.to_string());
            if !out.ends_with('\n') {
                out.push('\n');
            }
        }
        out
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docs_commands_print_what_their_page_shows() {
    for name in pages() {
        let page = read(&name);
        let portal =
            if page.contains(ON_A_PORTAL) { Some(Emulator::start().await.unwrap()) } else { None };
        let mut reader = Reader::new(&page, portal);
        let followed = tokio::task::block_in_place(|| reader.follow(&page));
        if let Some((emulator, _)) = &reader.portal {
            assert_eq!(emulator.complaints(), [], "{name}");
        }
        let wanted = Data::read_from(&root().join(&name), None).raw();
        snapbox::Assert::new().action_env("SNAPSHOTS").eq(followed.into_data().raw(), wanted);
    }
}

#[test]
fn docs_blocks_have_a_kind_that_is_checked() {
    for name in pages() {
        for block in blocks(&read(&name)) {
            let line = block.lines.start;
            assert!(
                KINDS.contains(&block.kind.as_str()),
                "{name}:{line}: a block of the kind {:?}",
                block.kind
            );
            if block.kind == "json" {
                let json: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
                assert!(json.is_ok(), "{name}:{line}: {json:?}");
            }
        }
    }
}

#[test]
fn docs_manifests_are_valid() {
    let mut seen = 0;
    for name in pages() {
        let page = read(&name);
        if page.contains("\nkind: Fleet\n") {
            // A fleet, with its manifests beside it.
            let env = TestEnv::new();
            for block in blocks(&page) {
                block.file.iter().for_each(|file| drop(env.file(file, &block.text)));
            }
            let ended = env.run(&["fleet", "validate"]);
            assert_eq!(ended.code, 0, "{name}: {ended:?}");
            continue;
        }
        for block in blocks(&page).into_iter().filter(|block| block.kind == "yaml") {
            if block.text.contains("\napiVersion: recard/v1\n")
                || block.text.starts_with("apiVersion: recard/v1\n")
            {
                let env = TestEnv::new();
                env.file("lead.yaml", &block.text);
                let ended = env.run(&["validate", "-f", "lead.yaml"]);
                assert_eq!(
                    ended.code,
                    i32::from(block.wrong),
                    "{name}:{}: {ended:?}",
                    block.lines.start
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 2, "{seen}");
}

/// The arguments of every recard command in a text for a shell.
fn recard_commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let words: Vec<String> = shlex::Shlex::new(line).collect();
        let ends = |word: &String| {
            ["|", "||", "&&", "&", ";", ">", ">>", "2>", "<", "then", "fi"].contains(&word.as_str())
        };
        for command in words.split(ends) {
            // What stands before the program: settings, and words of the shell.
            let is_program = |word: &&String| {
                !word.contains('=') && !["if", "!", "do", "else"].contains(&word.as_str())
            };
            let at = command.iter().position(|word| is_program(&word)).unwrap_or(command.len());
            let command: Vec<&str> = command[at..].iter().map(String::as_str).collect();
            let arguments = match command.as_slice() {
                ["recard", rest @ ..] | ["cargo", "run", "--", rest @ ..] => rest,
                ["cargo", "run", "--release", "--", rest @ ..] => rest,
                _ => continue,
            };
            commands
                .push(arguments.iter().map(|word| word.trim_end_matches(';').to_owned()).collect());
        }
    }
    commands
}

#[test]
fn docs_shell_blocks_name_commands_that_exist() {
    for name in pages() {
        for block in blocks(&read(&name)).into_iter().filter(|block| block.kind == "sh") {
            let line = block.lines.start;
            let ended = Command::new("sh")
                .args(["-n", "-c", &block.text])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(ended.status.success(), "{name}:{line}: {ended:?}");
            for arguments in recard_commands(&block.text) {
                assert_exists(&arguments, &format!("{name}:{line}"));
            }
        }
    }
}

#[test]
fn docs_commands_in_a_sentence_exist() {
    let mut seen = 0;
    for name in pages() {
        let page = read(&name);
        let mut inside = false;
        for (number, line) in (1..).zip(page.lines()) {
            inside ^= line.trim_start().starts_with("```");
            let spans = line
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|_| !inside && !line.trim_start().starts_with("```"));
            for arguments in
                spans.flat_map(recard_commands).filter(|arguments| !arguments.is_empty())
            {
                assert_exists(&arguments, &format!("{name}:{number}"));
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

/// Asks the program's own command line whether there is such a command. Arguments that a sentence
/// leaves out may be missing.
fn assert_exists(arguments: &[String], env: &str) {
    let typed = ["recard"].into_iter().chain(arguments.iter().map(String::as_str));
    if let Err(problem) = recard::cli::command().try_get_matches_from(typed) {
        let left_out = problem.kind() == clap::error::ErrorKind::MissingRequiredArgument;
        assert!(left_out || !problem.use_stderr(), "{env}: {problem}");
    }
}

/// The places that a page links to.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        }
        if !inside {
            found.extend(
                line.split("](")
                    .skip(1)
                    .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())),
            );
            found.extend(
                line.split("src=\"")
                    .skip(1)
                    .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
            );
        }
    }
    found
}

/// The anchors that the headings of a page make.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
        }
        let title = line.trim_start_matches('#');
        if !inside && title.len() < line.len() && title.starts_with(' ') {
            let kept = title.trim().to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    found
}

#[test]
fn docs_links_lead_to_a_file() {
    let mut seen = 0;
    for name in pages() {
        let page = read(&name);
        for link in links(&page) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link
                .split_once('#')
                .map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let folder = Path::new(&name).parent().unwrap();
            let target =
                if file.is_empty() { PathBuf::from(&name) } else { plain(&folder.join(file)) };
            assert!(root().join(&target).exists(), "{name}: {link} leads nowhere");
            if let Some(anchor) = anchor {
                let there = anchors(&read(target.to_str().unwrap()));
                assert!(there.contains(anchor), "{name}: {link}: no such heading in {there:?}");
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                assert!(plain.pop(), "{} leads out of the repository", path.display())
            }
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn docs_index_lists_every_page() {
    let index = read("docs/README.md");
    for name in pages() {
        if let Some(page) = name.strip_prefix("docs/").filter(|page| *page != "README.md") {
            assert!(index.contains(&format!("]({page})")), "{page} is missing in docs/README.md");
        }
    }
    assert!(read("README.md").contains("](docs/README.md)"));
}

#[test]
fn reference_says_what_the_schema_says() {
    let name = "docs/manifest.md";
    let page = read(name);
    let schema: serde_json::Value =
        serde_json::from_str(&read("schemas/recard.v1.schema.json")).unwrap();
    let (begin, end) =
        ("<!-- generated from schemas/recard.v1.schema.json", "<!-- end of the generated part -->");
    let (before, rest) = page.split_once(begin).unwrap();
    let (mark, _) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let wanted = format!(
        "{before}{begin}{mark}\n\n{}\n{end}{after}",
        crate::support::reference::reference(&schema)
    );
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(wanted.into_data().raw(), Data::read_from(&root().join(name), None).raw());
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let page = read("docs/exit-codes.md");
    for (code, meaning) in recard::cli::exit::TABLE {
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{code} {meaning}");
    }
}
