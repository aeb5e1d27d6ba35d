//! The simulator's own certificate authority: it signs a leaf for every name that a client asks for.
//!
//! The authority is made anew with each simulator and its key never leaves the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};

use crate::error::Error;

/// A certificate authority.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    leaf_key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
    leaves: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A fresh authority.
    pub fn generate() -> Result<Self, Error> {
        let failed = |source| Error::Authority { source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Simulated cloud, authority of tests");
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        let leaf_key = KeyPair::generate().map_err(failed)?;
        let der = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
        let signing_key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der.into())
            .map_err(|source| Error::Tls { source })?;
        Ok(Self {
            pem,
            issuer: Issuer::new(params, key),
            leaf_key,
            signing_key,
            leaves: Mutex::default(),
        })
    }

    /// The root certificate, for clients to trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS for a server that answers to every name, with HTTP/1.1.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, Error> {
        let provider: CryptoProvider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::Tls { source })?;
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn leaf(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = leaves.get(name) {
            return Some(Arc::clone(found));
        }
        let mut params = CertificateParams::new(vec![name.to_owned()]).ok()?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Simulated cloud");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.leaf_key, &self.issuer).ok()?;
        let chain = vec![certificate.der().clone()];
        let leaf = Arc::new(CertifiedKey::new(chain, Arc::clone(&self.signing_key)));
        leaves.insert(name.to_owned(), Arc::clone(&leaf));
        Some(leaf)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello
            .server_name()
            .unwrap_or("localhost")
            .to_ascii_lowercase();
        self.leaf(&name)
    }
}
