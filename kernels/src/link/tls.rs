//! TLS 1.3 with one trusted certificate at each side, and no authority.
//!
//! The other side's certificate is the pinned one byte for byte, within its dates, and the
//! handshake is signed with its key. The name it bears is compared where the pin is read: equal
//! bytes bear the same name. Nothing is resumed, so every connection proves all of this anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, SignatureScheme,
};

/// The one protocol above TLS: HTTP/2.
pub const ALPN: &[u8] = b"h2";

/// What one side brings to TLS, PEM; `peer_from`, `peer_until`: the pin's dates, seconds since 1970.
#[allow(missing_docs)]
pub struct Identity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
    pub peer: Vec<u8>,
    pub peer_from: u64,
    pub peer_until: u64,
}

/// The one certificate that is let in, and what was seen instead of it.
#[derive(Debug)]
pub struct Pin {
    der: CertificateDer<'static>,
    from: u64,
    until: u64,
    provider: Arc<CryptoProvider>,
    strangers: AtomicUsize,
    last: Mutex<Vec<u8>>,
}

impl Pin {
    /// How many certificates were shown that are not the pinned one.
    pub fn strangers(&self) -> usize {
        self.strangers.load(Ordering::Relaxed)
    }

    /// The last of them, DER.
    pub fn last_stranger(&self) -> Vec<u8> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn check(&self, shown: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        if shown.as_ref() != self.der.as_ref() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = shown.to_vec();
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        match now.as_secs() {
            seconds if seconds < self.from => Err(CertificateError::NotValidYet.into()),
            seconds if seconds > self.until => Err(CertificateError::Expired.into()),
            _ => Ok(()),
        }
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn only_tls_1_3<T>() -> Result<T, Error> {
    Err(Error::General("TLS 1.3 only".into()))
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_tls_1_3()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_tls_1_3()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

/// What of an identity cannot be used, in a few words.
pub type Unusable = String;

fn unusable(error: impl std::fmt::Display) -> Unusable {
    error.to_string()
}

/// The groups of the key exchange, a hybrid with a post-quantum one first.
fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1];
    Arc::new(CryptoProvider { kx_groups, ..default_provider() })
}

type Parts = (Arc<Pin>, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Identity {
    fn parts(&self) -> Result<Parts, Unusable> {
        let pin = Pin {
            der: CertificateDer::from_pem_slice(&self.peer).map_err(unusable)?,
            from: self.peer_from,
            until: self.peer_until,
            provider: provider(),
            strangers: AtomicUsize::new(0),
            last: Mutex::default(),
        };
        let own = CertificateDer::from_pem_slice(&self.certificate).map_err(unusable)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(unusable)?;
        Ok((Arc::new(pin), vec![own], key))
    }

    /// For the side that listens.
    pub fn server(&self) -> Result<(Arc<ServerConfig>, Arc<Pin>), Unusable> {
        let (pin, own, key) = self.parts()?;
        let mut config = ServerConfig::builder_with_provider(pin.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(pin.clone())
            .with_single_cert(own, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![ALPN.into()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok((Arc::new(config), pin))
    }

    /// For the side that dials.
    pub fn client(&self) -> Result<(Arc<ClientConfig>, Arc<Pin>), Unusable> {
        let (pin, own, key) = self.parts()?;
        let mut config = ClientConfig::builder_with_provider(pin.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(pin.clone())
            .with_client_auth_cert(own, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![ALPN.into()];
        config.resumption = Resumption::disabled();
        Ok((Arc::new(config), pin))
    }
}

/// What of TLS an error of a connection is about, if it is.
pub fn cause(error: &std::io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
