//! One zone in one story: keys in a built-in token, the last version, the auditor's copy of it.
//! In: steps. Out: versions that the auditor approves and judges accept, or its refusal.

use actors::enforcer::ZoneKeys;
use actors::io::zone_files::ZoneFile;
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::settings::ZoneSettings;
use actors::stages::audit::{Audit, AuditInput, AuditedZone};
use actors::stages::denial::{Chained, Denial, DenialInput};
use actors::stages::publish::{Stored, write_zone_file};
use actors::stages::sign::{Extent, Sign, SignInput, SignOutput};
use actors::stages::sort::{Sort, SortInput, SortSource};
use actors::stages::{Stage, StageError};
use actors::zone::plan::{apex_plan, audit_expectations, nsec3};
use anchorite_tests::judges;
use audit_host::{Copy, Judge};
use dnssec::denial::denial_ttl;
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::{DenialPolicy, Policy};
use dnssec::signing::parent_sync::{Delegation, DsSet, ParentSync};
use dnssec::signing::reuse::PublishedKey;
use dnssec::signing::{Signer, SigningTimes, ZoneKey};
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{DnssecRecords, Limits};
use dnssec::{Algorithm, Name, Timestamp};
use hsm::builtin::{BuiltinToken, Unlock};
use hsm::{GenerateRequest, Slot};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What kind of version a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Signed.
    Signed,
    /// Keys at the apex, and nothing else of DNSSEC.
    Keys,
    /// Nothing of DNSSEC.
    Unsigned,
    /// The input as it is: here one with all DNSSEC records but its keys, so that nobody takes it
    /// for signed.
    PassedThrough,
}

/// A key in one state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) key: usize,
    pub(crate) is_published: bool,
    /// Whether it signs the keys, if that is its role.
    pub(crate) keyset: bool,
    /// Whether it signs the rest, if that is its role.
    pub(crate) zone: bool,
    pub(crate) is_revoked: bool,
}

/// One step of a story.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) form: Form,
    /// Algorithms of the DSs that may be out.
    pub(crate) ds: Vec<u8>,
    pub(crate) keys: Vec<Key>,
    pub(crate) sync: ParentSync,
}

const ZONE: &str = "$TTL 300\n@ 3600 SOA ns host 1 3600 900 1209600 300\n@ NS ns\nns A 192.0.2.1\n\
                    www 60 A 192.0.2.2\n*.w TXT x\nsub NS ns.sub\nns.sub A 192.0.2.3\n\
                    safe NS ns\nsafe DS 1 13 2 \
                    0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6\na.ent A \
                    192.0.2.4\nalias CNAME www\n";

struct Token {
    slot: Arc<dyn Slot>,
    keys: Vec<ZoneKey>,
    _folder: tempfile::TempDir,
}

/// The keys of all stories of this process; making them takes its time.
fn token() -> &'static Token {
    static TOKEN: OnceLock<Token> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key_file = folder.path().join("key");
        hsm::builtin::create_key_file("token", &key_file).expect("a key file");
        let unlock = Unlock::KeyFile(key_file);
        let slot = BuiltinToken::create("token", &folder.path().join("token"), "token", &unlock);
        let slot: Arc<dyn Slot> = Arc::new(slot.expect("a token"));
        use Algorithm::{EcdsaP256Sha256 as P256, Ed25519};
        use KeyRole::{Csk, Ksk, Zsk};
        let wanted = [
            (Ksk, P256),
            (Ksk, P256),
            (Zsk, P256),
            (Zsk, P256),
            (Csk, P256),
            (Csk, P256),
            (Ksk, Ed25519),
            (Zsk, Ed25519),
        ];
        let make = |(number, (role, algorithm)): (u8, (KeyRole, Algorithm))| {
            let id = KeyId::new(&[number; 16]).expect("16 octets");
            let request = GenerateRequest::new(id.clone(), algorithm);
            let public_key = slot.generate(&request).expect("the token makes keys");
            let repository = "token".to_owned();
            let (is_published, is_revoked, signs) = (false, false, None);
            ZoneKey { id, repository, role, public_key, is_published, signs, is_revoked }
        };
        let keys = (1..).zip(wanted).map(make).collect();
        Token { slot, keys, _folder: folder }
    })
}

pub(crate) struct World {
    pool: WorkerPool,
    folder: tempfile::TempDir,
    apex: Name,
    policy: Policy,
    now: u64,
    stored: Option<Stored>,
    approved: Option<Copy>,
    judge: Arc<Judge>,
    /// Text of the last signed version, which is what is passed through.
    signed_text: Option<String>,
}

impl World {
    pub(crate) fn new(uses_nsec3: bool) -> World {
        let mut policy = Policy::anchorite_default("token");
        if !uses_nsec3 {
            policy.denial = DenialPolicy::Nsec;
        }
        World {
            pool: WorkerPool::start(PoolSpec { name: "test", workers: 2, queue_bound: 64 })
                .expect("threads"),
            folder: tempfile::tempdir().expect("a temporary folder"),
            apex: Name::parse(b"example.", None).expect("a name"),
            policy,
            // Each step is a minute; the judges' clock is the system's.
            now: Clock::system().now().0 - 3600,
            stored: None,
            approved: None,
            judge: Arc::new(Judge::here(2, || Duration::ZERO)),
            signed_text: None,
        }
    }

    /// The CDS of these keys.
    pub(crate) fn announced(keys: &[usize]) -> ParentSync {
        ParentSync::Keys(keys.iter().map(|key| token().keys[*key].dnskey_rdata()).collect())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, step: &Step) -> ZoneSettings {
        let mut policy = self.policy.clone();
        policy.passthrough = step.form == Form::PassedThrough;
        ZoneSettings {
            name: self.apex.clone(),
            policy: Arc::new(policy),
            input: self.path("zone").into(),
            output: self.path("signed").into(),
            signconf: None,
            limits: Limits::default(),
        }
    }

    fn zone_keys(step: &Step) -> ZoneKeys {
        let key = |state: &Key| {
            let key = token().keys[state.key].clone();
            let keyset = state.keyset && key.role.signs_keyset();
            let zone = state.zone && key.role.signs_zone() && !state.is_revoked;
            let signs = match (keyset, zone) {
                (true, true) => Some(KeyRole::Csk),
                (true, false) => Some(KeyRole::Ksk),
                (false, true) => Some(KeyRole::Zsk),
                (false, false) => None,
            };
            let Key { is_published, is_revoked, .. } = *state;
            (ZoneKey { is_published, is_revoked, signs, ..key }, Timestamp(0))
        };
        let algorithm = |number: &u8| Algorithm::from_number(*number).expect("a known one");
        let ds_algorithms: Vec<Algorithm> = step.ds.iter().map(algorithm).collect();
        // Of each algorithm a DS of every key that can have one: who leads into the zone is not
        // what these stories are about.
        let has_ds = |key: &&ZoneKey| {
            key.role.signs_keyset() && ds_algorithms.contains(&key.public_key.algorithm)
        };
        let dnskeys = token().keys.iter().filter(has_ds).map(ZoneKey::dnskey_rdata).collect();
        let ds_sets = vec![DsSet { dnskeys, is_withdrawn: false }];
        ZoneKeys {
            keys: step.keys.iter().map(key).collect(),
            salt: Vec::new(),
            delegation: Delegation { ds_algorithms, sync: step.sync.clone(), ds_sets },
            shown_ds: Vec::new(),
            leaving: Vec::new(),
        }
    }

    fn read(&self, step: &Step) -> Arc<ZoneVersion> {
        let is_passed = step.form == Form::PassedThrough;
        let text = match (is_passed, &self.signed_text) {
            (true, Some(signed)) => signed.as_str(),
            _ => ZONE,
        };
        std::fs::write(self.path("zone"), text).expect("a file of ours");
        let sort = SortInput {
            apex: self.apex.clone(),
            source: SortSource::File(ZoneFile::open(&self.path("zone")).expect("a file of ours")),
            limits: Limits::default(),
            dnssec_records: match is_passed {
                true => DnssecRecords::Kept,
                false => DnssecRecords::Dropped,
            },
            previous: None,
        };
        Sort::run(&self.pool, sort).expect("a good zone").version
    }

    /// Makes the version of a step and has it judged as a whole.
    fn candidate(&self, step: &Step) -> Result<(Stored, AuditInput, AuditedZone), StageError> {
        let (settings, keys) = (self.settings(step), World::zone_keys(step));
        let unsigned = self.read(step);
        let last = self.stored.as_ref().and_then(|stored| stored.version.serial());
        let apex = apex_plan(&settings, &keys, last);
        let nsec3 = nsec3(&settings.policy, &keys);
        let ttl = denial_ttl(apex.soa_ttl, apex.soa_minimum);
        let expected = apex.clone();
        let denial = DenialInput { unsigned: unsigned.clone(), apex, nsec3, ttl, change: None };
        let Chained::Whole(version) = Denial::run(&self.pool, denial)? else {
            panic!("nothing was said of a change")
        };
        let zone_keys: Vec<ZoneKey> = keys.keys.iter().map(|(key, _)| key.clone()).collect();
        let policy = settings.policy.signatures.clone();
        let times = Arc::new(SigningTimes { now: Timestamp(self.now), policy, seed: 7 });
        let sign = SignInput {
            extent: Extent::Whole(version),
            previous: self.stored.as_ref().map(|stored| stored.version.clone()),
            signers: Signer::of_keys(&zone_keys).into(),
            published: PublishedKey::of_keys(&zone_keys).into(),
            works_ahead: false,
            times: times.clone(),
            slots: Arc::new(BTreeMap::from([("token".to_owned(), token().slot.clone())])),
            serial_mode: settings.policy.zone.serial,
            input_serial: unsigned.serial().expect("a SOA"),
            previous_serial: last,
            serial_wanted: None,
            is_new_input: false,
        };
        let version = match Sign::run(&self.pool, sign)? {
            SignOutput::Signed { version, .. } => version,
            SignOutput::Unchanged => self.stored.clone().expect("a version").version,
        };
        let is_new = version.serial() != last;
        let last = last.filter(|_| is_new).map(|serial| serial.0);
        let made_of = (&settings, &keys);
        let expectations = audit_expectations(made_of, &expected, &unsigned, &times, last);
        let stored = Stored { version: version.clone(), unsigned: unsigned.clone() };
        let audit = |previous: Option<Stored>, approved: Option<Copy>| AuditInput {
            candidate: version.clone(),
            unsigned: unsigned.clone(),
            expectations: expectations.clone(),
            previous,
            approved,
            waived: Vec::new(),
            keeps_approved: true,
            judge: self.judge.clone(),
        };
        let audited = Audit::run(&self.pool, audit(None, None))?;
        Ok((stored, audit(self.stored.clone(), self.approved.clone()), audited))
    }

    /// Takes a step, which has to work.
    #[track_caller]
    pub(crate) fn take(&mut self, number: usize, step: &Step) {
        self.now += 60;
        let (stored, by_difference, audited) =
            self.candidate(step).unwrap_or_else(|error| panic!("step {number}, {step:?}: {error}"));
        let warnings: Vec<String> =
            audited.report().findings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "step {number}: {warnings:#?}");
        if step.form != Form::PassedThrough {
            let audited = Audit::run(&self.pool, by_difference);
            let audited = audited.unwrap_or_else(|error| panic!("step {number}: {error}"));
            self.approved = audited.into_approved();
        } else {
            self.approved = None;
        }
        let output = self.path("signed");
        write_zone_file(&self.pool, &stored.version, &output).expect("written");
        self.judge(number, step);
        if step.form == Form::Signed {
            let signed = std::fs::read_to_string(&output).expect("just written");
            let is_key = |line: &&str| line.split_whitespace().nth(3) == Some("DNSKEY");
            let other = signed.lines().filter(|line| !is_key(line));
            self.signed_text = Some(other.map(|line| format!("{line}\n")).collect());
        }
        // The same again changes nothing.
        self.stored = Some(stored.clone());
        let (again, ..) = self.candidate(step).expect("it was good");
        assert_eq!(again.version.serial(), stored.version.serial(), "step {number}, {step:?}");
    }

    /// What foreign judges say; each knows less of rolls than the enforcer does.
    #[track_caller]
    fn judge(&self, number: usize, step: &Step) {
        let (output, origin) = (self.path("signed"), "example.");
        let text = judges::named_compilezone(&output, origin).expect("BIND reads the zone");
        let types = |line: &str| line.split_whitespace().nth(3).unwrap_or_default().to_owned();
        let has = |wanted: &str| text.lines().any(|line| types(line) == wanted);
        match step.form {
            Form::Signed => {
                let csk = step.keys.iter().any(|key| [4, 5].contains(&key.key));
                let verdict = match csk {
                    true => judges::dnssec_verify_csk(&output, origin),
                    false => judges::dnssec_verify(&output, origin),
                };
                verdict.unwrap_or_else(|error| panic!("step {number}, {step:?}: {error}"));
                // These two call a signature by an unpublished key a mistake.
                let mut verdict = Ok(());
                if step.keys.iter().all(|key| key.is_published) {
                    verdict = judges::ldns_verify_zone(&output);
                    if is_known_to_knot(step) {
                        verdict = verdict.and_then(|()| judges::kzonecheck(&output, origin));
                    }
                }
                verdict.unwrap_or_else(|error| panic!("step {number}, {step:?}: {error}"));
            }
            Form::Keys => assert!(has("DNSKEY") && !has("NSEC") && !has("NSEC3PARAM"), "{text}"),
            Form::Unsigned => {
                for rtype in ["DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "CDS", "CDNSKEY"] {
                    assert!(!has(rtype), "step {number}: {rtype} in {text}");
                }
            }
            Form::PassedThrough => {
                let input = judges::named_compilezone(&self.path("zone"), origin).expect("read");
                let without_soa = |text: &str| -> Vec<String> {
                    let lines = text.lines().filter(|line| types(line) != "SOA");
                    lines.map(str::to_owned).collect()
                };
                assert_eq!(without_soa(&text), without_soa(&input), "step {number}");
                assert_ne!(text, input, "the serial rises");
            }
        }
    }

    /// Takes a step that the auditor refuses for this finding.
    #[track_caller]
    pub(crate) fn is_refused(&mut self, step: &Step, code: &str) {
        self.now += 60;
        match self.candidate(step) {
            Ok(_) => panic!("{step:?} was approved"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&format!("{code} error")), "{step:?}: {text}");
            }
        }
    }
}

/// Knot takes a key with the SEP flag for a CSK only where it is the only key, and wants no CDNSKEY
/// of an unpublished one.
fn is_known_to_knot(step: &Step) -> bool {
    let csks = step.keys.iter().filter(|key| token().keys[key.key].role == KeyRole::Csk).count();
    let is_published = |rdata: &Vec<u8>| {
        step.keys.iter().any(|key| token().keys[key.key].dnskey_rdata() == *rdata)
    };
    let announced = match &step.sync {
        ParentSync::Keys(keys) => keys.iter().all(is_published),
        ParentSync::Silent | ParentSync::Delete => true,
    };
    (csks == 0 || step.keys.len() == 1) && announced
}
