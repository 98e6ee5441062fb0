"""Lays out what `sam build` would, with binaries that are built already, and the image that `sam local invoke` runs
them in: AWS's Runtime Interface Emulator and the libraries that the binaries load, and nothing else.

usage: sam_build.py BINARIES OUT

Leaves OUT/template.yaml, OUT/infra, OUT/<function>/bootstrap and OUT/image/Dockerfile.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import samcli
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
EMULATOR = Path(samcli.__file__).parent / "local/rapid/aws-lambda-rie-x86_64"


def place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def lay_out(binaries: Path, out: Path) -> list[Path]:
    """The template and each function's folder; answers the binaries."""
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    template["Globals"]["Function"].pop("CodeUri", None)
    found = []
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            binary = binaries / resource["Metadata"]["BuildProperties"]["Binary"]
            place(binary, out / name / "bootstrap")
            resource["Properties"]["CodeUri"] = name
            found.append(binary)
    (out / "template.yaml").write_text(json.dumps(template), encoding="utf-8")
    shutil.copytree(ROOT / "infra", out / "infra", dirs_exist_ok=True)
    return found


def image(binaries: list[Path], out: Path) -> None:
    emulator = out / "root/var/rapid/aws-lambda-rie"
    place(EMULATOR, emulator)
    emulator.chmod(0o755)
    loaded = subprocess.run(["ldd", *binaries], check=True, capture_output=True, text=True).stdout
    for library in set(re.findall(r"(/\S+)(?= \(0x)", loaded)):
        inside = out / "root" / library[1:]
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, inside)
    recipe = 'FROM scratch\nCOPY root /\nWORKDIR /var/task\nENTRYPOINT ["/var/rapid/aws-lambda-rie"]\n'
    (out / "Dockerfile").write_text(recipe, encoding="utf-8")


def main() -> None:
    binaries, out = map(Path, sys.argv[1:])
    shutil.rmtree(out, ignore_errors=True)
    image(lay_out(binaries, out), out / "image")


if __name__ == "__main__":
    main()
