//! Filters of a restore: what the run does not have is an error, and never nothing to do.

use crate::support::env::TestEnv;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn common_card_of_a_kind_that_the_run_lacks_is_an_error() {
    let env = TestEnv::start().await;
    let portal = env.portal();
    env.file(
        "cards.yaml",
        &format!(
            "apiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
             \"{portal}\"\n  personal:\n    - users: {{ ids: [7, 12] }}\n      cards: [deal: {{ pipelines: [0] }}]\n  common:\n    \
             cards: [deal: {{ pipelines: [3] }}]\n  guards: {{ acknowledge: {{ common: [deal/3] }} }}\n"
        ),
    );
    let applied = env.run(&["apply", "cards.yaml", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    let before = env.rows();
    for more in ["--plan", "--auto-approve"] {
        let ended = env.run(&["restore", "last", "--common", "--card", "deal/0", more]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("has no common card deal/0"), "{ended:?}");
    }
    assert_eq!(env.rows(), before);
    let restored = env.run(&["restore", "last", "--common", "--card", "deal/3", "--auto-approve"]);
    assert!(restored.code == 0 && restored.stdout.contains("Done: 1 of 1"), "{restored:?}");
}
