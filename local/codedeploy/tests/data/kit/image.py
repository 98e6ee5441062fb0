"""Makes an image as `docker save` does: image.py NAME VERSION FILE [PROCESSOR], for this machine's if it is not told.

It holds busybox and the libraries that it is linked with, and answers the version and its colour on port 3000.
"""
import hashlib
import io
import json
import platform
import re
import subprocess
import sys
import tarfile

name, version, target, *processor = sys.argv[1:]
here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
SCRIPT = """mkdir /www; echo "$VERSION on $GREENLIGHT_COLOUR" >/www/version
[ "$VERSION" = broken ] && { echo "this version cannot start"; exit 1; }
[ "$VERSION" = greedy ] && { x=xxxxxxxxxxxxxxxx; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do x=$x$x; done; }
[ "$VERSION" = sick ] || mv /www/version /www/healthz
trap 'exit 0' TERM
busybox httpd -f -p 3000 -h /www & wait"""


def add(tar, path, data, mode=0o755):
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in files:
            add(tar, path, data)
    return out.getvalue()


busybox = subprocess.run(["which", "busybox"], capture_output=True, text=True, check=True).stdout.strip()
linked = subprocess.run(["ldd", busybox], capture_output=True, text=True).stdout
libraries = re.findall(r"(/[^ ]+) \(0x", linked)
commands = ["busybox", "sh", "mkdir", "echo", "mv"]
files = [(f"bin/{command}", open(busybox, "rb").read()) for command in commands]
files += [(library.lstrip("/"), open(library, "rb").read()) for library in libraries]
layer = archive(files)
config = json.dumps({
    "architecture": (processor or [here])[0],
    "os": "linux",
    "config": {"Cmd": ["/bin/sh", "-c", SCRIPT], "Env": ["PATH=/bin", f"VERSION={version}"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
}).encode()
config_name = hashlib.sha256(config).hexdigest() + ".json"
manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
with open(target, "wb") as file:
    file.write(archive([(config_name, config), ("layer.tar", layer), ("manifest.json", manifest)]))
