//! One line on standard error that says what is going on, when somebody looks.

use std::io::{IsTerminal as _, Write as _, stderr};

/// Replaces the line.
pub fn show(what: &str) {
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r\x1b[K{what}");
    }
}

/// Removes the line.
pub fn clear() {
    show("");
}
