//! Fleet of emulated portals, to try the commands with: manifest, shared card, and secrets.

use std::fmt::Write as _;
use std::path::Path;

use bitrix24_emulator::Portal;

use crate::cli::error::CliError;
use crate::model::PortalId;
use crate::store::write_whole;

/// Number of portals of the first wave.
const CANARIES: usize = 2;

const HEAD: &str = "\
apiVersion: recard/v1
kind: Fleet
metadata: { name: emulated, reason: To try a fleet }
spec:
  defaults:
    manifests: [standard-card.yaml]
    webhook: { file: \"{portal}\" }
  portals:
";

const TAIL: &str = "  waves:
    - { name: canary, select: { ring: canary } }
    - { name: rest }
  stop: { failed: 3 }
";

const CARD: &str = "\
apiVersion: recard/v1
kind: LeadCardReset
metadata: { name: standard-card, reason: Standard lead card }
spec:
  personal:
    - users: { value: people }
      leadCustomerTypes: [simple, repeat]
";

/// Writes a fleet of portals into a folder: `fleet.yaml`, `standard-card.yaml` and the folder
/// `secrets`.
pub(in crate::cli) fn write(folder: &Path, portals: &[Portal]) -> Result<(), CliError> {
    let secrets = folder.join("secrets");
    std::fs::create_dir_all(&secrets).map_err(|problem| {
        CliError::general(tr!("cannot make {}: {problem}", secrets.display(), problem))
    })?;
    let mut fleet = HEAD.to_owned();
    for (index, portal) in portals.iter().enumerate() {
        let host = portal.host();
        // Writing to a string cannot fail.
        let _ = writeln!(fleet, "    - portal: \"{host}\"");
        if index < CANARIES {
            fleet.push_str("      labels: { ring: canary }\n");
        }
        fleet.push_str("      values: { people: { ids: [8, 12] } }\n");
        let name = PortalId::new(host)
            .map_err(|problem| CliError::general(tr!("this is no portal: {problem}", problem)))?;
        if let Some(webhook) = portal.webhook_url(1) {
            write_whole(&secrets.join(name.folder_name()), webhook.as_bytes())?;
        }
    }
    fleet.push_str(TAIL);
    write_whole(&folder.join("standard-card.yaml"), CARD.as_bytes())?;
    Ok(write_whole(&folder.join("fleet.yaml"), fleet.as_bytes())?)
}
