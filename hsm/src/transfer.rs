//! Tokens that take keys which were made elsewhere, and give a key a second id. For the tools
//! beside the daemon, which open tokens in their own process.
//! In: PKCS#8, ids. Out: public halves. Never: a private key out of a PKCS#11 token in clear.

use crate::error::SlotError;
use crate::pkcs11::Pkcs11Slot;
use crate::slot::Slot;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};

/// What tools do with keys of a token, beyond what signing needs.
pub trait KeyTransfer: Slot {
    /// Takes a key that was made elsewhere: an unencrypted PKCS#8 key. RSA keys may be as short as
    /// 1024 bits and of algorithms 5 and 7, since existing keys go on signing. An id that the
    /// token already knows is refused ([`SlotError::KeyExists`]).
    fn import(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
        pkcs8: &[u8],
    ) -> Result<PublicKey, SlotError>;

    /// Makes the same key known under a second id, which has to be free. Whoever destroys one of
    /// the two leaves the other.
    fn copy(&self, id: &KeyId, new: &KeyId) -> Result<(), SlotError>;

    /// Puts a key of this token into another token too, under its id, which has to be free there.
    /// The caller has seen to it that this is allowed (`<AllowExtraction/>`).
    fn replicate(&self, id: &KeyId, to: &dyn KeyTransfer) -> Result<(), SlotError>;

    /// The PKCS#11 slot, where it is one: two of them talk through their modules.
    fn as_pkcs11(&self) -> Option<&Pkcs11Slot> {
        None
    }
}
