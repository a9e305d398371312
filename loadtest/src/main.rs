//! Load generator for Millrace.

fn main() {}
