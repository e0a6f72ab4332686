"""A certificate authority of the emulator's own, and the certificate it serves https with.

The authority is made on first use and kept, for clients are told to trust it; the server's certificate is made at each
start.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from policyengine.emulator.private_files import read_private, write_private
from policyengine.errors import ConfigError

AUTHORITY_FILE: Final = "ca.pem"
AUTHORITY_KEY_FILE: Final = "ca-key.pem"
SERVER_FILE: Final = "server.pem"
ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
_AUTHORITY_LIFE: Final = timedelta(days=3650)
_SERVER_LIFE: Final = timedelta(days=365)
_SKEW: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """``authority`` is what clients trust, ``chain`` the file with the server's key and certificate."""

    authority: Path
    chain: Path


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def certificate_for(host: str, folder: Path, now: datetime) -> Certificate:
    """A certificate for ``host`` and the names of this machine, by the authority of ``folder``.

    Raises ConfigError when the authority there cannot be read or written.
    """
    authority = _read(folder, now) or _create(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _server(authority, key, host, now)
    chain = folder / SERVER_FILE
    write_private(chain, _private(key) + _public(certificate) + _public(authority.certificate))
    return Certificate(folder / AUTHORITY_FILE, chain)


def _read(folder: Path, now: datetime) -> _Authority | None:
    """None where there is none yet, or one whose time is over."""
    public, private = (read_private(folder / name) for name in (AUTHORITY_FILE, AUTHORITY_KEY_FILE))
    if public is None and private is None:
        return None
    help = f"remove `{AUTHORITY_FILE}` and `{AUTHORITY_KEY_FILE}`: new ones are made, and clients must trust them"
    if public is None or private is None:
        missing = AUTHORITY_FILE if public is None else AUTHORITY_KEY_FILE
        raise ConfigError(f"`{folder}` holds a certificate authority without its `{missing}`", help=help)
    try:
        certificate = x509.load_pem_x509_certificate(public)
        key = serialization.load_pem_private_key(private, None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"the certificate authority in `{folder}` cannot be read", help=help) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigError(f"the certificate authority in `{folder}` has another key than its certificate", help=help)
    return _Authority(certificate, key) if now < certificate.not_valid_after_utc else None


def _create(folder: Path, now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("policyengine emulator CA")
    builder = _builder(name, name, key, now, _AUTHORITY_LIFE)
    usage = _usage(signs_certificates=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    write_private(folder / AUTHORITY_KEY_FILE, _private(key))
    write_private(folder / AUTHORITY_FILE, _public(certificate))
    return _Authority(certificate, key)


def _server(authority: _Authority, key: ec.EllipticCurvePrivateKey, host: str, now: datetime) -> x509.Certificate:
    names = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys((*ALWAYS, host))])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    life = min(_SERVER_LIFE, authority.certificate.not_valid_after_utc - now)
    builder = (
        _builder(_name("policyengine emulator"), authority.certificate.subject, key, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(issuer, critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
