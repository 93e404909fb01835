//! The auditor on any octets: what they say must not depend on how the work
//! was split, nothing panics, and what is approved can be kept and is approved again. Used by the
//! fuzz target and, over mutated good zones, by the auditor's tests.

use audit::{
    Approved, Denial, Difference, Expectations, Horizon, Prepared, PublishedVersion, Sampling,
    Severity, Verdict, Zones,
};

/// Octets before the zones: choices, and where the candidate ends as a fraction of the rest.
pub(crate) const HEAD_OCTETS: usize = 3;

/// The zone that these octets are about.
const APEX: &[u8] = b"\x07example\0";
/// The moment of these audits; signatures of seeds are good then.
const NOW: u64 = 1_800_000_000;

fn expectations(choices: u8) -> Expectations {
    let nsec3 = |opt_out| Denial::Nsec3 {
        hash_algorithm: 1,
        iterations: 1,
        salt: vec![0xab, 0xcd],
        opt_out,
    };
    let denial = match choices & 7 {
        0 => Denial::None,
        1 => Denial::Source,
        2 | 3 => Denial::Nsec,
        4 | 5 => nsec3(false),
        _ => nsec3(true),
    };
    let severity = Severity::Warn;
    Expectations {
        horizon: (choices & 8 != 0).then_some(Horizon { reaction_seconds: 600, severity }),
        sampling: (choices & 16 != 0).then_some(Sampling { one_in: 3, seed: 1 }),
        ..Expectations::new(APEX.to_vec(), NOW, denial)
    }
}

/// Audits what the octets say, in several ways.
pub(crate) fn judge(data: &[u8]) {
    let Some((&[choices, high, low], rest)) = data.split_first_chunk::<HEAD_OCTETS>() else {
        return;
    };
    let end = usize::from(u16::from_be_bytes([high, low])) * rest.len() / 0xffff;
    let (candidate, source) = rest.split_at(end);
    let mut expectations = expectations(choices);
    let source_blocks = [source];
    let source = (choices & 32 == 0).then_some(&source_blocks[..]);
    let zones = Zones { candidate: &[candidate], source };
    let (Ok(report), Ok(prepared)) =
        (audit::audit(zones, &expectations), Prepared::new(zones, &expectations))
    else {
        return;
    };
    let parts = prepared.ranges(3).map(|range| prepared.verify_range(range)).collect();
    let Ok(pieces) = prepared.finish(parts) else { panic!("the ranges cover the zone") };
    assert!(report.stopped_early || pieces.stopped_early || report == pieces);
    keep(candidate, source, &expectations, report.verdict());
    // The zone after itself.
    expectations.history =
        vec![PublishedVersion { keys: report.keys.clone(), served_until: Some(NOW - 60) }];
    drop(audit::audit(zones, &expectations));
}

/// What was approved can be kept, and no change is approved again.
fn keep(candidate: &[u8], source: Option<&[&[u8]]>, expectations: &Expectations, verdict: Verdict) {
    let blocks = vec![candidate.to_vec()];
    let approval = {
        let borrowed: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        let zones = Zones { candidate: &borrowed, source };
        let Ok(prepared) = Prepared::new(zones, expectations) else { return };
        let whole = prepared.verify_range(0..prepared.owner_count());
        prepared.finish_with_approval(vec![whole]).ok().and_then(|(_, approval)| approval)
    };
    assert_eq!(approval.is_some(), verdict == Verdict::Approve);
    let Some(approval) = approval else { return };
    let Ok(approved) = Approved::new(approval, blocks) else { panic!("these are the blocks") };
    if let Ok(judgement) = approved.judge(&Difference::default(), expectations) {
        assert_eq!(judgement.report.verdict(), Verdict::Approve, "{:?}", judgement.report.findings);
    }
}
