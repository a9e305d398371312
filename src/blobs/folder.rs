//! Where blobs lie. A folder is one server's alone, which holds a lock on a file in it for as long as it lives; what lies in a folder
//! that nobody holds was left behind by a server that died, and goes. Only files that are named as blobs are ever touched.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::limits::BLOB_FOLDERS_TRIED;

const LOCK: &str = "millrace.lock";
const ENDING: &str = ".blob";
const PRIVATE: &str = "millrace-blobs-";

/// See the module.
pub struct Folder {
    path: PathBuf,
    is_private: bool,
    /// Goes into the names of files, so that no id leads to a name.
    secret: [u8; 32],
    _lock: File,
}

impl Folder {
    /// A folder that the operator has named, without what is left in it.
    ///
    /// # Errors
    /// The system's, or another server uses it.
    pub fn named(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK))?;
        lock.try_lock().map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another server uses it"))?;
        clear(path)?;
        Ok(Self { path: path.into(), is_private: false, secret: random()?, _lock: lock })
    }

    /// A new one that nobody else can look into.
    ///
    /// # Errors
    /// The system's.
    pub fn private() -> io::Result<Self> {
        let mut failed = io::ErrorKind::NotFound.into();
        for _ in 0..BLOB_FOLDERS_TRIED {
            match Self::try_private() {
                Ok(folder) => return Ok(folder),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Fails, too, when another server took the folder for one that was left behind before it was locked.
    fn try_private() -> io::Result<Self> {
        let secret = random()?;
        let path = std::env::temp_dir().join(format!("{PRIVATE}{}", &hex(&Sha256::digest(secret))[..32]));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join(LOCK))?;
        lock.try_lock()?;
        fs::metadata(path.join(LOCK))?;
        Ok(Self { path, is_private: true, secret, _lock: lock })
    }

    /// The file of the `number`th blob, whose id is `id`.
    pub fn file(&self, number: u64, id: &str) -> PathBuf {
        let name =
            Sha256::new().chain_update(self.secret).chain_update(number.to_le_bytes()).chain_update(id);
        self.path.join(hex(&name.finalize()) + ENDING)
    }

    /// Removes every blob, and the folder if it is private.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self) -> io::Result<()> {
        clear(&self.path)?;
        if self.is_private { remove_folder(&self.path) } else { Ok(()) }
    }
}

/// Removes the private folders that servers of this user have left behind. One that cannot be removed is another's, or will be
/// tried by the next.
pub fn remove_leftovers() {
    let Ok(found) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in found.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PRIVATE)) {
        let removed = remove_leftover(&entry.path());
        tracing::debug!(folder = ?entry.path(), ?removed, "a folder of blobs was found");
    }
}

fn remove_leftover(path: &Path) -> io::Result<()> {
    let about = fs::symlink_metadata(path)?;
    let process = fs::metadata("/proc/self")?;
    if !about.is_dir() || about.uid() != process.uid() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let lock = OpenOptions::new().write(true).open(path.join(LOCK))?;
    lock.try_lock()?;
    clear(path)?;
    remove_folder(path)
}

fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_file(path.join(LOCK))?;
    fs::remove_dir(path)
}

/// Removes the blobs of a folder.
fn clear(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if is_blob(&entry.file_name().to_string_lossy()) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file that may be gone already.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_blob(name: &str) -> bool {
    let stem = name.strip_suffix(ENDING).unwrap_or_default();
    stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system has no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_named_folder_loses_old_blobs_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b");
        let first = Folder::named(&path).unwrap();
        fs::write(first.file(1, "x"), "old").unwrap();
        fs::write(path.join("notes.blob"), "not ours").unwrap();
        assert!(Folder::named(&path).is_err(), "two servers would remove each other's blobs");
        drop(first);
        let second = Folder::named(&path).unwrap();
        assert_eq!(names(&path), [LOCK, "notes.blob"]);
        second.remove().unwrap();
        assert!(path.is_dir());
    }

    #[test]
    fn ids_never_reach_names() {
        let folder = Folder::private().unwrap();
        let one = folder.file(1, "../../etc/passwd");
        assert!(one.parent() == Some(&folder.path) && is_blob(one.file_name().unwrap().to_str().unwrap()));
        assert_ne!(one, folder.file(2, "../../etc/passwd"));
        folder.remove().unwrap();
        assert!(!folder.path.exists());
    }

    #[test]
    fn leftovers_go_when_nobody_holds_them() {
        let (held, left) = (Folder::private().unwrap(), Folder::private().unwrap());
        fs::write(left.file(1, "x"), "old").unwrap();
        let path = left.path.clone();
        drop(left);
        remove_leftovers();
        assert!(held.path.is_dir() && !path.exists());
        held.remove().unwrap();
    }
}
