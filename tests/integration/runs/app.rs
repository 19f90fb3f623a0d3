//! The use cases as a library: two portals are planned and applied at the same time in one process.

use recard::app::{self, ApplyOptions, ManifestSet, PlanOptions, Session};
use recard::emulator::Emulator;
use recard::manifest::{Declaration, Source, load};
use recard::plan::BlindReset;

use crate::support::session::{Silent, session};

/// One portal with its store.
struct Tenant {
    emulator: Emulator,
    session: Session,
    declaration: Declaration,
    _store: tempfile::TempDir,
}

impl Tenant {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let store = tempfile::tempdir().unwrap();
        let session = session(&emulator, store.path(), 1).await;
        let name = session.store.portal();
        let text = format!(
            "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: t, reason: r }}\nspec:\n  \
             portal: \"{name}\"\n  personal:\n    - users: {{ ids: [8, 12] }}\n      \
             leadCustomerTypes: [simple]\n"
        );
        let source = Source { name: "t.yaml".into(), bytes: text.into() };
        let declaration = load(&[source]).declaration.unwrap();
        Self { emulator, session, declaration, _store: store }
    }

    /// Plans, applies and plans again. Returns the number of resets of each.
    async fn life(&self) -> [u32; 3] {
        let files = [("t".to_owned(), "t.yaml".to_owned())];
        let manifests = ManifestSet { declaration: &self.declaration, files: &files };
        let options = PlanOptions { blind: BlindReset::Never, ..PlanOptions::default() };
        let planned = app::plan(&self.session, manifests, &options, &Silent).await.unwrap();
        let apply = ApplyOptions::default();
        let applied = app::apply(&self.session, manifests, &apply, &Silent, &Silent).await.unwrap();
        let again = app::plan(&self.session, manifests, &options, &Silent).await.unwrap();
        let run = applied.run.unwrap();
        assert!(run.failure.is_none() && run.unsaved.is_none());
        [planned.plan.counts().reset, run.report.totals.done, again.plan.counts().reset]
    }
}

#[tokio::test]
async fn app_two_portals_at_the_same_time_do_not_touch_each_other() {
    let (one, other) = (Tenant::new().await, Tenant::new().await);
    assert_ne!(one.session.store.portal(), other.session.store.portal());
    let (first, second) = tokio::join!(one.life(), other.life());
    assert_eq!((first, second), ([2, 2, 0], [2, 2, 0]));
    for tenant in [&one, &other] {
        assert_eq!(tenant.session.store.run_ids().await.unwrap().len(), 1);
        assert_eq!(tenant.emulator.complaints(), []);
    }
}
