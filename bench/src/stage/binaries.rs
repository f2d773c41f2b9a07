//! The binaries that are measured: built as they are deployed, before they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use local::functions::Name;

use crate::Failure;

/// Which build of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// What is deployed.
    Deployed,
    /// The same, but targets may be on loopback addresses, and are believed by the word of one
    /// authority of a test.
    Loopback,
}

/// Where Cargo puts releases.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Binaries {
    /// Where they are, without building any.
    pub fn found() -> Result<Self, Failure> {
        Ok(Self { folder: Self::target()?.join("release") })
    }

    /// The folder that Cargo builds in.
    pub fn target() -> Result<PathBuf, Failure> {
        let here = std::env::current_exe()?;
        // …/target/<profile>/bench, or …/target/<profile>/deps/<test>.
        let target = here.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
        Ok(target.ok_or("this is not in a target folder of Cargo's")?.to_owned())
    }

    /// Builds what the functions are measured beside, with AWS-LC as it comes.
    pub fn build_baselines() -> Result<(), Failure> {
        let status = Command::new("cargo")
            .current_dir(root().join("bench/baselines"))
            .env("AWS_LC_SYS_NO_JITTER_ENTROPY", "0")
            .args(["build", "--release", "--locked", "--target-dir"])
            .arg(Self::target()?.join("baselines"))
            .status()?;
        if status.success() { Ok(()) } else { Err("the baselines could not be built".into()) }
    }

    /// Builds them, and says so: it takes minutes the first time.
    pub fn build(builds: &[Build]) -> Result<Self, Failure> {
        let (found, target) = (Self::found()?, Self::target()?);
        for build in builds {
            let packages: &[&str] = match build {
                Build::Deployed => &["ingest", "delivery", "enrich", "sweeper"],
                Build::Loopback => &["tests"],
            };
            let packages = packages.iter().flat_map(|package| ["-p", package]);
            let status = Command::new("cargo")
                .current_dir(root())
                .args(["build", "--release", "--locked", "--bins", "--target-dir"])
                .arg(&target)
                .args(packages)
                .status()?;
            if !status.success() {
                return Err("the functions could not be built; see Cargo's words above".into());
            }
        }
        Ok(found)
    }

    /// The binary of a function.
    #[must_use]
    pub fn of(&self, name: Name, build: Build) -> PathBuf {
        let package = name.package();
        match build {
            Build::Deployed => self.folder.join(package),
            // Neither of these two speaks to a target.
            Build::Loopback if matches!(name, Name::Ingest | Name::Sweeper) => {
                self.folder.join(format!("{package}-process"))
            }
            Build::Loopback => self.folder.join(format!("{package}-believing")),
        }
    }
}
