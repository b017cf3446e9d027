//! Checks on the shape of the workspace, from `cargo metadata`.

mod arrows;
mod licences;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::run::{Failure, Progress, root};

/// The arrows between our crates and the licences of everything that is linked.
pub fn all() -> Result<(), Failure> {
    let progress = Progress::start("architecture and licences");
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).other_options(["--locked".to_owned()]).exec()?;
    let wrong = [arrows::wrong(&houses(&metadata)), licences::wrong(&metadata)?].concat();
    if wrong.is_empty() {
        progress.done();
        return Ok(());
    }
    progress.failed();
    wrong.iter().for_each(|line| eprintln!("    {line}"));
    Err("the workspace is not as ARCHITECTURE.md draws it, or links what it must not".into())
}

/// Our crates with what they need of each other.
fn houses(metadata: &Metadata) -> Vec<arrows::Member> {
    let ours = metadata.workspace_packages();
    let is_ours = |name: &str| ours.iter().any(|package| package.name.as_str() == name);
    ours.iter()
        .map(|package| arrows::Member {
            name: package.name.to_string(),
            place: package.manifest_path.strip_prefix(&metadata.workspace_root).unwrap_or(&package.manifest_path).to_string(),
            needs: package
                .dependencies
                .iter()
                .filter(|dependency| is_ours(&dependency.name))
                .map(|dependency| (dependency.name.clone(), dependency.kind == cargo_metadata::DependencyKind::Development))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    /// So that a plain `cargo test` says it too.
    #[test]
    fn the_workspace_has_only_allowed_arrows_and_licences() {
        super::all().expect("see above");
    }
}
