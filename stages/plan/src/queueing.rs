use sbt_schemas::WorkloadRow;

/// What the queueing model knows of a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Variability {
    /// Squared coefficient of variation of the gaps between arrivals.
    arrivals: f64,
    /// The same of the service times, taken as that of the output lengths.
    service: f64,
}

impl Variability {
    /// Of one draw.
    pub(crate) fn of(workload: &[WorkloadRow], draw: u64) -> Self {
        let rows: Vec<&WorkloadRow> = workload.iter().filter(|row| row.draw == draw).collect();
        let mut arrivals: Vec<f64> = rows.iter().filter_map(|row| row.arrival_s).collect();
        arrivals.sort_by(f64::total_cmp);
        let gaps = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
        let outputs = rows.iter().map(|row| row.output_tokens as f64);
        Self {
            arrivals: squared_variation(&gaps.collect::<Vec<f64>>()),
            service: squared_variation(&outputs.collect::<Vec<f64>>()),
        }
    }

    /// Mean wait in a queue before `places` servers (Allen and Cunneen 1978, M/G/c scaled by the
    /// variabilities), s; none at or beyond their capacity. A sanity line: places of an engine
    /// slow one another, servers of this model do not.
    pub(crate) fn wait_s(self, places: u64, rps: f64, service_s: f64) -> Option<f64> {
        let load = rps * service_s;
        let places = places as f64;
        if load.is_nan() || load >= places {
            return None;
        }
        let spread = (self.arrivals + self.service) / 2.0;
        Some(erlang_c(places, load) / (places - load) * spread * service_s)
    }
}

/// Probability that all of some servers are busy, for a load in Erlangs below their number.
fn erlang_c(servers: f64, load: f64) -> f64 {
    // Erlang B by its recursion, which neither overflows nor cancels.
    let blocked = (1..=servers as u64).fold(1.0, |blocked, n| {
        load * blocked / (n as f64 + load * blocked)
    });
    blocked / (1.0 - load / servers * (1.0 - blocked))
}

fn squared_variation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    if mean > 0.0 {
        variance / (mean * mean)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POISSON: Variability = Variability {
        arrivals: 1.0,
        service: 1.0,
    };

    #[test]
    fn one_exponential_server_is_the_textbook_queue() {
        // M/M/1 at 0.8: Wq = rho / (mu - lambda) = 0.8 / 0.2.
        let wait = POISSON.wait_s(1, 0.8, 1.0).unwrap();
        assert!((wait - 4.0).abs() < 1e-9, "{wait}");
        let fixed = Variability {
            service: 0.0,
            ..POISSON
        };
        assert!((fixed.wait_s(1, 0.8, 1.0).unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn several_servers_wait_less_and_none_beyond_capacity() {
        // M/M/2 at 0.8 each: C = 0.7111, Wq = C / (2 - 1.6) = 1.7778.
        let two = POISSON.wait_s(2, 1.6, 1.0).unwrap();
        assert!((two - 1.777_8).abs() < 1e-3, "{two}");
        assert_eq!(POISSON.wait_s(2, 2.0, 1.0), None);
    }
}
