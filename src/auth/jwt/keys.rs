//! Keys that tokens are checked with. A key knows the algorithms that it is for, and nothing else decides: what a token
//! says about its own algorithm only has to agree. So a public key is never taken for a shared secret, and a token
//! without a signature has no key.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config;
use crate::limits::JWKS_KEYS_MAX;

/// Algorithms that an operator allows.
pub type Allowed = Vec<Algorithm>;

/// The algorithms of a configuration.
pub fn allowed(configured: &[config::Algorithm]) -> Allowed {
    // Every word of the configuration is one of the crate's, as a test shows.
    configured.iter().filter_map(|algorithm| algorithm.word().parse().ok()).collect()
}

/// Why something is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoKey(String);

/// A key, and what it is for.
#[derive(Clone)]
pub struct VerifyingKey {
    id: Option<String>,
    algorithms: Allowed,
    key: DecodingKey,
}

impl VerifyingKey {
    /// A shared secret.
    ///
    /// # Errors
    /// It is empty, or no algorithm with shared secrets is allowed.
    pub fn secret(secret: &[u8], allowed: &[Algorithm]) -> Result<Self, NoKey> {
        if secret.is_empty() {
            return Err(NoKey("the secret is empty".into()));
        }
        Self::of_family(DecodingKey::from_secret(secret), allowed)
    }

    /// A public key in PEM.
    ///
    /// # Errors
    /// It is no public key, or no algorithm for its kind is allowed.
    pub fn pem(pem: &[u8], allowed: &[Algorithm]) -> Result<Self, NoKey> {
        let text = String::from_utf8_lossy(pem);
        if text.contains("PRIVATE KEY-----") {
            return Err(NoKey("this is a private key; the server needs the public one only".into()));
        }
        if text.contains("BEGIN CERTIFICATE-----") {
            return Err(NoKey(
                "this is a certificate; `openssl x509 -pubkey -noout` takes its key out".into(),
            ));
        }
        let kinds = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
        let key = kinds.iter().find_map(|read| read(pem).ok());
        Self::of_family(key.ok_or_else(|| NoKey("this is no public key in PEM".into()))?, allowed)
    }

    /// A key of a set. `None` for one that is not for checking signatures, or of a kind that is not known or allowed.
    fn of_set(jwk: &Jwk, allowed: &[Algorithm], symmetric: bool) -> Option<Self> {
        let common = &jwk.common;
        let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
        let signs = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(verifies)
            && (symmetric || !matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)))
            && has_length_of_curve(&jwk.algorithm);
        let key = DecodingKey::from_jwk(jwk).ok().filter(|_| signs)?;
        let mut key = Self::of_family(key, allowed).ok()?;
        if let Some(named) = common.key_algorithm {
            let named = Algorithm::try_from(named).ok()?;
            key.algorithms.retain(|algorithm| *algorithm == named);
        }
        key.id = common.key_id.clone();
        (!key.algorithms.is_empty()).then_some(key)
    }

    /// A key is for all algorithms of its family; on a curve for one.
    fn of_family(key: DecodingKey, allowed: &[Algorithm]) -> Result<Self, NoKey> {
        let bytes = key.try_get_as_bytes().map_or(0, <[u8]>::len);
        let suits = |algorithm: &Algorithm| match (key.family(), algorithm) {
            (AlgorithmFamily::Ec, Algorithm::ES256) => bytes == P256_BYTES,
            (AlgorithmFamily::Ec, Algorithm::ES384) => bytes == P384_BYTES,
            (family, algorithm) => algorithm.family() == family,
        };
        let algorithms: Allowed = allowed.iter().copied().filter(suits).collect();
        match algorithms.is_empty() {
            true => Err(NoKey(format!(
                "jwt.algorithms allows none that a key of this kind ({:?}) is for",
                key.family()
            ))),
            false => Ok(Self { id: None, algorithms, key }),
        }
    }

    /// Its name in the set.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether it is for `algorithm`.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether `signature` (base64) is that of `message`, made by `algorithm`. About 1 µs for shared secrets, 20–100 µs for
    /// public keys.
    pub fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        let verified = || jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.key, algorithm);
        self.is_for(algorithm) && verified().unwrap_or(false)
    }
}

/// Points as they stand in keys: a byte for their form, and two coordinates.
const P256_BYTES: usize = 1 + 2 * 32;
const P384_BYTES: usize = 1 + 2 * 48;

/// A key that says one curve and has the coordinates of another is none; other curves than these are not known.
fn has_length_of_curve(parameters: &AlgorithmParameters) -> bool {
    match parameters {
        AlgorithmParameters::EllipticCurve(point) => {
            let bytes = DecodingKey::from_ec_components(&point.x, &point.y);
            let bytes = bytes.ok().and_then(|key| key.try_get_as_bytes().ok().map(<[u8]>::len));
            match point.curve {
                EllipticCurve::P256 => bytes == Some(P256_BYTES),
                EllipticCurve::P384 => bytes == Some(P384_BYTES),
                _ => false,
            }
        }
        AlgorithmParameters::OctetKeyPair(pair) => pair.curve == EllipticCurve::Ed25519,
        _ => true,
    }
}

/// A set whose members are looked at one by one, so that an odd one does not spoil the others.
#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The usable keys of a set (RFC 7517 section 5). Shared secrets are taken from a file (`symmetric`), but never from the
/// network.
///
/// # Errors
/// It is no set, or has no usable key.
pub fn key_set(json: &[u8], allowed: &[Algorithm], symmetric: bool) -> Result<Vec<VerifyingKey>, NoKey> {
    let set: Set<'_> = serde_json::from_slice(json)
        .map_err(|error| NoKey(format!("this is no JSON object with a list of `keys`: {error}")))?;
    let read = |raw: &&RawValue| serde_json::from_str::<Jwk>(raw.get()).ok();
    let usable = |jwk: Jwk| VerifyingKey::of_set(&jwk, allowed, symmetric);
    let keys: Vec<_> = set.keys.iter().take(JWKS_KEYS_MAX).filter_map(read).filter_map(usable).collect();
    match keys.is_empty() {
        true => {
            Err(NoKey(format!("none of its {} keys can check signatures that are allowed", set.keys.len())))
        }
        false => Ok(keys),
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?}, {:?})", self.id, self.algorithms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Algorithm as Configured;

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"ed","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const OCT: &str = r#"{"kty":"oct","kid":"shared","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;

    fn all() -> Allowed {
        allowed(&Configured::ALL)
    }

    #[test]
    fn every_configured_algorithm_is_known() {
        assert_eq!(all().len(), Configured::ALL.len());
    }

    #[test]
    fn odd_keys_do_not_spoil_a_set() {
        let odd = r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"},{"kty":"novel"},7,{"kty":"RSA","n":"AA"}"#;
        let encrypting = ED.replace("\"sig\"", "\"enc\"");
        let keys =
            key_set(format!(r#"{{"keys":[{odd},{encrypting},{ED}]}}"#).as_bytes(), &all(), false).unwrap();
        assert_eq!((keys.len(), keys[0].id(), keys[0].is_for(Algorithm::EdDSA)), (1, Some("ed"), true));
        assert!(key_set(b"{\"keys\":[]}", &all(), false).is_err());
        assert!(key_set(b"[]", &all(), false).unwrap_err().to_string().contains("no JSON object"));
    }

    #[test]
    fn shared_secrets_do_not_come_over_the_network() {
        let set = format!(r#"{{"keys":[{OCT}]}}"#);
        assert!(key_set(set.as_bytes(), &all(), false).is_err());
        let keys = key_set(set.as_bytes(), &all(), true).unwrap();
        assert!(keys[0].is_for(Algorithm::HS512) && !keys[0].is_for(Algorithm::RS256));
    }

    #[test]
    fn a_key_is_for_what_it_says_and_what_is_allowed() {
        let named = OCT.replace("\"oct\"", "\"oct\",\"alg\":\"HS384\"");
        let keys = key_set(format!(r#"{{"keys":[{named}]}}"#).as_bytes(), &all(), true).unwrap();
        assert!(keys[0].is_for(Algorithm::HS384) && !keys[0].is_for(Algorithm::HS256));
        let only = allowed(&[Configured::Rs256]);
        assert!(VerifyingKey::secret(b"a", &only).unwrap_err().to_string().contains("jwt.algorithms"));
        assert!(VerifyingKey::secret(b"", &all()).is_err());
    }

    #[test]
    fn what_is_no_public_key_is_said_to_be_so() {
        let said = |pem: &str| VerifyingKey::pem(pem.as_bytes(), &all()).unwrap_err().to_string();
        assert!(said("-----BEGIN PRIVATE KEY-----").contains("public one"));
        assert!(said("-----BEGIN CERTIFICATE-----").contains("x509"));
        assert!(said("hello").contains("PEM"));
    }
}
