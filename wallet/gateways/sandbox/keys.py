"""
RSA keys of the sandbox: reading them, naming them, and making a pair of pairs for a demo.

Nothing secret is in the repository: a demo makes its keys once, in its own directory.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

BITS = 2048
_SIDES = ("merchant", "gateway")


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """Where the four files of a demo are; each side needs its private and the other's public."""

    merchant_private: Path
    merchant_public: Path
    gateway_private: Path
    gateway_public: Path


def ensure(directory: Path) -> DemoKeys:
    """
    Return the demo keys in `directory`, making them (0600, in a 0700 directory) the first time.

    Two processes that start together get the same keys: the directory appears by one rename.
    """
    found = DemoKeys(
        *(directory / f"{side}-{kind}.pem" for side in _SIDES for kind in ("private", "public"))
    )
    if directory.is_dir():
        return found
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for side in _SIDES:
            _write_pair(fresh, side)
        fresh.rename(directory)
    except OSError:
        # Refused when another process was faster; then its keys are the keys.
        if not directory.is_dir():
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return found


def _write_pair(directory: Path, side: str) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    pems = {
        "private": private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        "public": private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    }
    for kind, pem in pems.items():
        descriptor = os.open(
            directory / f"{side}-{kind}.pem", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)


def private_key(pem_or_path: str) -> rsa.RSAPrivateKey:
    """
    Read a private key from PEM text (newlines may be written as backslash-n) or from a file.

    raises ValueError: it is not an RSA private key of at least BITS bits.
    """
    key = _parsed(_pem(pem_or_path))
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < BITS:
        raise ValueError(f"An RSA private key of at least {BITS} bits is needed.")
    return key


@lru_cache(maxsize=8)
def _parsed(pem: bytes) -> PrivateKeyTypes:
    """Prove the key's primes once; it takes a tenth of a second each time."""
    return serialization.load_pem_private_key(pem, password=None)


def public_key(pem_or_path: str) -> rsa.RSAPublicKey:
    """
    Read a public key from PEM text or from a file.

    raises ValueError: it is not an RSA public key of at least BITS bits.
    """
    key = serialization.load_pem_public_key(_pem(pem_or_path))
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < BITS:
        raise ValueError(f"An RSA public key of at least {BITS} bits is needed.")
    return key


def _pem(pem_or_path: str) -> bytes:
    if "-----BEGIN" in pem_or_path:
        return pem_or_path.replace("\\n", "\n").encode()
    return Path(pem_or_path).read_bytes()


def serial(key: rsa.RSAPublicKey) -> str:
    """Name a public key: the first 16 hex digits of the SHA-256 of its DER form."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:16]
