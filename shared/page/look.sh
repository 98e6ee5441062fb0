#!/bin/sh
# Pictures of the page, narrow and wide, light and dark, and what axe-core finds wrong with it: target/page. With a file as
# argument, of that page; else of a sample, and of one in which others wrote what they may. Needs Debian's package `chromium`, node and npm.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p target/page
command -v chromium >/dev/null || { echo "chromium is not installed: apt-get install chromium" >&2; exit 1; }
if [ $# -gt 0 ]; then
    cp "$1" target/page/page.html
    rm -f target/page/hostile.html
else
    cargo run --quiet --package page --example sample >target/page/page.html
    cargo run --quiet --package page --example sample hostile >target/page/hostile.html
fi
npm install --silent --no-audit --no-fund --prefix target/page playwright-core@1 axe-core@4
node shared/page/look.mjs target/page
