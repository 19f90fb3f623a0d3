//! What the program says of itself: colors, completions, the manual, the demo.

use crate::support::env::TestEnv;

#[test]
fn color_is_off_without_a_terminal_and_on_with_color_always() {
    let env = TestEnv::quickstart();
    let plan = ["plan", "--portal", "embedded", "-f", "lead.yaml"];
    assert!(!env.run(&plan).stdout.contains('\u{1b}'));
    let always = [&plan[..], &["--color", "always"]].concat();
    assert!(env.run(&always).stdout.contains('\u{1b}'));
    env.run(&[&always[..], &["--output", "text=plan.txt"]].concat());
    assert!(!std::fs::read_to_string(env.at("plan.txt")).unwrap().contains('\u{1b}'));
}

#[test]
fn demo_runs_and_leaves_no_file() {
    let env = TestEnv::new();
    let ended = env.run(&["demo"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("No changes. 26 cards match the manifests."), "{ended:?}");
    assert_eq!(ended.stdout.matches("Done: 9 of 9 cards").count(), 2, "{ended:?}");
    assert_eq!(std::fs::read_dir(env.path()).unwrap().count(), 0);
}

#[test]
fn completions_and_manual_name_each_command() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = env.run(&["completions", shell]);
        assert!(ended.code == 0 && ended.stdout.contains("auto-approve"), "{shell}");
    }
    assert!(env.run(&["help", "exit-codes"]).stdout.contains("  3  partial"));
}

#[test]
fn completions_offer_the_words_of_options() {
    let script = TestEnv::new().run(&["completions", "bash"]).stdout;
    for words in [
        "text json markdown junit sarif github csv html prometheus",
        "text json markdown csv",
        "text json",
        "en ru",
        "standard enterprise unlimited",
    ] {
        assert!(script.contains(&format!("compgen -W \"{words}")), "{words}");
    }
}

#[test]
fn manual_has_a_page_for_each_command() {
    let env = TestEnv::new();
    assert_eq!(env.run(&["man", "--out", "man/man1"]).code, 0);
    let read = |file: &str| std::fs::read_to_string(env.at("man/man1").join(file)).unwrap();
    // A page names another as `recard\-plan(1)`.
    let named = |page: &str| -> Vec<String> {
        let page = page.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "");
        let words =
            page.split([' ', '\n']).filter_map(|word| word.strip_suffix("(1)")).map(str::to_owned);
        words.filter(|word| word.starts_with("recard-")).collect()
    };
    let commands = named(&read("recard.1"));
    assert!(commands.len() > 22, "{commands:?}");
    for command in &commands {
        let words: Vec<&str> = command.split('-').skip(1).collect();
        let printed = env.run(&[&["man"][..], &words].concat());
        assert_eq!(printed.stdout, read(&format!("{command}.1")), "{command}: {printed:?}");
        for below in named(&printed.stdout) {
            read(&format!("{below}.1"));
        }
    }
    assert!(read("recard-plan.1").contains("detailed\\-exitcode"));
    for page in ["recard.1", "recard-plan.1", "recard-audit-verify.1", "recard-card-show.1"] {
        for section in ["EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
            let text = read(page).replace('"', "");
            assert!(text.contains(&format!(".SH {section}\n")), "{page}: {section}");
        }
    }
    assert!(read("recard-plan.1").contains("recard plan lead.yaml \\-\\-detail"));
    assert!(read("recard.1").contains("RECARD_READ_WEBHOOK_URL"));
    assert_eq!(env.run(&["man"]).stdout, read("recard.1"));
    assert_eq!(env.run(&["man", "fly"]).code, 64);
}
