//! Finding out by trying with which mechanism a token signs (rule HSM-8): a list of mechanisms
//! only says what a token has, not that it works, and not for which keys.
//! In: a key. Out: the first mechanism whose signature over a text of our own verifies. A trial
//! takes two signatures of each mechanism that does not do it, since one wrong signature is a
//! fault and no property.

use super::fault::{CallFault, return_value};
use super::mechanisms::Candidate;
use super::{PROOF_TEXT, Pkcs11Slot};
use crate::error::{Cause, SlotError};
use crate::hash;
use crate::packed::Packed;
use crate::slot::MechanismChoice;
use crate::verify::Verifier;
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use dnssec::Algorithm;
use dnssec::key::KeyId;

/// Signatures that a mechanism has to get right one of.
const TRIES: usize = 2;

impl Pkcs11Slot {
    /// The first mechanism that does it.
    pub(super) fn try_mechanisms(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
    ) -> Result<MechanismChoice, SlotError> {
        self.call("C_Sign", |lease| {
            let key = self.known(lease, id, algorithm)?;
            let mechanisms = self.sessions.mechanisms();
            // The first one in any case: it says what is missing when there is none.
            let first = mechanisms.choose(&self.sessions.place, algorithm)?;
            for candidate in mechanisms.possible(algorithm) {
                let number = candidate.number();
                if self.does_it(lease, key.private, &key.verifier, &candidate)? {
                    return Ok(MechanismChoice { algorithm, mechanism: number });
                }
            }
            let (place, number) = (self.sessions.place.clone(), first.number());
            let cause = Cause::of(format_args!(
                "no mechanism of the token makes a signature of key {id} that verifies, the first \
                 tried is {number:#x}"
            ));
            Err(SlotError::AlgorithmUnavailable { place, algorithm, cause }.into())
        })
    }

    fn does_it(
        &self,
        session: &Session,
        private: ObjectHandle,
        verifier: &Verifier,
        candidate: &Candidate,
    ) -> Result<bool, CallFault> {
        let texts: Packed = std::iter::once(PROOF_TEXT).collect();
        let inputs = hash::inputs(candidate.form, candidate.algorithm, &texts);
        for _ in 0..TRIES {
            match self.sign_with(session, private, candidate, &inputs, 0..1) {
                Ok(signatures) => {
                    if verifier.verify(PROOF_TEXT, signatures.get(0).unwrap_or_default()) {
                        return Ok(true);
                    }
                }
                Err(CallFault::Module(error)) if is_mechanism_refusal(&error) => return Ok(false),
                Err(fault) => return Err(fault),
            }
        }
        Ok(false)
    }

    /// Signs with the mechanism that is chosen; where the token refuses it and nothing has been
    /// found out for the algorithm yet, with the first one that it does not refuse.
    pub(super) fn sign_somehow(
        &self,
        session: &Session,
        private: ObjectHandle,
        algorithm: Algorithm,
        texts: &Packed,
    ) -> Result<Packed, CallFault> {
        let mechanisms = self.sessions.mechanisms();
        let first = mechanisms.choose(&self.sessions.place, algorithm)?;
        let others = match mechanisms.chosen(algorithm) {
            Some(_) => Vec::new(),
            None => mechanisms.possible(algorithm),
        };
        let others = others.into_iter().filter(|other| other.number() != first.number());
        let sign = |candidate: &Candidate| {
            let inputs = hash::inputs(candidate.form, algorithm, texts);
            self.sign_with(session, private, candidate, &inputs, 0..inputs.len())
        };
        let mut result = sign(&first);
        for other in others {
            match &result {
                Err(CallFault::Module(error)) if is_mechanism_refusal(error) => {}
                _ => break,
            }
            result = sign(&other);
        }
        result
    }
}

/// Whether the token says that this mechanism is not for this key, or not for this data.
fn is_mechanism_refusal(error: &Error) -> bool {
    matches!(
        return_value(error),
        Some(
            RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::FunctionNotSupported
                | RvError::KeyTypeInconsistent
                | RvError::KeyFunctionNotPermitted
                | RvError::DataInvalid
                | RvError::DataLenRange
        )
    )
}
