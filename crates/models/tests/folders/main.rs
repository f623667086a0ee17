//! Model folders: a second implementation as judge, and every way a folder can be bad.

mod cross;
mod embed;
mod static_tokens;
mod tiny;
