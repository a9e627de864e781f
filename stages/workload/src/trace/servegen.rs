use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use rand_distr::{Gamma, Weibull};

use super::cut::{servable, take_draw};
use super::format::Content;
use super::lengths::Lengths;
use super::record::{Column, Record, csv_records};
use super::recorded::sessions;
use super::{Cut, Request, TraceError};
use crate::params::{Sample, WorkloadParams};
use crate::session::Session;
use crate::streams::Streams;

/// Length of a window where the file has only one: that of ServeGen's own data.
const WINDOW_S: u64 = 600;

/// A ServeGen model: for each window of time, how many requests each client sends, and how they
/// follow each other. Of a fit, only the shape is used: the number of requests was counted, while
/// the mean of a fitted distribution is off by more than a factor of 2 in one row of twenty.
#[derive(Debug)]
pub(crate) struct ServeGen {
    file: String,
    windows: BTreeMap<u64, Vec<Client>>,
    window_s: u64,
    lengths: Lengths,
}

/// A client that is active in a window.
#[derive(Debug)]
struct Client {
    id: u64,
    requests: u64,
    gap: Gap,
}

/// The distribution of the time between two requests, but for its scale.
#[derive(Debug)]
enum Gap {
    Gamma(Gamma<f64>),
    Weibull(Weibull<f64>),
}

impl Gap {
    fn sample(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Gamma(gamma) => rng.sample(gamma),
            Self::Weibull(weibull) => rng.sample(weibull),
        }
    }
}

impl Client {
    /// Where in the window its requests come, from 0 to 1: the gaps before, between and after
    /// them fill it.
    fn places(&self, rng: &mut impl Rng) -> Vec<f64> {
        let mut sum = 0.0;
        let mut places: Vec<f64> = (0..self.requests)
            .map(|_| {
                sum += self.gap.sample(rng);
                sum
            })
            .collect();
        // very small shapes underflow to gaps of 0
        let whole = (sum + self.gap.sample(rng)).max(f64::MIN_POSITIVE);
        places.iter_mut().for_each(|place| *place /= whole);
        places
    }
}

impl ServeGen {
    /// Reads the rates, and the lengths of one category.
    pub(crate) fn read(
        trace: &Content,
        lengths: &Content,
        category: &str,
    ) -> Result<Self, TraceError> {
        let rates = read_rates(trace)?;
        let starts: Vec<u64> = rates.keys().copied().collect();
        let steps = starts.windows(2).map(|pair| pair[1] - pair[0]);
        let window_s = steps.min().unwrap_or(WINDOW_S);
        let client = |(id, rate_rps, gap): Rate| Client {
            id,
            requests: (rate_rps * window_s as f64).round() as u64,
            gap,
        };
        let clients = |rates: Vec<Rate>| rates.into_iter().map(client).collect();
        Ok(Self {
            file: trace.name.clone(),
            windows: rates
                .into_iter()
                .map(|(start_s, rates)| (start_s, clients(rates)))
                .collect(),
            window_s,
            lengths: Lengths::read(lengths, category)?,
        })
    }

    /// One draw per stream of random numbers, each of the same part of the model.
    pub(crate) fn draws(&self, params: &WorkloadParams) -> Result<Cut, TraceError> {
        let (mut draws, mut warnings) = (Vec::new(), Vec::new());
        for draw in 0..params.draws {
            let streams = Streams {
                seed: params.seed,
                draw,
            };
            let (sessions, warned) = self.draw(params, streams)?;
            draws.push(sessions);
            warnings.extend(
                warned
                    .into_iter()
                    .map(|text| format!("{text}, in draw {draw}")),
            );
        }
        Ok(Cut { draws, warnings })
    }

    fn draw(
        &self,
        params: &WorkloadParams,
        streams: Streams,
    ) -> Result<(Vec<Session>, Vec<String>), TraceError> {
        let mut drawing = Drawing::new(self, params, streams);
        let (mut kept, mut dropped) = (Vec::new(), 0);
        for (&start_s, clients) in &self.windows {
            let made = drawing.window(start_s, clients);
            let count = made.len();
            let (fit, _) = servable(&self.file, made, params);
            dropped += count - fit.len();
            kept.extend(fit);
            if kept.len() as u64 >= params.requests {
                break;
            }
        }
        let found = kept.len() as u64;
        let sessions = take_draw(&mut sessions(kept).into_iter(), params.requests);
        let sessions = sessions.ok_or_else(|| TraceError::TooShort {
            file: self.file.clone(),
            found,
            requests: params.requests,
            draws: 1,
        })?;
        let warning = format!(
            "{}: left out {dropped} requests longer than `max_prompt_tokens` or `max_output_tokens`",
            self.file
        );
        Ok((
            sessions,
            (dropped > 0).then_some(warning).into_iter().collect(),
        ))
    }
}

/// One draw in the making.
struct Drawing<'a> {
    model: &'a ServeGen,
    params: &'a WorkloadParams,
    seen: u64,
    arrivals: ChaCha8Rng,
    sample: ChaCha8Rng,
    prompts: ChaCha8Rng,
    outputs: ChaCha8Rng,
}

impl<'a> Drawing<'a> {
    fn new(model: &'a ServeGen, params: &'a WorkloadParams, streams: Streams) -> Self {
        Self {
            model,
            params,
            seen: 0,
            arrivals: streams.rng("arrivals"),
            sample: streams.rng("sample"),
            prompts: streams.rng("prompts"),
            outputs: streams.rng("outputs"),
        }
    }

    /// The chosen requests of one window, in order of time.
    fn window(&mut self, start_s: u64, clients: &[Client]) -> Vec<Request> {
        let end_s = (start_s + self.model.window_s) as f64;
        if !self.params.window.overlaps(start_s as f64, end_s) {
            return Vec::new();
        }
        let mut sends: Vec<(f64, u64)> = Vec::new();
        for client in clients {
            let times = client.places(&mut self.arrivals).into_iter();
            let times = times.map(|place| start_s as f64 + place * self.model.window_s as f64);
            sends.extend(times.map(|time_s| (time_s, client.id)));
        }
        sends.retain(|(time_s, _)| self.params.window.holds(*time_s));
        sends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        sends.retain(|_| self.is_sampled());
        let requests = sends
            .into_iter()
            .map(|(time_s, client)| self.request(time_s, client));
        requests.collect()
    }

    fn is_sampled(&mut self) -> bool {
        self.seen += 1;
        match self.params.sample {
            None => true,
            Some(Sample::Fraction(fraction)) => self.sample.random::<f64>() < fraction,
            Some(Sample::Every(n)) => (self.seen - 1).is_multiple_of(n),
        }
    }

    fn request(&mut self, time_s: f64, client: u64) -> Request {
        let lengths = self.model.lengths.of(client, time_s);
        Request {
            arrival_s: time_s,
            prompt_tokens: lengths.prompt.pick(&mut self.prompts),
            output_tokens: lengths.output.pick(&mut self.outputs),
            category: self.model.lengths.category().to_owned(),
            ..Request::default()
        }
    }
}

/// An active client of a window, before the length of a window is known.
type Rate = (u64, f64, Gap);

fn read_rates(trace: &Content) -> Result<BTreeMap<u64, Vec<Rate>>, TraceError> {
    let records = csv_records(&trace.name, &trace.bytes)?;
    let header = &records.header;
    let id = header.need("client_id")?;
    let start = header.need("window_start_s")?;
    let rate = header.need("rate_rps")?;
    let pattern = header.need("pattern")?;
    let shape = header.need("param1")?;
    let mut windows: BTreeMap<u64, Vec<Rate>> = BTreeMap::new();
    for record in records.rows {
        let record = record?;
        let clients = windows.entry(record.whole(start)?).or_default();
        if let Some(gap) = gap(&record, pattern, shape)? {
            clients.push((record.whole(id)?, record.number(rate)?, gap));
        }
    }
    Ok(windows)
}

/// The gaps of a row; none where the client is idle.
fn gap(record: &Record, pattern: Column, shape: Column) -> Result<Option<Gap>, TraceError> {
    if record.text(pattern).is_empty() {
        return Ok(None);
    }
    let k = record.number(shape)?;
    let gap = match record.text(pattern) {
        "Gamma" => Gamma::new(k, 1.0).ok().map(Gap::Gamma),
        "Weibull" => Weibull::new(1.0, k).ok().map(Gap::Weibull),
        _ => return Err(record.unexpected(pattern, "`Gamma`, `Weibull`, or nothing when idle")),
    };
    let gap = gap.ok_or_else(|| record.unexpected(shape, "a shape above 0"))?;
    Ok(Some(gap))
}
