//! Plays the stories that lie beside the pure modules: scripts as text, with what happens written below each step.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --lib` writes what happens into the files, for a person to read.

use std::path::Path;

/// Plays every story in the folder, each from the beginning.
pub(crate) fn tell_all<R: goldenscript::Runner>(folder: &str, begin: impl Fn() -> R) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no stories in {}", folder.display());
    for path in paths {
        println!("{}", path.display());
        goldenscript::run(&mut begin(), &path).unwrap();
    }
}
