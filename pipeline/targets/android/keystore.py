"""Whether a keystore holds a key that can sign apps, found out before anything is signed."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import InputError, PocketGemmaError
from pipeline.targets.android.tools import find_tool, run_tool

KEYSTORE = "POCKETGEMMA_KEYSTORE"
KEYSTORE_PASSWORD = "POCKETGEMMA_KEYSTORE_PASSWORD"
KEY_ALIAS = "POCKETGEMMA_KEY_ALIAS"
KEY_PASSWORD = "POCKETGEMMA_KEY_PASSWORD"

LEAST_RSA_BITS = 2048

FAILURES = {
    "password was incorrect": f"{KEYSTORE_PASSWORD}: wrong password for {{keystore}}; set the correct one",
    "Cannot recover key": f"{KEY_PASSWORD}: wrong password for the key {{alias}}; set the correct one",
    "does not exist": f"{KEY_ALIAS}: no key {{alias}} in {{keystore}}; to list: keytool -list -keystore FILE",
    "has no key": f"{KEY_ALIAS}: {{alias}} in {{keystore}} is a certificate without its key; name a key",
}
"""What keytool says, and what is to be mended."""

NOT_A_KEYSTORE = (
    f"{KEYSTORE}: {{keystore}} is not a keystore, or is damaged; set it to a PKCS #12 or JKS "
    "file, such as keytool -genkeypair creates"
)


def check_keystore(keystore: Path, alias: str, secrets: Mapping[str, str]) -> None:
    """Refuse a keystore whose key cannot sign an app.

    Args:
        keystore: the file.
        alias: name of the key in it.
        secrets: KEYSTORE_PASSWORD and KEY_PASSWORD.

    Raises:
        InputError: wrong password, no such key, not a keystore, or a key that Android does not take; names
            the variable to mend.
        PocketGemmaError: keytool cannot be run.
    """
    names = {"keystore": keystore.name, "alias": alias}
    one_password = keystore.read_bytes()[:1] == b"\x30"  # DER: PKCS #12
    if one_password and secrets[KEY_PASSWORD] != secrets[KEYSTORE_PASSWORD]:
        raise InputError(
            f"{KEY_PASSWORD}: differs from {KEYSTORE_PASSWORD}, but a PKCS #12 keystore has only one "
            "password; unset it"
        )
    _keytool(keystore, alias, secrets, "-certreq", "-keypass:env", KEY_PASSWORD)
    _check_certificate(_keytool(keystore, alias, secrets, "-exportcert", "-rfc"), names)


def _keytool(keystore: Path, alias: str, secrets: Mapping[str, str], action: str, *options: str) -> str:
    """The output of keytool about a key.

    Raises:
        InputError: it refuses the keystore, the key or a password.
    """
    store: list[str | Path] = ["-keystore", keystore, "-alias", alias, "-storepass:env", KEYSTORE_PASSWORD]
    program: list[str | Path] = [find_tool("keytool"), "-J-Duser.language=en", action]
    try:
        return run_tool([*program, *store, *options], f"reading {keystore.name}", secrets)
    except PocketGemmaError as error:
        said = str(error)
    if "keytool error" not in said:
        raise PocketGemmaError(said)
    sentence = next((what for sign, what in FAILURES.items() if sign in said), NOT_A_KEYSTORE)
    raise InputError(sentence.format(keystore=keystore.name, alias=alias))


def _check_certificate(pem: str, names: Mapping[str, str]) -> None:
    """Refuse a key that Android does not take, and an expired certificate.

    Raises:
        InputError: as said.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL)
    assert found is not None, "keytool -exportcert -rfc prints a certificate"
    certificate = x509.load_pem_x509_certificate(found[0].encode())
    key = certificate.public_key()
    make = "create one with: keytool -genkeypair -keyalg RSA -keysize 4096 -validity 10000"
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
        raise InputError(
            f"{KEYSTORE}: the key {names['alias']} in {names['keystore']} is {kind}, but Android accepts "
            f"only RSA and EC keys; {make}"
        )
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise InputError(
            f"{KEYSTORE}: the key {names['alias']} in {names['keystore']} has {key.key_size} bits, expected "
            f"{LEAST_RSA_BITS} or more; {make}"
        )
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise InputError(
            f"{KEYSTORE}: the certificate of {names['alias']} in {names['keystore']} expired on "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}; an update needs the same key: renew its "
            "certificate with keytool -selfcert, or start with a new key"
        )
