//! The picture in the README is a terminal: what the program prints, with its colors, as SVG.
//!
//! After a change that is meant: `SNAPSHOTS=overwrite cargo test --test integration picture::`.

use anstyle::{Color, RgbColor};
use anstyle_svg::{Palette, Term};
use snapbox::{Data, IntoData as _};

use crate::support::env::TestEnv;
use crate::support::page::{Shell, root, runs};

const MANIFEST: &str = "\
apiVersion: recard/v1
kind: LeadCardReset
metadata:
  name: sales-east-back-to-standard
  reason: New lead form since 1 November
spec:
  portal: embedded
  personal:
    - users: { departments: [42], except: { ids: [18] } }
      leadCustomerTypes: [simple, repeat]
";

/// Commands of the picture, one after the other.
const TYPED: &[&str] = &[
    "recard apply -f sales-east.yaml --auto-approve",
    "recard apply -f sales-east.yaml",
    "recard restore last --all --auto-approve",
];

/// Colors that can be read on a dark ground, in the order of the terminal's sixteen.
const COLOURS: Palette = Palette([
    rgb(0x0d1117),
    rgb(0xff7b72),
    rgb(0x56d364),
    rgb(0xe3b341),
    rgb(0x79c0ff),
    rgb(0xd2a8ff),
    rgb(0x56d4dd),
    rgb(0xc9d1d9),
    rgb(0x6e7681),
    rgb(0xffa198),
    rgb(0x7ee787),
    rgb(0xf2cc60),
    rgb(0xa5d6ff),
    rgb(0xe2c5ff),
    rgb(0xb3f0ff),
    rgb(0xf0f6fc),
]);

const fn rgb(number: u32) -> RgbColor {
    let [_, red, green, blue] = number.to_be_bytes();
    RgbColor(red, green, blue)
}

#[test]
fn picture_shows_what_the_program_prints() {
    let env = TestEnv::new();
    env.file("sales-east.yaml", MANIFEST);
    let mut shell = Shell::start(env.path());
    shell.run("export RECARD_PORTAL=embedded");
    let mut text = String::new();
    for typed in TYPED {
        text.push_str(&format!("\x1b[1;36m$\x1b[0m \x1b[1m{typed}\x1b[0m\n"));
        text.push_str(&shell.run(&format!("{typed} --color always")));
        text.push('\n');
    }
    for (run, shown) in
        runs(&text).iter().zip(["20261101T090000Z-1a2b3c", "20261101T090500Z-4d5e6f"])
    {
        text = text.replace(run, shown);
    }
    let picture = Term::new()
        .palette(COLOURS)
        .fg_color(Color::Rgb(rgb(0xc9d1d9)))
        .bg_color(Color::Rgb(rgb(0x0d1117)))
        .render_svg(text.trim_end());
    let wanted = Data::read_from(&root().join("docs/terminal.svg"), None).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(picture.into_data().raw(), wanted);
}
