use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

const MB: f64 = 1e6;
const MILLIWATTS: f64 = 1e3;
const PERCENT: f64 = 100.0;

/// The GPUs of a server, read by NVIDIA's management library.
pub struct Gpus {
    nvml: Nvml,
    indices: Vec<u32>,
}

/// What a measurement on GPUs depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuIdentity {
    /// Names, such as `NVIDIA H100 80GB HBM3`, in the order of their indices.
    pub names: Vec<String>,
    /// Version of the driver.
    pub driver: String,
}

/// GPUs at one moment, taken together. What a GPU does not tell is left out; null when none does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GpuLevels {
    /// Device memory in use on the fullest GPU, 10^6 bytes.
    pub vram_mb: Option<f64>,
    /// Share of the time in which the busiest GPU worked.
    pub gpu_use: Option<f64>,
    /// Power of all GPUs together, W.
    pub power_w: Option<f64>,
    /// Temperature of the hottest GPU, degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Clock of the slowest GPU's streaming multiprocessors, MHz.
    pub sm_clock_mhz: Option<f64>,
    /// Why GPUs run slower than they could: NVML's reasons in lower case, with commas; empty for
    /// none. Idleness is no reason.
    pub throttle: Option<String>,
}

/// One GPU at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    vram_mb: Option<f64>,
    gpu_use: Option<f64>,
    power_w: Option<f64>,
    temperature_c: Option<f64>,
    sm_clock_mhz: Option<f64>,
    throttle: Option<ThrottleReasons>,
}

impl Gpus {
    /// Opens GPUs by index; all of the machine when `indices` is empty.
    ///
    /// # Errors
    /// When there is no driver, no GPU, or none of an index: one sentence for people. Everything
    /// else can go on without.
    pub fn open(indices: &[u32]) -> Result<Self, String> {
        let nvml = Nvml::init().map_err(|error| {
            let absent = matches!(error, NvmlError::LibloadingError(_));
            let library = "NVIDIA's management library is not installed".to_owned();
            let reason = if absent { library } else { error.to_string() };
            format!("no GPU is read: {reason}")
        })?;
        let count = nvml.device_count();
        let count = count.map_err(|error| format!("no GPU is read: {error}"))?;
        let indices = if indices.is_empty() {
            (0..count).collect()
        } else {
            indices.to_vec()
        };
        if indices.is_empty() {
            return Err("no GPU is read: the driver reports none".to_owned());
        }
        if let Some(beyond) = indices.iter().find(|&&index| index >= count) {
            return Err(format!(
                "no GPU is read: {beyond} is not among the {count} GPUs"
            ));
        }
        Ok(Self { nvml, indices })
    }

    /// Names and driver, for the identity of a measurement.
    #[must_use]
    pub fn identity(&self) -> GpuIdentity {
        let unknown = || "unknown".to_owned();
        let name = |device: Option<Device>| device.and_then(|device| device.name().ok());
        GpuIdentity {
            names: self
                .devices()
                .map(|d| name(d).unwrap_or_else(unknown))
                .collect(),
            driver: self.nvml.sys_driver_version().unwrap_or_else(|_| unknown()),
        }
    }

    /// The levels now.
    #[must_use]
    pub fn levels(&self) -> GpuLevels {
        let levels = self.devices().flatten().map(|device| Level::read(&device));
        GpuLevels::of(&levels.collect::<Vec<_>>())
    }

    /// Memory in use on each GPU, 10^6 bytes.
    pub(crate) fn memory_mb(&self) -> Vec<Option<f64>> {
        let levels = self.devices().map(|device| Level::read(&device?).vram_mb);
        levels.collect()
    }

    fn devices(&self) -> impl Iterator<Item = Option<Device<'_>>> {
        let device = |&index| self.nvml.device_by_index(index).ok();
        self.indices.iter().map(device)
    }
}

impl Level {
    fn read(device: &Device) -> Self {
        let milliwatts = device.power_usage().ok().map(f64::from);
        let percent = device
            .utilization_rates()
            .ok()
            .map(|use_| f64::from(use_.gpu));
        Self {
            vram_mb: device
                .memory_info()
                .ok()
                .map(|memory| memory.used as f64 / MB),
            gpu_use: percent.map(|percent| percent / PERCENT),
            power_w: milliwatts.map(|power| power / MILLIWATTS),
            temperature_c: device
                .temperature(TemperatureSensor::Gpu)
                .ok()
                .map(f64::from),
            sm_clock_mhz: device.clock_info(Clock::SM).ok().map(f64::from),
            throttle: device.current_throttle_reasons().ok(),
        }
    }
}

impl GpuLevels {
    fn of(levels: &[Level]) -> Self {
        let fold = |field: fn(&Level) -> Option<f64>, join: fn(f64, f64) -> f64| {
            levels.iter().filter_map(field).reduce(join)
        };
        let reasons = levels.iter().filter_map(|level| level.throttle);
        Self {
            vram_mb: fold(|l| l.vram_mb, f64::max),
            gpu_use: fold(|l| l.gpu_use, f64::max),
            power_w: fold(|l| l.power_w, |a, b| a + b),
            temperature_c: fold(|l| l.temperature_c, f64::max),
            sm_clock_mhz: fold(|l| l.sm_clock_mhz, f64::min),
            throttle: reasons.reduce(|a, b| a | b).map(words),
        }
    }
}

fn words(reasons: ThrottleReasons) -> String {
    let slowing = reasons - ThrottleReasons::GPU_IDLE;
    let names = slowing.iter_names().map(|(name, _)| name.to_lowercase());
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_take_the_gpu_that_limits() {
        let first = Level {
            vram_mb: Some(70_000.0),
            gpu_use: Some(0.5),
            power_w: Some(300.0),
            temperature_c: Some(60.0),
            sm_clock_mhz: Some(1_980.0),
            throttle: Some(ThrottleReasons::GPU_IDLE | ThrottleReasons::SW_POWER_CAP),
        };
        let second = Level {
            vram_mb: Some(71_000.0),
            gpu_use: Some(0.9),
            power_w: Some(350.0),
            temperature_c: Some(85.0),
            sm_clock_mhz: Some(1_200.0),
            throttle: Some(ThrottleReasons::HW_SLOWDOWN),
        };
        let together = GpuLevels {
            vram_mb: Some(71_000.0),
            gpu_use: Some(0.9),
            power_w: Some(650.0),
            temperature_c: Some(85.0),
            sm_clock_mhz: Some(1_200.0),
            throttle: Some("sw_power_cap,hw_slowdown".to_owned()),
        };
        assert_eq!(GpuLevels::of(&[first, second]), together);
    }

    #[test]
    fn what_a_gpu_does_not_tell_is_null_and_the_rest_stays() {
        let shy = Level {
            vram_mb: Some(5.0),
            ..Level::default()
        };
        let levels = GpuLevels::of(&[shy]);
        assert_eq!((levels.vram_mb, levels.power_w), (Some(5.0), None));
        assert_eq!(GpuLevels::of(&[]), GpuLevels::default());
    }

    #[test]
    fn idle_gpu_is_not_throttled() {
        assert_eq!(words(ThrottleReasons::GPU_IDLE), "");
    }

    #[test]
    fn absent_gpu_is_one_sentence() {
        match Gpus::open(&[]) {
            Ok(gpus) => assert_eq!(gpus.identity().names.len(), gpus.indices.len()),
            Err(reason) => assert!(reason.starts_with("no GPU is read: "), "{reason}"),
        }
        assert!(Gpus::open(&[u32::MAX]).is_err());
    }
}
