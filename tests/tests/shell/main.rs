//! `anchorite shell` with a running daemon: at a terminal (a pty), with a script, on behalf of
//! others; the commands about the box; completion scripts and manual pages.

mod commands;
mod completions;
mod pty;
mod terminal;
