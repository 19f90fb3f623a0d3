//! Bounded reads of files that people name.
//!
//! A name on the command line may lead to a device that never ends, a pipe without a writer, or a
//! file of another kind. Every read therefore has a size limit far above any valid file, and a pipe
//! has a timeout as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Timeout of a pipe until its end. A program that produces a manifest takes seconds.
const PIPE_TIMEOUT: Duration = Duration::from_secs(60);

/// Byte order mark of UTF-8, which editors and shells put in front of a text.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a file that people named, or a pipe. A byte order mark in front of a text is left out.
///
/// # Errors
///
/// If it cannot be read, or holds more than `limit` bytes, or is a pipe whose end does not come
/// within a minute.
pub fn read_whole(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = read_patiently(path, limit, PIPE_TIMEOUT)?;
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    Ok(bytes)
}

/// Reads to the end.
///
/// # Errors
///
/// If it cannot be read, or there are more than `limit` bytes.
pub fn read_to_limit(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    read_into(Vec::new(), from, limit)
}

/// Reads a file of the store. A name that is not a regular file is an error at once.
pub(super) fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_file(path, File::options().read(true))?;
    // The buffer is allocated once, by the reported length. The file may grow meanwhile.
    let room = usize::try_from(file.metadata()?.len().min(limit)).unwrap_or_default();
    read_into(Vec::with_capacity(room), file, limit)
}

/// Opens a regular file without blocking, or creates it if the options say so. A pipe, a device or
/// a folder in its place is an error: a pipe would wait for its other end, and a device may never
/// end.
pub(super) fn open_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let no_file = || Err(io::Error::other("it is not a regular file"));
    // The first check is for devices, where opening alone may have an effect.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return no_file();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    // The second check is of the opened file: the name may lead elsewhere now.
    if file.metadata()?.is_file() { Ok(file) } else { no_file() }
}

fn read_into(mut bytes: Vec<u8>, from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

/// Returns the error for a file that exceeds its limit.
pub(super) fn too_large(limit: u64) -> io::Error {
    let text = format!("it holds more than {}, which is as much as is read of it", Size(limit));
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

fn read_patiently(path: &Path, limit: u64, patience: Duration) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.is_file() {
        return read_file(path, limit);
    }
    // Opening a pipe waits for its other end. A thread that blocks forever ends with the process.
    let (told, result) = mpsc::channel();
    let path = path.to_owned();
    thread::spawn(move || told.send(File::open(path).and_then(|file| read_to_limit(file, limit))));
    result.recv_timeout(patience).unwrap_or_else(|_| {
        let text = format!(
            "it is not a regular file, and its end did not come within {} s",
            patience.as_secs()
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    })
}

/// Number of bytes for display.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            mebibytes if mebibytes >= 1 << 20 && mebibytes.is_multiple_of(1 << 20) => {
                write!(f, "{} MiB", mebibytes >> 20)
            }
            kibibytes if kibibytes >= 1 << 10 && kibibytes.is_multiple_of(1 << 10) => {
                write!(f, "{} KiB", kibibytes >> 10)
            }
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_read_up_to_its_limit_and_not_a_byte_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        crate::store::write_whole(&path, b"12345678").unwrap();
        assert_eq!(read_whole(&path, 8).unwrap(), b"12345678");
        let problem = read_whole(&path, 7).unwrap_err();
        assert_eq!(problem.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(
            problem.to_string(),
            "it holds more than 7 bytes, which is as much as is read of it"
        );
        assert_eq!(
            read_whole(&folder.path().join("none"), 7).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[cfg(unix)]
    #[test]
    fn device_that_never_ends_is_left_at_the_limit() {
        let problem = read_whole(Path::new("/dev/zero"), 8 << 20).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "it holds more than 8 MiB, which is as much as is read of it"
        );
        assert_eq!(read_whole(Path::new("/dev/null"), 1).unwrap(), b"");
    }

    #[cfg(unix)]
    #[test]
    fn pipe_is_read_if_somebody_writes_and_given_up_if_nobody_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let problem = read_patiently(&path, 100, Duration::ZERO).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "it is not a regular file, and its end did not come within 0 s"
        );
        let path = folder.path().join("other");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let writer = {
            let path = path.clone();
            thread::spawn(move || {
                io::Write::write_all(&mut File::options().write(true).open(path).unwrap(), b"text")
            })
        };
        assert_eq!(read_whole(&path, 100).unwrap(), b"text");
        writer.join().unwrap().unwrap();
    }
}
