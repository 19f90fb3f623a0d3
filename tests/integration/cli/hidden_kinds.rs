//! `--card all` under a webhook that does not see all pipelines: what is left out is said.

use crate::support::env::{CommandOutput, TestEnv};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_all_tells_which_kinds_are_hidden_from_the_caller() {
    let env = TestEnv::start().await;
    let commands: [&[&str]; 3] = [
        &["inventory", "--card", "all"],
        &["export", "--card", "all"],
        &["card", "show", "8", "--card", "all"],
    ];
    // User 9 administers the CRM, and may not read the pipeline 5 of deals.
    let limited = env.emulator().webhook_url(9).unwrap();
    for arguments in commands {
        let mut command = env.command(arguments);
        let ended =
            CommandOutput::of(command.env("RECARD_WEBHOOK_URL", &limited).output().unwrap());
        assert_eq!(ended.code, 0, "{ended:?}");
        for told in ["`all` leaves out pipelines of deals", "may not read: 5", "(RC0411)"] {
            assert!(ended.stderr.contains(told), "{arguments:?}: {ended:?}");
        }
        let all = env.run(arguments);
        assert!(all.code == 0 && !all.stderr.contains("`all`"), "{arguments:?}: {all:?}");
    }
    // Kinds that are named are listed, or are an error.
    let mut command = env.command(&["inventory", "--card", "deal/3"]);
    let named = CommandOutput::of(command.env("RECARD_WEBHOOK_URL", &limited).output().unwrap());
    assert!(named.code == 0 && !named.stderr.contains("`all`"), "{named:?}");
}
