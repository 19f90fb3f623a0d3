//! `recard emulate`: the emulator over HTTP.

use std::io::ErrorKind;
use std::path::Path;

use bitrix24_emulator::{Emulator, EmulatorOptions, Limits, Portal, Release, Seed, Tls};
use serde_json::Value;

use crate::cli::args::EmulateArgs;
use crate::cli::embedded::MAX_STATE_BYTES;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::sample;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::i18n::Text;
use crate::model::decimal;
use crate::report::pretty as json;
use crate::store::{read_whole, write_whole};

/// Serves until a signal.
pub(in crate::cli) async fn run(
    ui: &Ui,
    arguments: &EmulateArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let remote = [arguments.listen, arguments.control]
        .into_iter()
        .find(|address| !address.ip().is_loopback());
    if let Some(address) = remote
        && !arguments.allow_remote
    {
        return Err(CliError::general(tr!("{address} can be reached from other machines", address)).hint(tr!(
            "add --allow-remote if that is wanted: anybody who reaches it can use and control the emulator"
        )));
    }
    let release = match arguments.release.as_deref() {
        None => None,
        Some(name) => {
            Some(name.parse::<Release>().map_err(|problem| CliError::new(exit::USAGE, problem))?)
        }
    };
    let options = EmulatorOptions {
        listen: arguments.listen,
        control: arguments.control,
        seed: seed(&arguments.seed)?,
        release,
        limits: limits(&arguments.limits)?,
        command_time: arguments.command_time,
        tls: tls(arguments)?,
        portals: arguments.portals,
    };
    if let Some(path) = &arguments.ready_file {
        // A process that waits for the file must not find that of an earlier emulator.
        remove(path)?;
    }
    let emulator = Emulator::start_with(options).await.map_err(|problem| match problem.kind() {
        ErrorKind::InvalidData => CliError::general(tr!("the seed {} cannot be used: {problem}", arguments.seed, problem)).hint(tr!(
            "a state is what `GET /state` of the control address returns, or what `--portal embedded:FILE` has written"
        )),
        _ => CliError::general(tr!("the emulator does not start: {problem}", problem)),
    })?;
    if let Some(path) = &arguments.faults {
        set_faults(&emulator, path)?;
    }
    if let (Some(path), Some(authority)) = (&arguments.tls_ca_out, emulator.authority()) {
        write_whole(path, authority.as_bytes())?;
    }
    if let Some(folder) = &arguments.fleet_out {
        sample::write(folder, emulator.portals())?;
    }
    let ready = emulator.ready_document();
    if let Some(path) = &arguments.ready_file {
        write_whole(path, json(&ready).as_bytes())?;
    }
    ui.verbatim(&json(&ready))?;
    ui.note(tr!("serving an emulated portal; every secret in it is made up. End it with Ctrl-C."));
    interrupt.cancelled().await;
    if let Some(path) = &arguments.ready_file {
        remove(path)?;
    }
    emulator.stop().await;
    Ok(exit::DONE)
}

/// Sets a script of faults for every portal, or a script for each portal that it names.
fn set_faults(emulator: &Emulator, path: &Path) -> Result<(), CliError> {
    let script = read(path)?;
    let wrong = |problem: Text| CliError::general(tr!("{}: {problem}", path.display(), problem));
    let set = |portal: &Portal, script: &Value| {
        portal.set_faults(script).map_err(|problem| wrong(problem.to_string().into()))
    };
    let Some(scripts) = script.as_object().filter(|_| !emulator.portals().is_empty()) else {
        let portals = emulator.portals();
        let all = if portals.is_empty() { std::slice::from_ref(&**emulator) } else { portals };
        return all.iter().try_for_each(|portal| set(portal, &script));
    };
    for (name, script) in scripts {
        let is_named = |portal: &&Portal| portal.host().split('.').next() == Some(name.as_str());
        match emulator.portals().iter().find(is_named) {
            Some(portal) => set(portal, script)?,
            None => return Err(wrong(tr!("there is no portal {name}", name))),
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), CliError> {
    match std::fs::remove_file(path) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::general(tr!("cannot remove {}: {problem}", path.display(), problem)))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    read_whole(path, MAX_STATE_BYTES).map_err(|problem| {
        CliError::general(tr!("cannot read {}: {problem}", path.display(), problem))
    })
}

fn tls(arguments: &EmulateArgs) -> Result<Option<Tls>, CliError> {
    match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(chain), Some(key)) => Ok(Some(Tls::Pem { chain: bytes(chain)?, key: bytes(key)? })),
        _ => Ok(arguments.tls.then_some(Tls::SelfSigned)),
    }
}

fn read(path: &Path) -> Result<Value, CliError> {
    serde_json::from_slice(&bytes(path)?).map_err(|problem| {
        CliError::general(tr!("{} is not JSON: {problem}", path.display(), problem))
    })
}

fn seed(text: &str) -> Result<Seed, CliError> {
    match text.parse() {
        Ok(seed) => Ok(seed),
        Err(problem) if text.starts_with("users=") || !Path::new(text).exists() => Err(
            CliError::new(exit::USAGE, tr!("--seed: {problem}; nor is there such a file", problem)),
        ),
        Err(_) => read(Path::new(text)).map(Seed::State),
    }
}

fn limits(text: &str) -> Result<Limits, CliError> {
    match text {
        "off" => Ok(Limits::default()),
        "standard" => Ok(Limits::standard()),
        "enterprise" => Ok(Limits::enterprise()),
        other => own_limits(other).ok_or_else(|| {
            let text = tr!(
                "--limits {other}: there are off, standard, enterprise, X,Y and X,Y,SECONDS",
                other
            );
            CliError::new(exit::USAGE, text).hint(tr!(
                "X requests at once, Y a second, SECONDS of operating time in ten minutes"
            ))
        }),
    }
}

/// Parses limits as numbers: those of the requests, and optionally the operating time.
fn own_limits(text: &str) -> Option<Limits> {
    let numbers: Vec<f64> =
        text.split(',').map(|number| decimal::fraction(number.trim())).collect::<Option<_>>()?;
    let (burst, per_second, operating_seconds) = match numbers.as_slice() {
        [burst, per_second] => (*burst, *per_second, None),
        [burst, per_second, seconds] => (*burst, *per_second, Some(*seconds)),
        _ => return None,
    };
    let usable = numbers.iter().all(|number| *number > 0.0) && burst >= 1.0;
    usable.then(|| Limits {
        rate: Some((burst, per_second)),
        operating_seconds,
        ..Limits::default()
    })
}
