use std::collections::BTreeMap;

use rand::Rng;

use super::TraceError;
use super::format::Content;
use super::record::csv_records;
use crate::weighted::Weighted;

/// Length distributions of one category of ServeGen, by client and time. Prompt and answer are
/// independent of each other, since the data has only their marginal distributions.
#[derive(Debug)]
pub(crate) struct Lengths {
    category: String,
    clients: Vec<(u64, BTreeMap<u64, Pair>)>,
}

/// Distributions of the tokens of prompt and answer.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) prompt: Tokens,
    pub(crate) output: Tokens,
}

/// A distribution of token counts.
#[derive(Debug)]
pub(crate) struct Tokens {
    counts: Vec<u64>,
    choice: Weighted,
}

/// Token counts and their probabilities.
type Counts = Vec<(u64, f64)>;

impl Tokens {
    fn new(counts: &[(u64, f64)]) -> Self {
        Self {
            counts: counts.iter().map(|(count, _)| *count).collect(),
            choice: Weighted::new(counts.iter().map(|(_, probability)| *probability)),
        }
    }

    /// One count.
    pub(crate) fn pick(&self, rng: &mut impl Rng) -> u64 {
        self.counts[self.choice.pick(rng)]
    }
}

impl Lengths {
    /// Name of the category.
    pub(crate) fn category(&self) -> &str {
        &self.category
    }

    /// The lengths of a client at a time: those of its newest window so far, else of its first.
    /// A client that the file does not have gets those of one that it has.
    pub(crate) fn of(&self, client: u64, time_s: f64) -> &Pair {
        let own = self.clients.binary_search_by_key(&client, |(id, _)| *id);
        let stand_in = client % self.clients.len() as u64;
        let index = own.unwrap_or(stand_in as usize);
        let windows = &self.clients[index].1;
        let newest = windows.range(..=time_s.max(0.0) as u64).next_back();
        let window = newest.or_else(|| windows.first_key_value());
        window.expect("a client is known by its windows").1
    }

    /// Reads one category; the only one when none is named.
    pub(crate) fn read(content: &Content, category: &str) -> Result<Self, TraceError> {
        let mut categories = read_categories(content)?;
        let names: Vec<String> = categories.keys().map(|name| format!("`{name}`")).collect();
        let name = match (category, categories.first_key_value()) {
            ("", Some((only, _))) if categories.len() == 1 => only.clone(),
            (named, _) => named.to_owned(),
        };
        let windows = categories.remove(&name).ok_or_else(|| TraceError::File {
            file: content.name.clone(),
            problem: format!(
                "has no category `{name}`: set `lengths_category` to one of {}",
                names.join(", ")
            ),
        })?;
        Ok(Self {
            category: name,
            clients: by_client(windows).into_iter().collect(),
        })
    }
}

/// Counts of prompt and answer by (client, window).
type Windows = BTreeMap<(u64, u64), (Counts, Counts)>;

fn by_client(windows: Windows) -> BTreeMap<u64, BTreeMap<u64, Pair>> {
    let mut clients: BTreeMap<u64, BTreeMap<u64, Pair>> = BTreeMap::new();
    for ((client, start_s), (prompt, output)) in windows {
        let pair = Pair {
            prompt: Tokens::new(&prompt),
            output: Tokens::new(&output),
        };
        clients.entry(client).or_default().insert(start_s, pair);
    }
    clients
}

fn read_categories(content: &Content) -> Result<BTreeMap<String, Windows>, TraceError> {
    let records = csv_records(&content.name, &content.bytes)?;
    let header = &records.header;
    let category = header.need("category")?;
    let client = header.need("client_id")?;
    let start = header.need("window_start_s")?;
    let field = header.need("field")?;
    let tokens = header.need("tokens")?;
    let probability = header.need("probability")?;
    let mut categories: BTreeMap<String, Windows> = BTreeMap::new();
    for record in records.rows {
        let record = record?;
        let windows = match categories.get_mut(record.text(category)) {
            Some(windows) => windows,
            None => categories
                .entry(record.text(category).to_owned())
                .or_default(),
        };
        let window = (record.whole(client)?, record.whole(start)?);
        let (prompt, output) = windows.entry(window).or_default();
        let counts = match record.text(field) {
            "input_tokens" => prompt,
            "output_tokens" => output,
            _ => continue,
        };
        let weight = record.number(probability)?;
        if weight > 0.0 {
            counts.push((record.whole(tokens)?.max(1), weight));
        }
    }
    for windows in categories.values_mut() {
        windows.retain(|_, (prompt, output)| !prompt.is_empty() && !output.is_empty());
    }
    categories.retain(|_, windows| !windows.is_empty());
    Ok(categories)
}
