#!/bin/bash
# Builds a package from bin/, for the Makefile: its name and the file to write as
# arguments, VERSION, ARCH and SOURCE_DATE_EPOCH in the environment.
#
# packaging/NAME holds what goes into it: man/, changes (the newest entry of the
# changelog), postinst, prerm and postrm, as far as it has them. nfpm's
# description is nfpm.yaml there, or in the root folder for trackerd. What has to
# be made first lies below dist/stage/NAME; a script called stage makes what is
# that package's alone.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${VERSION:?}" "${ARCH:?}" "${SOURCE_DATE_EPOCH:?}"
export VERSION ARCH SOURCE_DATE_EPOCH
name=$1
target=$2
source=packaging/$name
stage=dist/stage/$name
config=$source/nfpm.yaml
[ -e "$config" ] || config=nfpm.yaml

# The program of each package that people type, and that completes its words.
declare -rA TYPED=([trackerd]=trackctl [trackerd-server]=trackerd-server)

# `apt install dist/trackerd_*.deb` should find one package, the newest.
rm -rf "$stage" "dist/${name}_"*"_$ARCH.deb"
mkdir -p "$stage"
# Whoever builds: the same modes, the same bytes.
umask 022

shopt -s nullglob
for page in "$source"/man/*; do
  gzip -9nc "$page" >"$stage/${page##*/}.gz"
done

{
  printf '%s (%s-1) bookworm; urgency=medium\n\n' "$name" "$VERSION"
  sed '1s/^/  * /; 2,$s/^/    /' "$source/changes"
  printf '\n -- %s  %s\n' "$(sed -n 's/^maintainer: //p' "$config")" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$stage/changelog.gz"

program=${TYPED[$name]:-}
if [ -n "$program" ]; then
  for shell in bash zsh fish; do
    "bin/$program" completion "$shell" >"$stage/$program.$shell"
  done
fi

for script in "$source"/{postinst,prerm,postrm}; do
  [ -e "$script" ] || continue
  sed -e '/^#unit\.sh#$/{r packaging/unit.sh' -e 'd}' "$script" >"$stage/${script##*/}"
done

[ ! -e "$source/stage" ] || "$source/stage" "$stage"

nfpm package --config "$config" --packager deb --target "$target" >/dev/null
rm -rf "$stage"
rmdir --ignore-fail-on-non-empty dist/stage
echo "package: $target"
