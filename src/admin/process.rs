//! What the kernel says about this process. Cheap enough for every scrape: two small reads, no directory walk.

use std::fs;

/// Bytes of memory that are resident; `None` where /proc does not say.
pub(super) fn resident_bytes() -> Option<u64> {
    parse_resident(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Open descriptors. Kernels from 6.2 on give their number as the size of the directory; counting the entries
/// would cost as much as there are connections, so older ones say nothing.
pub(super) fn open_descriptors() -> Option<u64> {
    fs::metadata("/proc/self/fd").ok().map(|meta| meta.len()).filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(
            parse_resident("VmPeak:\t  9 kB\nVmRSS:\t    1540 kB\nRssAnon:\t1 kB\n"),
            Some(1540 * 1024)
        );
        assert_eq!(parse_resident("Name:\tx\n"), None);
        assert!(resident_bytes().is_none_or(|bytes| bytes > 100_000));
    }
}
