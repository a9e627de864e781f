use sbt_simulator::Term;

/// Standard deviation of the logarithm of a term's coefficient before anything is measured, around
/// 0: how far the data sheet's terms are from measured kernels (profiles of three models on RTX 4090
/// and RTX PRO 6000), with room for GPUs that were not profiled.
pub(crate) fn prior_sd(term: Term) -> f64 {
    match term {
        // Off by 0.05, at most 0.16; efficiencies of GPUs differ more.
        Term::Linear => 0.1,
        // Short by 0.05 to 0.3 where it matters, in batches of 32 or more.
        Term::DecodeAttention => 0.2,
        // Off by −0.05 to 0.6.
        Term::MixedAttention => 0.4,
        // Long prompts −0.3 to 0.6; short ones are launches, and hardly count.
        Term::PrefillAttention => 0.5,
        Term::Head => 0.1,
        // Links differ, and an all-reduce outside a graph takes 2 to 5 times one inside.
        Term::Communication => 0.5,
        Term::Small => 0.3,
        // In no table: from hardly anything to some 10 ms.
        Term::Ungraphed => 2.0,
        // 0.3 to 0.8 ms a step.
        Term::Host => 0.5,
        // 2 to 4 µs a sequence.
        Term::HostPerSequence => 0.5,
    }
}
