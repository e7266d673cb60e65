"""Neither the app's code nor its libraries call a part of Java's library that Android 7 lacks.

Android 7 (API 24) has the library of Java 8 without a few packages. The JDK contains the signatures of Java
8.
"""

import zipfile
from collections.abc import Iterable
from functools import cache

import pytest

from pipeline.targets.android.classes import build_dex
from pipeline.targets.android.resources import build_resources
from pipeline.targets.android.tools import java_home
from tests.targets.android.bytecode import ClassFile, Member, members_called, read_class

pytestmark = pytest.mark.slow

NEWER_PACKAGES = ("java/time/", "java/nio/file/", "java/lang/invoke/", "java/lang/module/", "java/net/http/")
"""Parts of Java 8 that Android has only since API 26, or not at all."""

NEWER_CLASSES = ("java/util/Base64",)


@cache
def java_8() -> dict[str, ClassFile]:
    """The classes of Java 8's library, from the signatures that the compiler uses for `--release 8`."""
    classes = {}
    with zipfile.ZipFile(java_home() / "lib" / "ct.sym") as signatures:
        for name in signatures.namelist():
            # The name of a folder lists the releases that its signatures belong to: 8, or 879A and so on.
            releases, _, path = name.partition("/")
            if "8" in releases and path.endswith(".sig"):
                classes[path.removeprefix("java.base/").removesuffix(".sig")] = read_class(
                    signatures.read(name)
                )
    return classes


def has(member: Member, owner: str) -> bool:
    known = java_8().get(owner)
    if known is None:
        return False
    return (member.name, member.descriptor) in known.members or any(
        has(member, parent) for parent in known.parents
    )


def missing(called: Iterable[Member]) -> list[str]:
    """The members of Java's library that Android 7 lacks."""
    ours = [member for member in called if member.owner.startswith("java/")]
    newer = [
        member
        for member in ours
        if member.owner.startswith(NEWER_PACKAGES)
        or member.owner in NEWER_CLASSES
        or not has(member, member.owner)
    ]
    return sorted(f"{member.owner}.{member.name}{member.descriptor}" for member in newer)


def test_the_app_calls_no_part_of_java_that_android_7_lacks() -> None:
    called = members_called(build_dex(build_resources("PocketGemma")))
    assert Member("java/util/List", "size", "()I") in called
    assert missing(called) == []


def test_newer_members_are_found() -> None:
    newer = [
        Member("java/util/List", "of", "()Ljava/util/List;"),
        Member("java/util/ArrayList", "removeLast", "()Ljava/lang/Object;"),
        Member("java/lang/String", "repeat", "(I)Ljava/lang/String;"),
        Member("java/nio/file/Files", "exists", "()Z"),
        Member("java/nio/ByteBuffer", "flip", "()Ljava/nio/ByteBuffer;"),
    ]
    older = [
        Member("java/util/ArrayList", "hashCode", "()I"),
        Member("java/util/Map", "getOrDefault", "(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;"),
    ]
    assert len(missing(newer + older)) == len(newer)
