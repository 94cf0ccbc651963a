"""Print cluster.local.yaml for the hosts of run.sh: their addresses and key, and packages linked instead of downloaded.

python tests/loopback/config.py HEAD_IP WORKER_IP...
"""

import sys
from pathlib import Path

import yaml

SHARED = "/mnt"
SITE = f"~/venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
PACKAGES = [path for path in sys.path if path.endswith("-packages")]
SCRIPTS = {"ray": "ray.scripts.scripts", "nadlab": "nadlab.cli.main"}


def link_packages() -> list[str]:
    """Return what stands for `pip install` on hosts without a network: the packages of this Python, without the project."""
    script = "printf '#!%s\\nfrom {module} import main\\nmain()\\n' ~/venv/bin/python > ~/venv/bin/{name}"
    return [
        f"{sys.executable} -m venv --without-pip ~/venv",
        f"printf '%s\\n' {' '.join(PACKAGES)} > {SITE}/packages.pth",
        *(script.format(name=name, module=module) for name, module in SCRIPTS.items()),
        f"chmod +x {' '.join(f'~/venv/bin/{name}' for name in SCRIPTS)}",
    ]


def main(head: str, *workers: str) -> None:
    text = (Path(__file__).parents[2] / "cluster.local.yaml").read_text().replace("/shared", SHARED)
    # one trial a host at a time: they share the cores of this machine
    config = yaml.safe_load(text.replace("ray start", "ray start --num-cpus=1"))
    config["provider"] |= {"head_ip": head, "worker_ips": list(workers)}
    config["auth"] |= {"ssh_user": "root"}
    kept = [
        command for command in config["setup_commands"] if not command.startswith(("python3 -m venv", "~/venv/bin/pip"))
    ]
    config["setup_commands"] = link_packages() + kept
    # the workers lack the project: its code must reach them through Ray
    config["head_setup_commands"] = [f"printf '%s\\n' ~/nadlab/platform ~/nadlab > {SITE}/nadlab.pth"]
    print(yaml.safe_dump(config, sort_keys=False, width=1000))


if __name__ == "__main__":
    main(*sys.argv[1:])
