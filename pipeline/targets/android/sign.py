"""Sign an APK: with your key, which the environment names, or with a generated debug key, which stays in the
cache.

Passwords are only passed in environment variables: not as arguments, which every user of the machine can
list, and not in files.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import cached
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.targets.android.keystore import (
    KEY_ALIAS,
    KEY_PASSWORD,
    KEYSTORE,
    KEYSTORE_PASSWORD,
    check_keystore,
)
from pipeline.targets.android.project import app_settings
from pipeline.targets.android.tools import find_tool, run_tool

# The debug key is not secret. It must stay the same, or the phone refuses to update an installed build.
_DEBUG_ALIAS = "debug"
_DEBUG_PASSWORD = "android"
_DEBUG_VALIDITY_DAYS = 10950


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A key and its passwords. It has no repr, so that no password gets into a log.

    Attributes:
        keystore: the file with the key.
        alias: name of the key in it.
        debug: whether this is the generated debug key.
        secrets: environment variables for the signing program only: name and password.
    """

    keystore: Path
    alias: str
    debug: bool
    secrets: Mapping[str, str]


def signing_key() -> SigningKey:
    """Your key if POCKETGEMMA_KEYSTORE is set, else the debug key.

    Raises:
        InputError: POCKETGEMMA_KEYSTORE is set, but the file or one of the other variables is missing.
    """
    path = os.environ.get(KEYSTORE)
    if not path:
        return _debug_key()
    keystore = Path(path).expanduser()
    if not keystore.is_file():
        raise InputError(f"{KEYSTORE}: no such file: {keystore}")
    missing = [name for name in (KEYSTORE_PASSWORD, KEY_ALIAS) if not os.environ.get(name)]
    if missing:
        raise InputError(f"{KEYSTORE} is set; also set {' and '.join(missing)}")
    password = os.environ[KEYSTORE_PASSWORD]
    secrets = {KEYSTORE_PASSWORD: password, KEY_PASSWORD: os.environ.get(KEY_PASSWORD) or password}
    return SigningKey(keystore, os.environ[KEY_ALIAS], debug=False, secrets=secrets)


def check_signing_key() -> None:
    """Refuse a key of yours that cannot sign an app.

    Raises:
        InputError: as for `signing_key` and `check_keystore`.
    """
    key = signing_key()
    if not key.debug:
        check_keystore(key.keystore, key.alias, key.secrets)


def signer_digest() -> str:
    """Identify the signer without a secret: the sha256 of your keystore and the alias, or "debug".

    Raises:
        InputError: as for `signing_key`.
    """
    if not os.environ.get(KEYSTORE):
        return "debug"
    key = signing_key()
    return f"{sha256_of_file(key.keystore)} {key.alias}"


def _debug_key() -> SigningKey:
    secrets = {KEYSTORE_PASSWORD: _DEBUG_PASSWORD, KEY_PASSWORD: _DEBUG_PASSWORD}

    def make(folder: Path) -> None:
        options = [
            "-storetype",
            "PKCS12",
            "-keyalg",
            "RSA",
            "-keysize",
            "2048",
            "-validity",
            str(_DEBUG_VALIDITY_DAYS),
        ]
        passwords = ["-storepass:env", KEYSTORE_PASSWORD, "-keypass:env", KEY_PASSWORD]
        name = ["-alias", _DEBUG_ALIAS, "-dname", "CN=PocketGemma debug"]
        command: list[str | Path] = [
            find_tool("keytool"),
            "-genkeypair",
            "-keystore",
            folder / "debug.p12",
            *name,
            *options,
            *passwords,
        ]
        run_tool(command, "generating a debug key", secrets)

    return SigningKey(cached("key", "debug", make) / "debug.p12", _DEBUG_ALIAS, debug=True, secrets=secrets)


def sign(unsigned: Path, target: Path) -> SigningKey:
    """Sign an APK with the signature schemes v2 and v3, and return the key.

    Raises:
        InputError: your key is not fully specified.
        PocketGemmaError: apksigner fails.
    """
    key = signing_key()
    settings = app_settings()
    # Only Android 6 and older need version 1 signatures. Without them, the APK has no META-INF.
    schemes = [
        "--v1-signing-enabled",
        "false",
        "--v2-signing-enabled",
        "true",
        "--v3-signing-enabled",
        "true",
        "--v4-signing-enabled",
        "false",
    ]
    store: list[str | Path] = [
        "--ks",
        key.keystore,
        "--ks-key-alias",
        key.alias,
        "--ks-pass",
        f"env:{KEYSTORE_PASSWORD}",
        "--key-pass",
        f"env:{KEY_PASSWORD}",
    ]
    command: list[str | Path] = [
        find_tool("apksigner"),
        "sign",
        *store,
        "--min-sdk-version",
        str(settings.min_sdk),
        *schemes,
        "--out",
        target,
        unsigned,
    ]
    run_tool(command, f"signing {target.name}", key.secrets)
    return key
