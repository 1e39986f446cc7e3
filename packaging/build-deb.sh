#!/bin/bash
# Builds the trackerd package from bin/, for the Makefile: VERSION, ARCH and
# SOURCE_DATE_EPOCH in the environment, the file to write as its argument.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${VERSION:?}" "${ARCH:?}" "${SOURCE_DATE_EPOCH:?}"
export VERSION ARCH SOURCE_DATE_EPOCH
target=$1
stage=dist/stage

# `apt install dist/trackerd_*.deb` should find one package, the newest.
rm -rf "$stage" dist/trackerd_*_"$ARCH".deb
mkdir -p "$stage"
# Whoever builds: the same modes, the same bytes.
umask 022

for page in packaging/man/*; do
  gzip -9nc "$page" >"$stage/${page##*/}.gz"
done

{
  printf 'trackerd (%s-1) bookworm; urgency=medium\n\n' "$VERSION"
  sed '1s/^/  * /; 2,$s/^/    /' packaging/changes
  printf '\n -- %s  %s\n' "$(sed -n 's/^maintainer: //p' nfpm.yaml)" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$stage/changelog.gz"

for shell in bash zsh fish; do
  bin/trackctl completion "$shell" >"$stage/trackctl.$shell"
done

nfpm package --config nfpm.yaml --packager deb --target "$target" >/dev/null
rm -rf "$stage"
echo "package: $target"
