//! One zone with two keys as the product's stages take it, with the policy that the comparison with
//! peers is made under. In: a token, a kind of denial. Out: tickets for the stages.

use crate::TokenWithKeys;
use actors::stages::denial::{Change, DenialInput};
use actors::stages::sign::{Extent, SignInput};
use audit::{Expectations, SignatureLifetimes};
use dnssec::Algorithm;
use dnssec::denial::nsec3::Nsec3Parameters;
use dnssec::key::KeyRole;
use dnssec::policy::{Policy, SerialMode, SignaturesPolicy};
use dnssec::signing::apex::{ApexPlan, ZoneForm, expected_dnskeys};
use dnssec::signing::reuse::PublishedKey;
use dnssec::signing::{Signer, SigningTimes, ZoneKey};
use dnssec::zone::ZoneVersion;
use dnssec::{Serial, Timestamp, Ttl};
use hsm::{GenerateRequest, Slot, random_key_id};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

const TTL: Ttl = Ttl(3600);

/// What a zone is signed with.
pub struct OneZone {
    token: Arc<dyn Slot>,
    keys: Vec<ZoneKey>,
    nsec3: Option<Nsec3Parameters>,
    policy: SignaturesPolicy,
}

impl OneZone {
    /// `denial`: `nsec`, `nsec3` or `nsec3-opt-out`.
    pub fn new((token, keys): TokenWithKeys, denial: &str) -> OneZone {
        let opt_out = denial == "nsec3-opt-out";
        let nsec3 = Nsec3Parameters { iterations: 0, salt: Vec::new(), opt_out };
        let nsec3 = (denial != "nsec").then_some(nsec3);
        OneZone { token, keys, nsec3, policy: Policy::anchorite_default("bench").signatures }
    }

    /// A zone-signing key that signs nothing yet.
    ///
    /// # Errors
    /// What the token says.
    pub fn spare_key(&self) -> Result<ZoneKey, Box<dyn Error>> {
        let id = random_key_id().ok_or("no randomness")?;
        let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
        let public_key = self.token.generate(&request)?;
        Ok(ZoneKey {
            id,
            repository: "bench".to_owned(),
            role: KeyRole::Zsk,
            public_key,
            is_published: true,
            signs: None,
            is_revoked: false,
        })
    }

    /// Publishes this key beside the zone's two, or none.
    pub fn publish(&mut self, spare: Option<ZoneKey>) {
        self.keys.truncate(2);
        self.keys.extend(spare);
    }

    /// What the apex is to have; `serial` is the last published one.
    pub fn plan(&self, serial: Option<Serial>) -> ApexPlan {
        ApexPlan {
            form: ZoneForm::Signed,
            soa_ttl: TTL,
            soa_minimum: TTL.0,
            serial,
            keys_ttl: TTL,
            dnskeys: self.keys.iter().map(ZoneKey::dnskey_rdata).collect(),
            cds: Vec::new(),
            cdnskey: Vec::new(),
            zonemd: None,
            nsec3param: self.nsec3.as_ref().map(|nsec3| (Ttl(0), nsec3.param_rdata())),
        }
    }

    /// A ticket of the denial stage; `serial` is the last published one.
    pub fn denial_input(
        &self,
        unsigned: Arc<ZoneVersion>,
        serial: Option<Serial>,
        change: Option<Change>,
    ) -> DenialInput {
        let (apex, nsec3) = (self.plan(serial), self.nsec3.clone());
        DenialInput { unsigned, apex, nsec3, ttl: TTL, change }
    }

    /// The times of a run.
    pub fn times(&self, now: Timestamp) -> SigningTimes {
        SigningTimes { now, policy: self.policy.clone(), seed: 1 }
    }

    /// A ticket of the sign stage.
    pub fn sign_input(
        &self,
        extent: Extent,
        previous: Option<Arc<ZoneVersion>>,
        input_serial: Serial,
        now: Timestamp,
    ) -> SignInput {
        SignInput {
            extent,
            previous_serial: previous.as_ref().and_then(|previous| previous.serial()),
            previous,
            signers: Signer::of_keys(&self.keys).into(),
            published: PublishedKey::of_keys(&self.keys).into(),
            works_ahead: false,
            times: Arc::new(self.times(now)),
            slots: Arc::new(BTreeMap::from([("bench".to_owned(), self.token.clone())])),
            serial_mode: SerialMode::Counter,
            input_serial,
            serial_wanted: None,
            is_new_input: true,
        }
    }

    /// What the auditor is to expect of a version after that with `serial`.
    pub fn expectations(
        &self,
        unsigned: &ZoneVersion,
        serial: Option<Serial>,
        now: Timestamp,
    ) -> Expectations {
        let seconds = |length: dnssec::Seconds| u32::try_from(length.0).unwrap_or(u32::MAX);
        let denial = match &self.nsec3 {
            None => audit::Denial::Nsec,
            Some(nsec3) => audit::Denial::Nsec3 {
                hash_algorithm: 1,
                iterations: nsec3.iterations,
                salt: nsec3.salt.clone(),
                opt_out: nsec3.opt_out,
            },
        };
        Expectations {
            refresh_seconds: seconds(self.times(now).least_life()),
            lifetimes: Some(SignatureLifetimes {
                default_seconds: seconds(self.policy.validity_default),
                denial_seconds: seconds(self.policy.validity_denial),
                keyset_seconds: seconds(self.policy.validity_default),
                jitter_seconds: seconds(self.policy.jitter),
                inception_offset_seconds: seconds(self.policy.inception_offset),
            }),
            dnskeys: Some(expected_dnskeys(unsigned, &self.plan(None))),
            dnskey_ttl: Some(TTL.0),
            soa_ttl: Some(TTL.0),
            soa_minimum: Some(TTL.0),
            published_serial: serial.map(|serial| serial.0),
            ..Expectations::new(unsigned.apex.as_wire().to_vec(), now.0, denial)
        }
    }
}
