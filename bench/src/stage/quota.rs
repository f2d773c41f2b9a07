//! As much of a processor as Lambda gives a function of some memory: a full one at 1,769 MB, less in
//! proportion below (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

/// The memory with which a function has one processor, in MB.
pub const FULL_MB: u32 = 1_769;

/// How often the scheduler looks at what has been used, in microseconds.
const PERIOD_US: u32 = 20_000;

/// A control group with a quota. Dropped, it is gone.
#[derive(Debug)]
pub struct Quota {
    group: PathBuf,
}

impl Quota {
    /// A new group for functions of this memory. It needs the right to make one: root, as a rule.
    pub fn of(memory_mb: u32) -> Result<Self, Failure> {
        let name = format!("bench-{}-{memory_mb}", std::process::id());
        let quota_us = (PERIOD_US * memory_mb / FULL_MB).max(1_000);
        // Version 1 of control groups has a tree for each resource, version 2 one for all
        // (<https://docs.kernel.org/admin-guide/cgroup-v2.html>).
        let first = Path::new("/sys/fs/cgroup/cpu");
        let quota = if first.join("cpu.cfs_quota_us").exists() {
            let quota = Self::make(&first.join(name))?;
            fs::write(quota.group.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(quota.group.join("cpu.cfs_quota_us"), quota_us.to_string())?;
            quota
        } else {
            let root = Path::new("/sys/fs/cgroup");
            fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
            let quota = Self::make(&root.join(name))?;
            fs::write(quota.group.join("cpu.max"), format!("{quota_us} {PERIOD_US}"))?;
            quota
        };
        Ok(quota)
    }

    fn make(group: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(group)?;
        Ok(Self { group: group.to_owned() })
    }

    /// What starts a process in the group: it is in it before its first instruction.
    #[must_use]
    pub fn tool(&self) -> Vec<OsString> {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.group.display());
        ["sh", "-c", &enter, "sh"].into_iter().map(OsString::from).collect()
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Its processes have ended; an empty group that is left over costs nothing.
        let _ = fs::remove_dir(&self.group);
    }
}
