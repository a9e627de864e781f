use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sbt_client::{DownloadError, download};
use sbt_engine::{StageContext, StageError};

use crate::params::Params;
use crate::suite::{Family, Item, SuiteSpec, load, shuffled};

/// What is asked, by family: cheap families first, each in an order that the seed fixes, so that
/// any first part of a family is a random one.
pub(super) struct Questions {
    pub(super) families: Vec<(Family, Vec<Item>)>,
}

/// Name of the file of a suite by its place.
pub(super) fn file_name(index: usize) -> String {
    format!("suite {index}")
}

impl Questions {
    /// # Errors
    /// When a suite cannot be read, or holds no item.
    pub(super) fn read(params: &Params, ctx: &StageContext) -> Result<Self, StageError> {
        let mut families: BTreeMap<Family, Vec<Item>> = BTreeMap::new();
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for (index, suite) in params.suites().iter().enumerate() {
            let mut name = suite.name().to_owned();
            let same = names.entry(name.clone()).or_default();
            *same += 1;
            if *same > 1 {
                name = format!("{name}{same}");
            }
            let text = text(suite, index, ctx)?;
            let items = load(suite, &name, text.as_deref(), params.seed);
            let items = items.map_err(|problem| StageError::user(format!("{name}: {problem}")))?;
            for item in items {
                families.entry(item.family).or_default().push(item);
            }
        }
        let mut families: Vec<(Family, Vec<Item>)> = families
            .into_iter()
            .map(|(family, items)| (family, shuffled(items, params.seed)))
            .collect();
        families.sort_by_key(|(_, items)| items.iter().map(cost).sum::<u64>());
        Ok(Self { families })
    }
}

/// What an answer may cost, in tokens generated: a token of the prompt costs a tenth, and has
/// about four letters.
fn cost(item: &Item) -> u64 {
    let letters: usize = item.messages.iter().map(|m| m.content.len()).sum();
    item.max_tokens + letters as u64 / 40
}

/// Content of the file of a suite, where it has one.
fn text(suite: &SuiteSpec, index: usize, ctx: &StageContext) -> Result<Option<String>, StageError> {
    if !suite.path.is_empty() {
        return content(ctx.file(&file_name(index))?).map(Some);
    }
    if suite.url.is_empty() {
        return Ok(None);
    }
    let path = ctx.scratch.join(file_name(index));
    let go_on = |done, total| {
        ctx.progress(done, total, "bytes of the suite");
        !ctx.cancel.is_cancelled()
    };
    match download(&suite.url, &suite.sha256, &path, go_on) {
        Ok(()) => content(&path).map(Some),
        Err(DownloadError::Stopped) => Err(StageError::Cancelled),
        Err(error @ (DownloadError::Failed { .. } | DownloadError::WrongDigest { .. })) => {
            Err(StageError::user(error.to_string()))
        }
    }
}

fn content(path: &Path) -> Result<String, StageError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        let mut text = String::new();
        match bytes.starts_with(&[0x1f, 0x8b]) {
            true => flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?,
            false => bytes.as_slice().read_to_string(&mut text)?,
        };
        Ok(text)
    };
    read().map_err(|source| StageError::Io {
        what: format!("cannot read {}", path.display()),
        source,
    })
}
