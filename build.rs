//! Says where the app's files are: `frontend/dist` once it has been built, a page that says how until then.

use std::{env, fs, path::PathBuf};

const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Weft</title>\
    <h1>Weft is running without its app</h1><p>Run <code>make run</code>, which builds it.</p></html>\n";

fn main() {
    println!("cargo::rerun-if-changed=frontend/dist");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let built = root.join("frontend/dist");
    let assets = if built.join("index.html").is_file() {
        built
    } else {
        let placeholder = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("placeholder");
        fs::create_dir_all(&placeholder).expect("the build folder can be written");
        fs::write(placeholder.join("index.html"), PLACEHOLDER).expect("the build folder can be written");
        placeholder
    };
    println!("cargo::rustc-env=WEFT_ASSETS={}", assets.display());
}
