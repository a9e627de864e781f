use crate::{CachePolicy, Digest, Event, EventSink, Manifest, ObjectFault, Store, StoreError};

/// The result under a key, every object of it checked. What is damaged is said, set aside, and
/// counts as not there.
pub(crate) fn lookup(
    store: &Store,
    key: &Digest,
    events: &dyn EventSink,
) -> Result<Option<Manifest>, StoreError> {
    let manifest = match store.manifest(key) {
        Ok(manifest) => manifest,
        Err(ObjectFault::Missing) => return Ok(None),
        Err(ObjectFault::Corrupt) => {
            store.quarantine(&store.manifest_path(key))?;
            tell(events, format!("manifest {}", key.short()));
            return Ok(None);
        }
    };
    let mut whole = true;
    for digest in manifest.objects() {
        let Err(fault) = store.check(&digest) else {
            continue;
        };
        whole = false;
        if fault == ObjectFault::Corrupt {
            store.quarantine(&store.object_path(&digest))?;
        }
        tell(
            events,
            format!("object {} of stage {}", digest.short(), manifest.stage),
        );
    }
    if !whole {
        store.quarantine(&store.manifest_path(key))?;
        return Ok(None);
    }
    Ok(Some(manifest))
}

fn tell(events: &dyn EventSink, what: String) {
    events.event(&Event::CacheCorrupt {
        what,
        action: "set aside and made again".to_owned(),
    });
}

/// Whether a stored result is fresh enough for a policy.
pub(crate) fn fresh(manifest: &Manifest, policy: CachePolicy, now: jiff::Timestamp) -> bool {
    match (policy, &manifest.measured_at) {
        (CachePolicy::Use, _) => true,
        (CachePolicy::Off, _) => false,
        // What is computed does not age.
        (CachePolicy::MaxAge(_), None) => true,
        (CachePolicy::MaxAge(limit), Some(at)) => at
            .parse::<jiff::Timestamp>()
            .is_ok_and(|at| now.duration_since(at).unsigned_abs() <= limit),
    }
}
