//! Links the payload as the hypervisor is linked, after the root `linker.ld`.

use std::path::Path;

fn main() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../linker.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    for arg in [
        "-pie",
        "--no-dynamic-linker",
        "--orphan-handling=error",
        "-znorelro",
        "-zmax-page-size=4096",
        "--build-id=none",
    ] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
    println!("cargo:rustc-link-arg-bins=-T{}", script.display());
}
