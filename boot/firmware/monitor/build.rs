//! Links the bare-metal image by `link.ld`; the host-tested library needs nothing.

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    let bare_metal = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    if !bare_metal {
        return;
    }
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-T{root}/link.ld");
    for arg in [
        "--no-dynamic-linker",
        "-z",
        "norelro",
        "--orphan-handling=error",
    ] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
