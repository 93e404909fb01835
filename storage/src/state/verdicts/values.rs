//! Values of the table of verdicts, as `FORMAT.md` lists them. In: entries. Out: postcard bytes,
//! the version first; bytes that do not decode are an error, never a panic.

use super::super::error::Failure;
use super::super::lives::User;
use super::super::values::{decode, decode_name, encode};
use super::{
    ChainHash, Extent, FINDINGS_MAX, Judged, Outcome, TABLE, TestOutcome, Tested, VerdictEntry,
    VerdictEvent,
};
use dnssec::{Serial, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum VerdictValue {
    V0(u64, EventV0),
}

#[derive(Serialize, Deserialize)]
enum EventV0 {
    Judged(JudgedV0),
    Tested(TestedV0),
    Trusted { by: Option<(u32, Option<String>)>, reason: String },
    Pruned { through: u64, hash: ChainHash },
}

#[derive(Serialize, Deserialize)]
struct JudgedV0 {
    zone: Vec<u8>,
    serial: Option<u32>,
    digest: Option<ChainHash>,
    by_difference: bool,
    outcome: OutcomeV0,
    findings: Vec<u16>,
    finding_count: u32,
    auditor: String,
}

#[derive(Serialize, Deserialize)]
enum OutcomeV0 {
    Approve,
    Hold,
    Reject,
    NoVerdict,
}

#[derive(Serialize, Deserialize)]
struct TestedV0 {
    zone: Vec<u8>,
    serial: Option<u32>,
    mutation: String,
    by_difference: bool,
    outcome: TestOutcomeV0,
    findings: Vec<u16>,
    auditor: String,
}

#[derive(Serialize, Deserialize)]
enum TestOutcomeV0 {
    Caught,
    OtherFinding,
    Missed,
    NoVerdict,
}

pub(super) fn encode_event(entry: &VerdictEntry) -> Result<Vec<u8>, Failure> {
    let bounded = |findings: &[u16]| findings.iter().copied().take(FINDINGS_MAX).collect();
    let event = match &entry.event {
        VerdictEvent::Judged(judged) => EventV0::Judged(JudgedV0 {
            zone: judged.zone.as_wire().to_vec(),
            serial: judged.serial.map(|serial| serial.0),
            digest: judged.digest,
            by_difference: judged.extent == Extent::Difference,
            outcome: match judged.outcome {
                Outcome::Approve => OutcomeV0::Approve,
                Outcome::Hold => OutcomeV0::Hold,
                Outcome::Reject => OutcomeV0::Reject,
                Outcome::NoVerdict => OutcomeV0::NoVerdict,
            },
            findings: bounded(&judged.findings),
            finding_count: judged.finding_count,
            auditor: judged.auditor.clone(),
        }),
        VerdictEvent::Tested(tested) => EventV0::Tested(TestedV0 {
            zone: tested.zone.as_wire().to_vec(),
            serial: tested.serial.map(|serial| serial.0),
            mutation: tested.mutation.clone(),
            by_difference: tested.extent == Extent::Difference,
            outcome: match tested.outcome {
                TestOutcome::Caught => TestOutcomeV0::Caught,
                TestOutcome::OtherFinding => TestOutcomeV0::OtherFinding,
                TestOutcome::Missed => TestOutcomeV0::Missed,
                TestOutcome::NoVerdict => TestOutcomeV0::NoVerdict,
            },
            findings: bounded(&tested.findings),
            auditor: tested.auditor.clone(),
        }),
        VerdictEvent::Trusted { by, reason } => EventV0::Trusted {
            by: by.as_ref().map(|user| (user.id, user.name.clone())),
            reason: reason.clone(),
        },
        VerdictEvent::Pruned { through, hash } => {
            EventV0::Pruned { through: *through, hash: *hash }
        }
    };
    encode(TABLE, &VerdictValue::V0(entry.at.0, event))
}

pub(super) fn decode_event(bytes: &[u8]) -> Result<VerdictEntry, Failure> {
    let VerdictValue::V0(at, event) = decode(TABLE, bytes)?;
    let extent = |by_difference| match by_difference {
        true => Extent::Difference,
        false => Extent::Whole,
    };
    let event = match event {
        EventV0::Judged(judged) => VerdictEvent::Judged(Box::new(Judged {
            zone: decode_name(TABLE, &judged.zone)?,
            serial: judged.serial.map(Serial),
            digest: judged.digest,
            extent: extent(judged.by_difference),
            outcome: match judged.outcome {
                OutcomeV0::Approve => Outcome::Approve,
                OutcomeV0::Hold => Outcome::Hold,
                OutcomeV0::Reject => Outcome::Reject,
                OutcomeV0::NoVerdict => Outcome::NoVerdict,
            },
            findings: judged.findings,
            finding_count: judged.finding_count,
            auditor: judged.auditor,
        })),
        EventV0::Tested(tested) => VerdictEvent::Tested(Box::new(Tested {
            zone: decode_name(TABLE, &tested.zone)?,
            serial: tested.serial.map(Serial),
            mutation: tested.mutation,
            extent: extent(tested.by_difference),
            outcome: match tested.outcome {
                TestOutcomeV0::Caught => TestOutcome::Caught,
                TestOutcomeV0::OtherFinding => TestOutcome::OtherFinding,
                TestOutcomeV0::Missed => TestOutcome::Missed,
                TestOutcomeV0::NoVerdict => TestOutcome::NoVerdict,
            },
            findings: tested.findings,
            auditor: tested.auditor,
        })),
        EventV0::Trusted { by, reason } => {
            VerdictEvent::Trusted { by: by.map(|(id, name)| User { id, name }), reason }
        }
        EventV0::Pruned { through, hash } => VerdictEvent::Pruned { through, hash },
    };
    Ok(VerdictEntry { at: Timestamp(at), event })
}
