"""Locations and checksums of the official files, as the benchmarks' own repositories state them.

Sources: README of google-research/nasbench; README of D-X-Y/AutoDL-Projects and D-X-Y/NATS-Bench (Google Drive
alone, which cannot be fetched by a plain request); `model_downloader.py` of automl/nasbench301, which states no
checksum.
"""

from dataclasses import dataclass

from nadlab.errors import UserError


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One download."""

    name: str
    """of the archive that it becomes"""
    file: str
    url: str | None
    """None where only a browser can download it, from `page`"""
    page: str
    sha256: str | None = None
    size: str = ""


_GOOGLE = "https://storage.googleapis.com/nasbench"
CATALOG = {
    "nasbench101": OfficialFile(
        "nasbench101",
        "nasbench_only108.tfrecord",
        f"{_GOOGLE}/nasbench_only108.tfrecord",
        "https://github.com/google-research/nasbench",
        "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        "499 MB",
    ),
    "nasbench101-full": OfficialFile(
        "nasbench101-full",
        "nasbench_full.tfrecord",
        f"{_GOOGLE}/nasbench_full.tfrecord",
        "https://github.com/google-research/nasbench",
        "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        "1.95 GB",
    ),
    "nasbench201": OfficialFile(
        "nasbench201",
        "NATS-tss-v1_0-3ffb9-simple.tar or NAS-Bench-201-v1_1-096897.pth",
        None,
        "https://github.com/D-X-Y/NATS-Bench (Google Drive)",
    ),
    "nasbench301-v0.9": OfficialFile(
        "nasbench301-v0.9",
        "nasbench301_models_v0.9.zip",
        "https://ndownloader.figshare.com/files/24693026",
        "https://figshare.com/articles/software/nasbench301_models_v0_9_zip/12962432",
    ),
    "nasbench301-v1.0": OfficialFile(
        "nasbench301-v1.0",
        "nasbench301_models_v1.0.zip",
        "https://ndownloader.figshare.com/files/24992018",
        "https://figshare.com/articles/software/nasbench301_models_v1_0_zip/13061510",
    ),
}


def official(name: str) -> tuple[OfficialFile, str]:
    """Return a benchmark's download and its URL.

    Raises UserError that lists the known names, or says which file to download by hand.
    """
    if name not in CATALOG:
        raise UserError(f"unknown download {name!r}: choose one of {', '.join(CATALOG)}")
    found = CATALOG[name]
    if found.url is None:
        raise UserError(
            f"{name} can only be downloaded in a browser: get {found.file} from {found.page}, then run `nadlab benchmarks convert FILE`"
        )
    return found, found.url
