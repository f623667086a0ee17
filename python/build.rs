//! Lets the module find the interpreter's symbols when it is loaded, on systems whose linker wants to be told.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
