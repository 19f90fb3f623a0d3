//! Whole program in Russian: people read Russian, and machine output stays the same.

use std::collections::BTreeSet;
use std::path::Path;

use snapbox::{assert_data_eq, str};

use crate::support::company::manifest;
use crate::support::env::{CommandOutput, QUICKSTART, TestEnv, steady};

/// Two folders of the same content, the second one for Russian.
struct Two {
    english: TestEnv,
    russian: TestEnv,
}

impl Two {
    fn with(manifest: &str) -> Self {
        let two = Self { english: TestEnv::new(), russian: TestEnv::new() };
        two.english.file("lead.yaml", manifest);
        two.russian.file("lead.yaml", manifest);
        two
    }

    /// Runs a command in both languages: the exit code is the same, and so is every file that it
    /// writes for programs.
    fn run(&self, arguments: &[&str]) -> (CommandOutput, CommandOutput) {
        let with = |env: &TestEnv, language| {
            let mut command = env.command(arguments);
            CommandOutput::of(
                command.args(["--portal", "embedded", "--lang", language]).output().unwrap(),
            )
        };
        let (english, russian) = (with(&self.english, "en"), with(&self.russian, "ru"));
        assert_eq!(english.code, russian.code, "{english:?} {russian:?}");
        for format in ["json", "sarif", "junit", "csv", "github"] {
            let name = format!("out.{format}");
            let read = |env: &TestEnv| {
                std::fs::read_to_string(env.at(&name)).ok().map(|text| timeless(&text))
            };
            assert_eq!(read(&self.english), read(&self.russian), "{name}");
        }
        (english, russian)
    }
}

/// A document without the names of runs, and without the numbers of a forecast, which follow how
/// quickly the portal has just answered.
fn timeless(text: &str) -> String {
    let line = |line: &str| {
        let key = ["\"requests\": ", "\"seconds\": "].into_iter().find(|key| line.contains(key));
        match key.and_then(|key| line.split_once(key).map(|(before, number)| (key, before, number)))
        {
            Some((key, before, number)) if before.trim().is_empty() => {
                let end = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
                format!("{before}{key}NUMBER{end}")
            }
            _ => line.to_owned(),
        }
    };
    steady(text).lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Machine output of a command.
const MACHINES: &[&str] = &[
    "--output",
    "text",
    "--output",
    "json=out.json",
    "--output",
    "sarif=out.sarif",
    "--output",
    "junit=out.junit",
    "--output",
    "csv=out.csv",
    "--output",
    "github=out.github",
];

fn with_machines<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, MACHINES].concat()
}

pub(super) fn is_russian(text: &str) -> bool {
    text.chars().any(|c| ('а'..='я').contains(&c))
}

#[test]
fn russian_plan_and_apply_are_translated() {
    let two = Two::with(QUICKSTART);
    let plan = with_machines(&["plan", "-f", "lead.yaml", "--detailed-exitcode"]);
    let (_, planned) = two.run(&plan);
    assert_data_eq!(
        planned.shown(),
        str![[r#"
exit 2
--- stdout
Портал embedded (эмулятор), от имени пользователя 1 Olga Sokolova
Чтение карточек других пользователей: можно доверять (по ответам видна версия от 25.700)
Манифест sales-back-to-standard: New lead form since 1 November

сбросить  3 карточки у 2 сотрудников: настройки «Start here» (2 раздела, 5 полей)
       personal/8/lead/simple   Ivan Petrov   Sales
       personal/8/lead/repeat   Ivan Petrov   Sales
       personal/20/lead/simple  Nadia Haddad  Sales East
сбросить  3 карточки у 2 сотрудников: настройки «All on one page» (1 раздел, 10 полей)
       personal/12/lead/simple  Anna Petrova  Sales
       personal/18/lead/simple  Zofia Wójcik  Sales East
       personal/18/lead/repeat  Zofia Wójcik  Sales East
сбросить  2 карточки у 2 сотрудников: настройки «For the first call» (3 раздела, 10 полей)
       personal/15/lead/repeat  Mateusz Nowak   Sales
       personal/22/lead/simple  Giulia Bianchi  Sales
сбросить  1 карточка у 1 сотрудника: настройки «About the lead» (3 раздела, 12 полей)
       personal/14/lead/simple  Sofia Rossi  Sales

План: сбросить 9 (7 сотрудников из 37), оставить 17, отложено 0.
Меняется только вид карточек. Данные лидов, контактов и сделок не затрагиваются. Отмена: `recard restore RUN --all`.
Выполнение займёт: меньше секунды.
--- stderr
Чтобы применить именно этот план, сохраните его с --out FILE и выполните `recard apply FILE`.

"#]]
    );
    assert!(two.russian.path().join("out.json").exists());
    let (_, applied) =
        two.run(&with_machines(&["apply", "-f", "lead.yaml", "--auto-approve", "--unchanged"]));
    // The cards to reset are listed as by the plan.
    let (listed, end) = applied.stdout.split_at(applied.stdout.find("оставить").unwrap());
    assert!(planned.stdout.starts_with(listed), "{listed}");
    assert_data_eq!(
        steady(&format!("exit {}\n{end}--- stderr\n{}", applied.code, applied.stderr)),
        str![[r#"
exit 0
оставить  personal/12/lead/repeat  Anna Petrova     уже по умолчанию
оставить  personal/14/lead/repeat  Sofia Rossi      уже по умолчанию
оставить  personal/15/lead/simple  Mateusz Nowak    уже по умолчанию
оставить  personal/16/lead/simple  Elif Kaya        уже по умолчанию
оставить  personal/16/lead/repeat  Elif Kaya        уже по умолчанию
оставить  personal/17/lead/simple  Dmitri Volkov    уже по умолчанию
оставить  personal/17/lead/repeat  Dmitri Volkov    уже по умолчанию
оставить  personal/19/lead/simple  Андрей Соловьёв  уже по умолчанию
оставить  personal/19/lead/repeat  Андрей Соловьёв  уже по умолчанию
оставить  personal/20/lead/repeat  Nadia Haddad     уже по умолчанию
оставить  personal/21/lead/simple  Oscar Nilsson    уже по умолчанию
оставить  personal/21/lead/repeat  Oscar Nilsson    уже по умолчанию
оставить  personal/22/lead/repeat  Giulia Bianchi   уже по умолчанию
оставить  personal/23/lead/simple  Paul Schneider   уже по умолчанию
оставить  personal/23/lead/repeat  Paul Schneider   уже по умолчанию
оставить  personal/24/lead/simple  Ewa Zielińska    уже по умолчанию
оставить  personal/24/lead/repeat  Ewa Zielińska    уже по умолчанию

План: сбросить 9 (7 сотрудников из 37), оставить 17, отложено 0.
Меняется только вид карточек. Данные лидов, контактов и сделок не затрагиваются. Отмена: `recard restore RUN --all`.
Выполнение займёт: меньше секунды.

готово  personal/8/lead/simple   Ivan Petrov     сброшена, проверено чтением
готово  personal/8/lead/repeat   Ivan Petrov     сброшена, проверено чтением
готово  personal/12/lead/simple  Anna Petrova    сброшена, проверено чтением
готово  personal/14/lead/simple  Sofia Rossi     сброшена, проверено чтением
готово  personal/15/lead/repeat  Mateusz Nowak   сброшена, проверено чтением
готово  personal/18/lead/simple  Zofia Wójcik    сброшена, проверено чтением
готово  personal/18/lead/repeat  Zofia Wójcik    сброшена, проверено чтением
готово  personal/20/lead/simple  Nadia Haddad    сброшена, проверено чтением
готово  personal/22/lead/simple  Giulia Bianchi  сброшена, проверено чтением

Выполнено: 9 из 9 карточек; пропущено 0, не удалось 0, неизвестно 0.
Запуск RUN
--- stderr
Чтобы вернуть всё назад: recard restore RUN --all --portal embedded

"#]]
    );
    let (_, again) = two.run(&plan);
    assert_eq!(again.code, 0);
    assert!(
        again.stdout.contains("Изменений нет. 26 карточек соответствуют манифестам."),
        "{again:?}"
    );
    assert_eq!(kept(two.english.path()), kept(two.russian.path()));
}

#[test]
fn russian_guard_message_is_translated() {
    let everybody =
        manifest("embedded", "{ all: true }", "  common:\n    leadCustomerTypes: [repeat]\n");
    let two = Two::with(&everybody);
    let (english, refused) =
        two.run(&with_machines(&["apply", "-f", "lead.yaml", "--auto-approve"]));
    assert_eq!(refused.code, 4);
    let guards: Vec<&str> =
        refused.stdout.lines().skip_while(|line| !line.starts_with("План:")).collect();
    assert_data_eq!(
        format!("{}\n--- stderr\n{}", guards.join("\n"), refused.stderr),
        str![[r#"
План: сбросить 20 (16 сотрудников из 37), оставить 53, отложено 0.
Меняется только вид карточек. Данные лидов, контактов и сделок не затрагиваются. Отмена: `recard restore RUN --all`.
Выполнение займёт: меньше секунды.
Команда apply откажется: план блокируют 2 защиты, см. выше.
--- stderr
ошибка: заблокировано защитой `too-large-share`: карточки лишатся 16 из 36 сотрудников; предел maxPercentOfUsers — 10 %; ничего не записано
подсказка: Ровно это разрешат такие строки в разделе `spec`:
    guards:
      acknowledge: { users: 16, common: [repeat] }

"#]]
    );
    // The lines to copy are the same.
    let lines = |ended: &CommandOutput| {
        ended
            .stderr
            .lines()
            .skip_while(|line| line.trim() != "guards:")
            .map(str::to_owned)
            .collect()
    };
    let (english, russian): (Vec<String>, Vec<String>) = (lines(&english), lines(&refused));
    assert!(!english.is_empty() && english == russian, "{english:?} {russian:?}");
}

#[test]
fn russian_manifest_errors_are_translated() {
    let two = Two::with(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: test }\nspec:\n  portl: embedded\n  personal:\n    \
         - users: { ids: [\"7\", 0] }\n      leadCustomerTypes: [simple, once]\n",
    );
    let (_, refused) = two.run(&with_machines(&["validate", "-f", "lead.yaml"]));
    assert_eq!(refused.code, 1);
    assert_data_eq!(
        refused.stderr,
        str![[r#"
ошибка[RC0203]: не хватает ключа `reason` (metadata)
 --> lead.yaml:3:11
  |
3 | metadata: { name: test }
  |           ^
  |
  = подсказка: укажите причину: она попадает в каждый план, отчёт и запись аудита

ошибка[RC0201]: неизвестный ключ `portl` (spec)
 --> lead.yaml:5:3
  |
5 |   portl: embedded
  |   ^^^^^
  |
  = подсказка: возможно, имелось в виду `portal`?

ошибка[RC0204]: ID сотрудника — это число, а здесь текст
 --> lead.yaml:7:22
  |
7 |     - users: { ids: ["7", 0] }
  |                      ^^^
  |
  = подсказка: напишите без кавычек: 7

ошибка[RC0208]: 0 — это не ID сотрудника
 --> lead.yaml:7:27
  |
7 |     - users: { ids: ["7", 0] }
  |                           ^
  |
  = подсказка: ID — это целые числа от 1 до 2147483646

ошибка[RC0207]: нет типа лида `once`
 --> lead.yaml:8:35
  |
8 |       leadCustomerTypes: [simple, once]
  |                                   ^^^^
  |
  = подсказка: есть: simple, repeat

ошибка: 5 ошибок в манифестах; на портал ничего не отправлено

"#]]
    );
}

#[test]
fn russian_markdown_comment_is_translated() {
    let two = Two::with(QUICKSTART);
    let (english, russian) = two.run(&["plan", "-f", "lead.yaml", "--output", "markdown"]);
    // By the first line a pipeline finds its comment again.
    assert_eq!(english.stdout.lines().next(), russian.stdout.lines().next());
    let told = |text: &str| russian.stdout.contains(text);
    assert!(told("### 📋 recard plan: к сбросу 9 карточек\n"), "{russian:?}");
    assert!(
        told(
            "| цель | сотрудник | что | откуда |\n|---|---|---|---|\n| `personal/8/lead/simple` | Ivan Petrov |"
        ),
        "{russian:?}"
    );
    assert!(told("Выполнение займёт: меньше секунды.\n"), "{russian:?}");
}

#[test]
fn russian_inventory_is_aligned_in_columns() {
    let two = Two::with(QUICKSTART);
    for ended in <[CommandOutput; 2]>::from(two.run(&["inventory"])) {
        let shares = ended.stdout.lines().filter(|line| line.ends_with(" %"));
        let widths: BTreeSet<usize> = shares.map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 1, "{ended:?}");
    }
}

/// The lines that read the same in both languages although they have words.
fn untranslated(english: &CommandOutput, russian: &CommandOutput) -> Vec<String> {
    let lines = |ended: &CommandOutput| -> Vec<String> {
        let both = [ended.stdout.as_str(), ended.stderr.as_str()].concat();
        both.lines().map(|line| steady(line.trim())).collect()
    };
    let russian = lines(russian);
    let is_word = |word: &str| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase());
    let has_words = |line: &String| line.split(' ').filter(|word| is_word(word)).count() > 1;
    lines(english).into_iter().filter(|line| has_words(line) && russian.contains(line)).collect()
}

#[test]
fn russian_commands_have_the_same_effects_and_files() {
    let two = Two::with(QUICKSTART);
    let mut left = Vec::new();
    for line in [
        "doctor",
        "doctor --output json",
        "inventory",
        "inventory --output json",
        "inventory --output csv",
        "drift -f lead.yaml",
        "plan -f lead.yaml --detail --effective --unchanged",
        "plan -f lead.yaml --out lead.recard-plan.json",
        "apply lead.recard-plan.json",
        "apply lead.recard-plan.json",
        "apply -f lead.yaml",
        "history",
        "history --output json",
        "history --output markdown",
        "show last",
        "show last --output markdown",
        "show last --output json",
        "show lead.recard-plan.json",
        "restore last --all --detail --auto-approve",
        "restore last --all --auto-approve",
        "restore none --all",
        "recover",
        "audit show",
        "audit verify",
        "ledger show",
        "ledger new ledger.jsonl",
        "unlock",
        "export --out exported",
        "export --out exported",
        "init --ci github",
        "init",
        "help exit-codes",
        "validate -f lead.yaml",
        "validate -f missing.yaml",
        "validate -f exported",
        "demo",
    ] {
        let (english, russian) = two.run(&line.split(' ').collect::<Vec<_>>());
        let machine = line.contains("json") && line.contains("--output") || line.contains("csv");
        if machine {
            assert_eq!(timeless(&english.stdout), timeless(&russian.stdout), "{line}");
            continue;
        }
        assert!(is_russian(&russian.stdout) || is_russian(&russian.stderr), "{line}: {russian:?}");
        left.extend(
            untranslated(&english, &russian).into_iter().map(|text| format!("{line}: {text}")),
        );
    }
    assert_data_eq!(
        left.join("\n"),
        str![[r#"
plan -f lead.yaml --detail --effective --unchanged: Available to everyone (OPENED), Responsible person (ASSIGNED_BY_ID),
plan -f lead.yaml --detail --effective --unchanged: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
plan -f lead.yaml --detail --effective --unchanged: Source information (SOURCE_DESCRIPTION), Available to everyone (OPENED),
plan -f lead.yaml --detail --effective --unchanged: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
plan -f lead.yaml --detail --effective --unchanged: Source information (SOURCE_DESCRIPTION), Available to everyone (OPENED),
plan -f lead.yaml --detail --effective --unchanged: Hall of the fair (UF_CRM_1712345678), UF_CRM_1798765432,
plan -f lead.yaml --detail --effective --unchanged: Ad system (UTM_SOURCE), Ad campaign UTM (UTM_CAMPAIGN)
plan -f lead.yaml --detail --effective --unchanged: Source information (SOURCE_DESCRIPTION), Available to everyone (OPENED),
plan -f lead.yaml --detail --effective --unchanged: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
plan -f lead.yaml --detail --effective --unchanged: [For the first call]
plan -f lead.yaml --detail --effective --unchanged: [For the first call]
plan -f lead.yaml --detail --effective --unchanged: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
show last --output markdown: - sales-back-to-standard: New lead form since 1 November
restore last --all --detail --auto-approve: +section main "All on one page"
restore last --all --detail --auto-approve: +section main "About the lead"
restore last --all --detail --auto-approve: +section call "For the first call"
restore last --all --detail --auto-approve: +section main "All on one page"
restore last --all --detail --auto-approve: +section main "All on one page"
restore last --all --detail --auto-approve: +section call "For the first call"
demo: $ recard demo --manifest > quickstart.yaml
demo: reason: "New lead form since 1 November"
demo: except: { ids: [7] } # the head of Sales keeps her card
demo: $ recard plan --emulator quickstart.yaml --detail
demo: Available to everyone (OPENED), Responsible person (ASSIGNED_BY_ID),
demo: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
demo: Source information (SOURCE_DESCRIPTION), Available to everyone (OPENED),
demo: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
demo: Source information (SOURCE_DESCRIPTION), Available to everyone (OPENED),
demo: Hall of the fair (UF_CRM_1712345678), UF_CRM_1798765432,
demo: Ad system (UTM_SOURCE), Ad campaign UTM (UTM_CAMPAIGN)
demo: Source information (SOURCE_DESCRIPTION), Available to everyone (OPENED),
demo: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
demo: [For the first call]
demo: [For the first call]
demo: Stand at the fair (UF_CRM_1712345679), Hall of the fair (UF_CRM_1712345678),
demo: $ recard apply --emulator quickstart.yaml --auto-approve
demo: $ recard plan --emulator quickstart.yaml
demo: $ recard restore last --all --auto-approve --emulator
"#]]
    );
    assert_eq!(kept(two.english.path()), kept(two.russian.path()));
}

/// The names of all that a store keeps, with what differs from run to run made alike. Nothing of it
/// is in Russian: it is read back by programs, perhaps in another language.
fn kept(folder: &Path) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    let mut folders = vec![folder.join(".recard")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(
                !is_russian(&text) || path.ends_with("embedded.json"),
                "{}: {text}",
                path.display()
            );
            kept.insert(steady(&path.strip_prefix(folder).unwrap().display().to_string()));
        }
    }
    let of_run = |end: &str| kept.iter().any(|name| name.ends_with(end));
    assert!(
        ["journal.jsonl", "backups.jsonl", "plan.json", "audit.jsonl"].into_iter().all(of_run),
        "{kept:?}"
    );
    kept
}
