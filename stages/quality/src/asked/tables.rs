use sbt_engine::{StageContext, StageError};
use sbt_schemas::{QualityItemRow, QualityRow, Row, VerdictRow};

use super::judged::{Judge, Judged};
use super::trial::Trial;
use super::{Asked, rows, verdicts};

impl Asked {
    /// Writes what was found out.
    pub(super) fn write(
        &self,
        ctx: &StageContext,
        judge: &Judge<'_>,
        again: Option<&Judged>,
        judged: &[(&str, Judged)],
    ) -> Result<(), StageError> {
        let (variant, params) = (self.reference.as_str(), &self.params);
        let reference = judge.reference;
        let source = format!(
            "greedy answers of {}, {} at once",
            self.backend.words(),
            params.concurrency
        );
        let items = |variant: &str, run: &str, trial: &Trial, against: Option<&Trial>| {
            rows::items(variant, run, trial, against)
        };
        let mut all_items = items(variant, "reference", reference, None);
        let mut quality = rows::of_reference(variant, reference, &source);
        let mut of_again = Vec::new();
        if let Some(again) = again {
            let items = items(variant, "a_a", &again.trial, Some(reference));
            of_again = rows::of_variant(variant, again, &items, params, &source);
            all_items.extend(items);
        }
        let mut of_variants = Vec::new();
        for (variant, found) in judged {
            let items = items(variant, "candidate", &found.trial, Some(reference));
            let rows = rows::of_variant(variant, found, &items, params, &source);
            all_items.extend(items);
            quality.extend(rows.clone());
            of_variants.push((self.variants[*variant].name.clone(), rows));
        }
        let checks = verdicts::verdicts(&of_again, &of_variants, params.verdicts);
        ctx.write_rows(QualityItemRow::TABLE.name, &all_items)?;
        ctx.write_rows(QualityRow::TABLE.name, &quality)?;
        ctx.write_rows(VerdictRow::TABLE.name, &checks)
    }
}
