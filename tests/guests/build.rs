//! Links payloads by `link.ld`; on the host there is nothing to link.

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    let bare_metal = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    if !bare_metal {
        return;
    }
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-T{root}/link.ld");
    println!("cargo::rustc-link-arg-bins=--orphan-handling=error");
    println!("cargo::rustc-link-arg-bins=--no-pie");
}
