//! Versions made by what changed, against versions made from nothing: random zones through random
//! edits, time steps, rolls of the zone-signing key, changes of denial, restarts. After each step
//! the incremental version has the records and the signed RRsets of a full signing of the same
//! data, the auditor approves it, by its difference and as a whole, and so does dnssec-verify.
//! The judge's clock is the system's, so the steps lie in the past, and every signature has more
//! life left than the whole walk takes.

use actors::io::zone_files::ZoneFile;
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::stages::Stage;
use actors::stages::audit::{Audit, AuditInput};
use actors::stages::denial::{Chained, Change, Denial, DenialInput};
use actors::stages::publish::{
    Publish, PublishInput, Stored, ZoneJournal, recovered, write_zone_file,
};
use actors::stages::sign::{Extent, Sign, SignInput, SignOutput};
use actors::stages::sort::{Sort, SortInput, SortSource, Touched};
use anchorite_tests::judges::dnssec_verify;
use audit::{Expectations, SignatureLifetimes};
use audit_host::{Copy, Judge};
use dnssec::denial::nsec3::Nsec3Parameters;
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::{SerialMode, SignaturesPolicy};
use dnssec::signing::apex::{ApexPlan, ZoneForm, expected_dnskeys};
use dnssec::signing::parent_sync::ParentSync;
use dnssec::signing::reuse::PublishedKey;
use dnssec::signing::step::{Reach, reach};
use dnssec::signing::{Signer, SigningTimes, ZoneKey};
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{DnssecRecords, Limits};
use dnssec::zone::render;
use dnssec::{Algorithm, Name, RrType, Seconds, Serial, Timestamp, Ttl};
use hsm::builtin::{BuiltinToken, Unlock};
use hsm::{GenerateRequest, Slot};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const DAY: u64 = 86_400;
/// The whole walk is shorter than the refresh period, so that a judge of today accepts it.
const STEPS_MAX: usize = 7;
const POLICY: SignaturesPolicy = SignaturesPolicy {
    resign: Seconds(DAY),
    refresh: Seconds(100 * DAY),
    validity_default: Seconds(110 * DAY),
    validity_denial: Seconds(110 * DAY),
    validity_keyset: None,
    jitter: Seconds(2 * DAY),
    inception_offset: Seconds(3600),
    max_zone_ttl: None,
};

/// What an owner may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Address(u8, u16),
    Mail,
    Text(u8),
    Insecure,
    Secure(u8),
    Alias,
    Dname,
}

#[derive(Clone, Debug)]
enum Step {
    Edit(Vec<(usize, Content)>),
    /// A day, or some.
    Wait(u64),
    /// The next zone-signing key becomes the active one; the last but one goes.
    Roll,
    /// A key that nobody uses is published, or goes.
    Spare,
    /// A second key-signing key comes and signs the keys, or goes.
    SecondKsk,
    /// CDS and CDNSKEY come or go.
    Announce,
    Denial(u8),
    /// Everything in memory is lost.
    Restart,
    /// The serial of the input rises, nothing else.
    Serial,
}

const OWNERS: [&str; 18] = [
    "@",
    "a",
    "b",
    "b.a",
    "c.b.a",
    "*.w",
    "w",
    "sub",
    "ns.sub",
    "in.sub",
    "x.in.sub",
    "e.ent",
    "f.ent",
    "g.deep.ent2",
    "host",
    "HOST2",
    "zz",
    "d",
];

fn any_content() -> impl Strategy<Value = Content> {
    prop_oneof![
        3 => Just(Content::Nothing),
        3 => (any::<u8>(), 1..4u16).prop_map(|(octet, ttl)| Content::Address(octet, 60 * ttl)),
        1 => Just(Content::Mail),
        2 => any::<u8>().prop_map(Content::Text),
        3 => Just(Content::Insecure),
        3 => any::<u8>().prop_map(Content::Secure),
        1 => Just(Content::Alias),
        1 => Just(Content::Dname),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let edit = || (0..OWNERS.len(), any_content());
    prop_oneof![
        8 => prop::collection::vec(edit(), 1..6).prop_map(Step::Edit),
        3 => (1..13u64).prop_map(Step::Wait),
        2 => Just(Step::Roll),
        2 => Just(Step::Spare),
        1 => Just(Step::SecondKsk),
        1 => Just(Step::Announce),
        1 => (0..4u8).prop_map(Step::Denial),
        1 => Just(Step::Restart),
        1 => Just(Step::Serial),
    ]
}

/// One zone, as a daemon that runs the stages would have it.
struct World {
    pool: WorkerPool,
    token: Arc<dyn Slot>,
    folder: tempfile::TempDir,
    apex: Name,
    contents: BTreeMap<usize, Content>,
    input_serial: u32,
    denial: u8,
    /// Key-signing key first; then the zone-signing keys, of which this one is active.
    keys: Vec<ZoneKey>,
    /// The spare key and the second key-signing key.
    extra: [ZoneKey; 2],
    active: usize,
    /// Whether these are in the zone: the spare key, the second key-signing key, CDS.
    has_spare: bool,
    has_second: bool,
    announces: bool,
    now: u64,
    seed: u64,
    stored: Option<Stored>,
    /// What the stored version was made with, unless that is forgotten.
    basis: Option<Basis>,
    approved: Option<Copy>,
    judge: Arc<Judge>,
    journal: ZoneJournal,
    generation: u64,
    journal_generation: u64,
}

/// What a version was made with.
#[derive(Clone)]
struct Basis {
    apex: ApexPlan,
    keys: Vec<ZoneKey>,
    denial: u8,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    judged_by_difference: usize,
    journalled: usize,
    kept: usize,
}

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), Some(&Name::root())).expect("a name of this file")
}

fn key(token: &Arc<dyn Slot>, id: u8, role: KeyRole) -> ZoneKey {
    let id = KeyId::new(&[id; 16]).expect("16 octets");
    let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
    let public_key = token.generate(&request).expect("the token makes keys");
    let repository = "token".to_owned();
    ZoneKey { id, repository, role, public_key, is_published: true, signs: None, is_revoked: false }
}

impl World {
    fn new(seed: u64, denial: u8) -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key_file = folder.path().join("key");
        hsm::builtin::create_key_file("token", &key_file).expect("a key file");
        let unlock = Unlock::KeyFile(key_file);
        let token = BuiltinToken::create("token", &folder.path().join("token"), "token", &unlock);
        let token: Arc<dyn Slot> = Arc::new(token.expect("a token"));
        let mut keys = vec![key(&token, 1, KeyRole::Ksk)];
        keys.extend((2..6).map(|id| key(&token, id, KeyRole::Zsk)));
        let extra = [key(&token, 6, KeyRole::Zsk), key(&token, 7, KeyRole::Ksk)];
        let pool = PoolSpec { name: "test", workers: 2, queue_bound: 64 };
        World {
            pool: WorkerPool::start(pool).expect("threads"),
            token,
            folder,
            apex: name("example."),
            contents: BTreeMap::new(),
            input_serial: 1,
            denial,
            keys,
            extra,
            active: 1,
            has_spare: false,
            has_second: false,
            announces: false,
            now: Clock::system().now().0 - 95 * DAY,
            seed,
            stored: None,
            basis: None,
            approved: None,
            judge: Arc::new(Judge::here(2, || Duration::ZERO)),
            journal: ZoneJournal::default(),
            generation: 0,
            journal_generation: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn is_below_cut(&self, owner: &str) -> bool {
        let is_cut = |content: &Content| {
            matches!(content, Content::Insecure | Content::Secure(_) | Content::Dname)
        };
        self.contents.iter().any(|(index, content)| {
            is_cut(content) && owner.to_lowercase().ends_with(&format!(".{}", OWNERS[*index]))
        })
    }

    fn zone_text(&self) -> String {
        let mut text = format!(
            "$TTL 300\n@ SOA ns host {} 3600 900 1209600 300\n@ NS ns\nns A 192.0.2.1\n",
            self.input_serial
        );
        for (index, content) in &self.contents {
            let owner = OWNERS[*index];
            let is_below = self.is_below_cut(owner);
            let content = match content {
                // Not everything may stand at the apex, or at a wildcard.
                Content::Insecure | Content::Secure(_) | Content::Alias | Content::Dname
                    if matches!(owner, "@" | "*.w") =>
                {
                    &Content::Mail
                }
                Content::Secure(_) if is_below => &Content::Insecure,
                // The judge knows no names below a DNAME.
                Content::Dname if matches!(owner, "a" | "b" | "sub" | "w" | "in.sub") => {
                    &Content::Mail
                }
                content => content,
            };
            let written = match content {
                Content::Nothing => Ok(()),
                Content::Address(octet, ttl) => {
                    writeln!(text, "{owner} {ttl} A 192.0.2.{octet}\n{owner} {ttl} A 198.51.100.7")
                }
                Content::Mail => writeln!(text, "{owner} MX 10 mail"),
                Content::Text(octet) => writeln!(text, "{owner} TXT \"text {octet}\""),
                Content::Insecure => writeln!(text, "{owner} NS ns.sub\n{owner} NS ns.test."),
                Content::Secure(octet) => {
                    let digest = format!("{octet:02X}").repeat(32);
                    writeln!(text, "{owner} NS ns.test.\n{owner} DS {octet} 13 2 {digest}")
                }
                Content::Alias => writeln!(text, "{owner} CNAME ns"),
                Content::Dname => writeln!(text, "{owner} DNAME other.test."),
            };
            written.expect("a string takes all");
        }
        text
    }

    fn nsec3(&self) -> Option<Nsec3Parameters> {
        let salt = if self.denial == 3 { vec![0xAB, 0xCD] } else { Vec::new() };
        let opt_out = self.denial == 2;
        (self.denial != 0).then_some(Nsec3Parameters { iterations: 0, salt, opt_out })
    }

    /// The keys in the zone: the active one, the one before it and the one after it.
    fn published(&self) -> Vec<ZoneKey> {
        let mut keys = vec![ZoneKey { signs: Some(self.keys[0].role), ..self.keys[0].clone() }];
        for (index, key) in self.keys.iter().enumerate().skip(1) {
            if index.abs_diff(self.active) <= 1 {
                let signs = (index == self.active).then_some(key.role);
                keys.push(ZoneKey { signs, ..key.clone() });
            }
        }
        let [spare, second] = &self.extra;
        keys.extend(self.has_spare.then(|| spare.clone()));
        let signs = Some(second.role);
        keys.extend(self.has_second.then(|| ZoneKey { signs, ..second.clone() }));
        keys
    }

    fn basis(&self) -> Basis {
        Basis { apex: self.plan(None), keys: self.published(), denial: self.denial }
    }

    fn announced(&self) -> ParentSync {
        match self.announces {
            true => ParentSync::Keys(vec![self.keys[0].dnskey_rdata()]),
            false => ParentSync::Silent,
        }
    }

    fn plan(&self, serial: Option<Serial>) -> ApexPlan {
        ApexPlan {
            form: ZoneForm::Signed,
            soa_ttl: Ttl(3600),
            soa_minimum: 300,
            serial,
            keys_ttl: Ttl(3600),
            dnskeys: self.published().iter().map(ZoneKey::dnskey_rdata).collect(),
            cds: self.announced().cds(&self.apex),
            cdnskey: self.announced().cdnskey(),
            zonemd: None,
            nsec3param: self.nsec3().map(|nsec3| (Ttl(0), nsec3.param_rdata())),
        }
    }

    fn serial(&self) -> Option<Serial> {
        self.stored.as_ref().and_then(|stored| stored.version.serial())
    }

    fn denial_input(&self, unsigned: &Arc<ZoneVersion>, change: Option<Change>) -> DenialInput {
        let (apex, nsec3) = (self.plan(self.serial()), self.nsec3());
        DenialInput { unsigned: unsigned.clone(), apex, nsec3, ttl: Ttl(300), change }
    }

    fn sign_input(&self, extent: Extent, previous: Option<Arc<ZoneVersion>>) -> SignInput {
        let keys = self.published();
        let times =
            SigningTimes { now: Timestamp(self.now), policy: POLICY, seed: self.seed ^ self.now };
        SignInput {
            extent,
            previous,
            signers: Signer::of_keys(&keys).into(),
            published: PublishedKey::of_keys(&keys).into(),
            works_ahead: true,
            times: Arc::new(times),
            slots: Arc::new(BTreeMap::from([("token".to_owned(), self.token.clone())])),
            serial_mode: SerialMode::Counter,
            input_serial: Serial(self.input_serial),
            previous_serial: self.serial(),
            serial_wanted: None,
            is_new_input: true,
        }
    }

    fn expectations(&self, unsigned: &ZoneVersion) -> Expectations {
        let denial = match self.nsec3() {
            None => audit::Denial::Nsec,
            Some(nsec3) => audit::Denial::Nsec3 {
                hash_algorithm: 1,
                iterations: nsec3.iterations,
                salt: nsec3.salt,
                opt_out: nsec3.opt_out,
            },
        };
        Expectations {
            refresh_seconds: POLICY.refresh.0 as u32,
            lifetimes: Some(SignatureLifetimes {
                default_seconds: POLICY.validity_default.0 as u32,
                denial_seconds: POLICY.validity_denial.0 as u32,
                keyset_seconds: POLICY.validity_default.0 as u32,
                jitter_seconds: POLICY.jitter.0 as u32,
                inception_offset_seconds: POLICY.inception_offset.0 as u32,
            }),
            dnskeys: Some(expected_dnskeys(unsigned, &self.plan(None))),
            signing: Some(self.signing()),
            parent_sync: Some(match self.announced() {
                ParentSync::Keys(keys) => audit::ParentSync::Keys(keys),
                _ => audit::ParentSync::Silent,
            }),
            dnskey_ttl: Some(3600),
            soa_ttl: Some(3600),
            soa_minimum: Some(300),
            published_serial: self.serial().map(|serial| serial.0),
            ..Expectations::new(self.apex.as_wire().to_vec(), self.now, denial)
        }
    }

    fn signing(&self) -> audit::Signing {
        let signer = |key: &ZoneKey| {
            let role = key.signing_role()?;
            Some(audit::Signer {
                dnskey: key.dnskey_rdata(),
                signs_keyset: role.signs_keyset(),
                signs_zone: role.signs_zone(),
            })
        };
        let signers = self.published().iter().filter_map(signer).collect();
        audit::Signing { signers, ds_algorithms: vec![Algorithm::EcdsaP256Sha256.number()] }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Edit(edits) => {
                self.input_serial += 1;
                self.contents.extend(edits.iter().copied());
            }
            Step::Wait(days) => self.now += days * DAY,
            Step::Roll => self.active = (self.active + 1).min(self.keys.len() - 1),
            Step::Spare => self.has_spare = !self.has_spare,
            Step::SecondKsk => self.has_second = !self.has_second,
            Step::Announce => self.announces = !self.announces,
            Step::Denial(denial) => self.denial = *denial,
            Step::Restart => self.restart(),
            Step::Serial => self.input_serial += 1,
        }
    }

    fn restart(&mut self) {
        let Some(before) = self.stored.take() else { return };
        let serial = before.version.serial();
        let read =
            recovered(&self.pool, &self.path("versions"), &self.apex, self.generation, serial)
                .expect("what was saved is read back");
        assert_eq!(read.damage, None);
        // Of two signatures over one RRset the journal may have the order changed.
        assert_eq!(sorted(&read.stored.version), sorted(&before.version));
        assert_eq!(wire(&read.stored.unsigned), wire(&before.unsigned));
        self.stored = Some(read.stored);
        (self.journal, self.journal_generation) = (read.journal, read.journal_generation);
        (self.approved, self.basis) = (None, None);
    }

    /// Runs the stages as the zone's pipeline does, and holds the outcome against a full signing.
    fn run(&mut self, seen: &mut Seen) {
        std::fs::write(self.path("zone"), self.zone_text()).expect("a file of ours");
        let sorted = Sort::run(
            &self.pool,
            SortInput {
                apex: self.apex.clone(),
                source: SortSource::File(
                    ZoneFile::open(&self.path("zone")).expect("a file of ours"),
                ),
                limits: Limits::default(),
                dnssec_records: DnssecRecords::Dropped,
                previous: self.stored.as_ref().map(|stored| stored.unsigned.clone()),
            },
        )
        .expect("a zone that may be signed");
        let unsigned = sorted.version;
        let extent = self.extent(&unsigned, sorted.touched);
        let previous = self.stored.as_ref().map(|stored| stored.version.clone());
        let signed = Sign::run(&self.pool, self.sign_input(extent, previous)).expect("signed");
        if let SignOutput::Signed { version, counts } = signed {
            seen.kept += counts.kept;
            self.publish(version, unsigned.clone(), seen);
        }
        self.basis = Some(self.basis());
        self.compare_with_full(&unsigned);
    }

    fn extent(&self, unsigned: &Arc<ZoneVersion>, touched: Touched) -> Extent {
        let (old, new) = (self.basis.clone(), self.basis());
        let old = old.filter(|old| old.denial == new.denial);
        let reach = old.as_ref().map(|old| reach(&old.keys, &new.keys));
        let old = old.filter(|_| reach == Some(Reach::Apex));
        let is_same = old.as_ref().is_some_and(|old| old.apex == new.apex && old.keys == new.keys);
        let last = self.stored.clone().filter(|_| old.is_some());
        let change = match (last.clone().zip(old), touched) {
            (Some((stored, _)), Touched::Owners(touched)) if touched.is_empty() && is_same => {
                return Extent::Due(stored.version);
            }
            (Some((previous, old)), Touched::Owners(mut touched)) => {
                touched.extend((!is_same).then(Vec::new));
                Some(Change { previous, apex: old.apex, touched })
            }
            _ => None,
        };
        let chained = Denial::run(&self.pool, self.denial_input(unsigned, change));
        match (chained.expect("a chain"), last) {
            (Chained::Changed(changed), Some(last)) => Extent::Changed(last.version, changed),
            (Chained::Changed(_), None) => panic!("a change of nothing"),
            (Chained::Whole(version), _) => Extent::Whole(version),
        }
    }

    fn publish(&mut self, version: Arc<ZoneVersion>, unsigned: Arc<ZoneVersion>, seen: &mut Seen) {
        let expectations = self.expectations(&unsigned);
        let input = |previous: Option<Stored>, approved: Option<Copy>| AuditInput {
            candidate: version.clone(),
            unsigned: unsigned.clone(),
            expectations: expectations.clone(),
            previous,
            approved,
            waived: Vec::new(),
            keeps_approved: true,
            judge: self.judge.clone(),
        };
        // The whole zone, whatever the difference says.
        Audit::run(&self.pool, input(None, None)).expect("the auditor approves the whole zone");
        let audited = Audit::run(&self.pool, input(self.stored.clone(), self.approved.clone()));
        let audited = audited.unwrap_or_else(|error| panic!("{error}"));
        seen.judged_by_difference += usize::from(audited.is_judged_by_difference());
        let folder = self.path("versions");
        let publish = match self.stored {
            Some(_) => {
                seen.journalled += 1;
                let (generation, journal) = (self.journal_generation, self.journal.clone());
                let signed_at = Timestamp(self.now);
                PublishInput::Append { zone: audited, folder, generation, journal, signed_at }
            }
            None => {
                self.generation += 1;
                self.journal_generation = self.generation;
                PublishInput::Save { zone: audited, folder, generation: self.generation }
            }
        };
        let durable = Publish::run(&self.pool, publish).expect("durable");
        self.approved = durable.into_approved();
        let output = self.path("signed");
        write_zone_file(&self.pool, &version, &output).expect("written");
        dnssec_verify(&output, "example.").unwrap_or_else(|rejection| panic!("{rejection}"));
        self.stored = Some(Stored { version, unsigned });
    }

    /// A signing of the same data from nothing has the same records and covers the same RRsets.
    fn compare_with_full(&self, unsigned: &Arc<ZoneVersion>) {
        let sort = SortInput {
            apex: self.apex.clone(),
            source: SortSource::File(ZoneFile::open(&self.path("zone")).expect("a file of ours")),
            limits: Limits::default(),
            dnssec_records: DnssecRecords::Dropped,
            previous: None,
        };
        let fresh = Sort::run(&self.pool, sort).expect("read before").version;
        assert_eq!(wire(&fresh), wire(unsigned));
        let chained = Denial::run(&self.pool, self.denial_input(&fresh, None)).expect("a chain");
        let Chained::Whole(chained) = chained else { panic!("nothing is changed") };
        let full = Sign::run(&self.pool, self.sign_input(Extent::Whole(chained), None));
        let SignOutput::Signed { version: full, .. } = full.expect("signed") else {
            panic!("nothing was there before")
        };
        let ours = &self.stored.as_ref().expect("a version").version;
        assert_eq!(essence(ours), essence(&full));
    }
}

fn wire(version: &ZoneVersion) -> Vec<u8> {
    let mut out = Vec::new();
    version.chunks().for_each(|chunk| render::wire(&version.apex, chunk, &mut out));
    out
}

/// Every record, signatures too, in an order of its own.
fn sorted(version: &ZoneVersion) -> Vec<Vec<u8>> {
    let owners = version.chunks().flat_map(|chunk| chunk.owners());
    let records = owners.flat_map(|owner| render::owner_records(&version.apex, &owner));
    let mut records: Vec<Vec<u8>> = records.collect();
    records.sort_unstable();
    records
}

type Essence = BTreeSet<(Vec<u8>, Option<Vec<u8>>, RrType, Ttl, Vec<Vec<u8>>, usize)>;

/// Every RRset with its records, but for the SOA's, and its number of signatures.
fn essence(version: &ZoneVersion) -> Essence {
    let owners = version.chunks().flat_map(|chunk| chunk.owners());
    let rrsets = owners.flat_map(|owner| owner.rrsets().map(move |rrset| (owner, rrset)));
    rrsets
        .map(|(owner, rrset)| {
            let records = match rrset.rtype {
                RrType::SOA => Vec::new(),
                _ => rrset.rdatas().map(<[u8]>::to_vec).collect(),
            };
            let case = owner.given_case().map(<[u8]>::to_vec);
            let signatures = usize::from(rrset.signature_count);
            (owner.key().to_vec(), case, rrset.rtype, rrset.ttl, records, signatures)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn versions_made_by_what_changed_are_those_made_from_nothing(
        seed in any::<u64>(),
        denial in 0..4u8,
        first in prop::collection::vec((0..OWNERS.len(), any_content()), 4..16),
        steps in prop::collection::vec(any_step(), 1..=STEPS_MAX),
    ) {
        let mut world = World::new(seed, denial);
        let mut seen = Seen::default();
        world.take(&Step::Edit(first));
        world.run(&mut seen);
        for step in &steps {
            world.take(step);
            world.run(&mut seen);
        }
    }
}

/// What the random walks must not miss: the ways that a version can take.
#[test]
fn a_walk_takes_every_way() {
    let mut world = World::new(1, 2);
    let mut seen = Seen::default();
    let edit = |index, content| Step::Edit(vec![(index, content)]);
    let steps = [
        edit(7, Content::Secure(1)),
        edit(1, Content::Address(1, 60)),
        edit(11, Content::Insecure),
        edit(12, Content::Secure(2)),
        edit(12, Content::Nothing),
        Step::Restart,
        edit(1, Content::Nothing),
        edit(2, Content::Text(1)),
        Step::Wait(12),
        Step::Roll,
        Step::Wait(5),
        Step::Denial(0),
        edit(3, Content::Text(2)),
        Step::Wait(12),
    ];
    for step in &steps {
        world.take(step);
        world.run(&mut seen);
    }
    assert!(seen.judged_by_difference >= 6, "{seen:?}");
    assert!(seen.journalled >= 11, "{seen:?}");
    assert!(seen.kept > 0, "{seen:?}");
}
