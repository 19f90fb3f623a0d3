//! Pages of the documents, and a shell that executes them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::env::is_run;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub fn read(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// `sh`, `console`, `yaml`, …
    pub kind: String,
    /// The file that a reader is to write the block into.
    pub file: Option<String>,
    /// `true` if recard must refuse the block: a page shows an error.
    pub wrong: bool,
    /// The lines of the page inside the block, counted from 0.
    pub lines: std::ops::Range<usize>,
    /// The indentation of the block.
    pub indent: usize,
    /// The content, without the indentation.
    pub text: String,
}

/// The blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(about)) => {
                let mut words = about.split(' ');
                let kind = words.next().unwrap_or_default().to_owned();
                let file = words.find_map(|word| word.strip_prefix("file=")).map(str::to_owned);
                let wrong = about.split(' ').any(|word| word == "wrong");
                open = Some(Block {
                    kind,
                    file,
                    wrong,
                    lines: number + 1..number + 1,
                    indent,
                    text: String::new(),
                });
            }
            (Some(_), Some("")) => {
                let mut block = open.take().unwrap();
                block.lines.end = number;
                blocks.push(block);
            }
            (Some(block), _) => {
                block.text.push_str(line.get(block.indent.min(indent)..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    blocks
}

/// The blocks of a kind.
pub fn blocks_of(page: &str, kind: &str) -> Vec<String> {
    blocks(page).into_iter().filter(|block| block.kind == kind).map(|block| block.text).collect()
}

/// A command of a transcript, and what it prints.
#[derive(Debug)]
pub struct Step {
    /// The lines that are typed, `$` and `>` included.
    pub typed: String,
    /// The input of the shell.
    pub command: String,
    /// The expected output.
    pub printed: String,
}

/// The steps of a `console` block.
pub fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                typed: line.to_owned(),
                command: command.to_owned(),
                printed: String::new(),
            });
            continue;
        }
        let step = steps
            .last_mut()
            .unwrap_or_else(|| panic!("a transcript begins with a command: {text}"));
        match line
            .strip_prefix("> ")
            .filter(|_| step.printed.is_empty() && step.command.ends_with("\\\n"))
        {
            Some(more) => {
                step.typed.push_str(line);
                step.command.push_str(more);
            }
            None => step.printed.push_str(line),
        }
    }
    steps
}

/// The names of runs in a text, each once, in the order in which they occur.
pub fn runs(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for window in text.as_bytes().windows(23).filter(|window| is_run(window)) {
        let name = String::from_utf8(window.to_vec()).unwrap();
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// A shell in a folder of its own, with recard in its path and an environment that holds nothing
/// else. It hears one command after the other, as from a person who reads a page, and both of its
/// outputs come back as one text.
pub struct Shell {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::io::PipeReader>,
}

/// Message of the shell at the end of a command. No command prints it.
const END: &str = "-- the command has ended --";

impl Shell {
    pub fn start(folder: &Path) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_recard"));
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.parent().unwrap().display());
        let (output, ours) = std::io::pipe().unwrap();
        let mut child = Command::new("sh")
            .current_dir(folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(ours.try_clone().unwrap())
            .stderr(ours)
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        Self { child, input, output: BufReader::new(output) }
    }

    /// Runs a command to its end and gives what it printed. `$?` is that of the command before.
    pub fn run(&mut self, command: &str) -> String {
        let quoted = command.replace('\'', r"'\''");
        let input = self.input.as_mut().unwrap();
        writeln!(
            input,
            "eval '{quoted}' </dev/null; ended=$?; printf '\\n%s\\n' '{END}'; (exit $ended)"
        )
        .unwrap();
        input.flush().unwrap();
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "the shell has gone: {command}{text}"
            );
            if line.trim_end() == END {
                break;
            }
            text.push_str(&line);
        }
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
