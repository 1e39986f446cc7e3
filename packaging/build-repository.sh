#!/bin/bash
# Builds and signs the apt repository of the agent in dist/repository, for the
# Makefile: SOURCE_DATE_EPOCH, and KEY where there is one, in the environment.
#
# It takes every package of the agent that dist/ has to those that the repository
# has already: hosts upgrade from any version to the newest, and can go back. To
# drop an old one, delete its file there and run this again.
#
# KEY is who signs, an OpenPGP key whose primary key can sign:
#   a path         a file with the private key, as gpg --export-secret-keys makes it
#                  (KEY_PASSPHRASE_FILE: a file with its passphrase, if it has one)
#   anything else  a key of your own keyring, by fingerprint or address
#   nothing        the one in signing-key/, which is made there at first
# Whoever has the private key can install anything on every host that trusts it.
# It belongs with the builder, never on the server; the one in signing-key/ has no
# passphrase: guard it, and keep a copy, since hosts know no other.
#
# Release has no Valid-Until: only the builder can sign anew, and where nobody did in
# time, every host's apt update would fail. apt keeps the newer of two Releases, so
# that nobody can bring back an old one; somebody who breaks into the server can only
# withhold new ones.
#
# The same packages, key and SOURCE_DATE_EPOCH make the same bytes, with ed25519 and
# RSA keys.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${SOURCE_DATE_EPOCH:?}"
umask 022
export LC_ALL=C

readonly TARGET=dist/repository
readonly KEY_FILE=activity-tracker.gpg
# Lists of earlier states, for hosts that have just read which one to fetch.
readonly LISTS_KEPT=20
# Of what hosts accept, what every version of gpg can make.
readonly DIGEST=SHA512

STAGE=''
KEYRING=''  # the folder of gpg's keys, if it is not the builder's own
PRIVATE=''  # the same, if it must not outlive this run
GPG=(gpg --batch --quiet)

fail() {
  echo "repository: $*" >&2
  exit 1
}

clean_up() {
  if [ -n "$KEYRING" ]; then
    gpgconf --homedir "$KEYRING" --kill all || true
  fi
  rm -rf ${STAGE:+"$STAGE"} ${PRIVATE:+"$PRIVATE"}
}

# make_key makes a key in signing-key/, which git ignores.
make_key() {
  KEYRING=$PWD/signing-key
  [ -d "$KEYRING" ] || install -d -m 0700 "$KEYRING"
  [ "$(stat -c '%u %a' "$KEYRING")" = "$(id -u) 700" ] || fail "$KEYRING must be yours alone: mode 0700"
  GPG+=(--homedir "$KEYRING")
  if [ -z "$("${GPG[@]}" --list-secret-keys --with-colons)" ]; then
    echo "repository: making a key in $KEYRING"
    "${GPG[@]}" --pinentry-mode loopback --passphrase '' --quick-generate-key 'Activity Tracker packages' ed25519 sign never
  fi
}

# import_key takes a private key from a file, for this run alone.
import_key() {
  PRIVATE=$(mktemp -d)
  KEYRING=$PRIVATE
  GPG+=(--homedir "$KEYRING")
  if [ -n "${KEY_PASSPHRASE_FILE:-}" ]; then
    GPG+=(--pinentry-mode loopback --passphrase-file "$KEY_PASSPHRASE_FILE")
  fi
  "${GPG[@]}" --import "$KEY" || fail "$KEY holds no key that gpg can read"
}

# open_key sets FINGERPRINT and MADE_AT of the one key to sign with.
open_key() {
  local keys
  case ${KEY:-} in
  '') make_key ;;
  */*) import_key ;;
  *) [ ! -f "$KEY" ] || import_key ;;
  esac
  if [ -n "$KEYRING" ]; then
    keys=$("${GPG[@]}" --list-secret-keys --with-colons)
  else
    keys=$("${GPG[@]}" --list-secret-keys --with-colons -- "$KEY" 2>/dev/null) || fail "your keyring has no private key of $KEY"
  fi
  [ "$(grep -c '^sec:' <<<"$keys")" = 1 ] || fail "want one private key, got $(grep -c '^sec:' <<<"$keys"): name one by its fingerprint"
  # A list's fields: 2 is validity, 6 when it was made, 12 what it may do (the
  # primary key itself in small letters), 15 where the private part is.
  IFS=: read -r _ VALIDITY _ _ _ MADE_AT _ _ _ _ _ USES _ _ PLACE _ <<<"$(grep '^sec:' <<<"$keys")"
  case $VALIDITY in e | r | i | d | n) fail "the key has expired, or was revoked" ;; esac
  [[ $PLACE != '#' && $USES == *s* ]] || fail "the primary key itself must be able to sign: hosts know no other"
  FINGERPRINT=$(sed -n '0,/^fpr:/s/^fpr:*\([0-9A-F]*\):.*/\1/p' <<<"$keys")
  [[ $FINGERPRINT =~ ^[0-9A-F]{40}$ ]] || fail "the key's fingerprint is $FINGERPRINT; want one of version 4, with 40 digits"
}

# keep_key has one repository signed by one key: hosts that trust it refuse another's.
keep_key() {
  local before
  before=$(cat $TARGET/fingerprint 2>/dev/null) || return 0
  [ "$before" = "$FINGERPRINT" ] ||
    fail "$TARGET is signed by $before, this key is $FINGERPRINT: hosts would refuse it. To begin anew remove $TARGET, and run install.sh on every host again"
}

# take_packages joins what the repository has with what dist/ has.
take_packages() {
  local deb name found=''
  STAGE=$(mktemp -d dist/repository.XXXXXX)
  chmod 0755 "$STAGE"
  if [ -d $TARGET ]; then
    cp -a $TARGET/. "$STAGE"
  fi
  for deb in dist/trackerd*_*.deb; do
    name=${deb##*/}
    case $name in 'trackerd*' | trackerd-server_*) continue ;; esac
    if [ -e "$STAGE/$name" ]; then
      cmp -s "$deb" "$STAGE/$name" || fail "$name is in the repository already with other contents: give this one a version of its own (VERSION=…)"
    fi
    install -m 0644 "$deb" "$STAGE/$name"
  done
  for deb in "$STAGE"/*.deb; do
    [ ! -e "$deb" ] || found=yes
  done
  [ -n "$found" ] || fail "dist/ has no package of the agent: make deb"
}

ftparchive() {
  local digest off=()
  for digest in MD5 SHA1 SHA512; do off+=(-o "APT::FTPArchive::$digest=false"); done
  (cd "$STAGE" && apt-ftparchive "${off[@]}" "$@")
}

# list_packages writes the lists, also under the names of their hashes: a host that
# has read an older Release finds what that one names.
list_packages() {
  local list folder=$STAGE/by-hash/SHA256
  ftparchive packages . | sed 's,^Filename: \./,Filename: ,' >"$STAGE/Packages.new"
  mv "$STAGE/Packages.new" "$STAGE/Packages"
  gzip -9nc "$STAGE/Packages" >"$STAGE/Packages.gz"
  mkdir -p "$folder"
  for list in Packages Packages.gz; do
    install -m 0644 "$STAGE/$list" "$folder/$(sha256sum "$STAGE/$list" | cut -d ' ' -f 1)"
  done
  find "$folder" -type f -printf '%T@ %p\n' | sort -rn | tail -n +$((LISTS_KEPT + 1)) | cut -d ' ' -f 2- | xargs -r rm
}

# unchanged reports whether all this is signed already.
unchanged() {
  cmp -s "$STAGE/Packages" $TARGET/Packages &&
    gpgv --quiet --keyring "./$TARGET/$KEY_FILE" $TARGET/InRelease >/dev/null 2>&1
}

# date_of prints when a Release was made, in seconds since 1970; 0 if there is none.
date_of() {
  local text=''
  [ ! -e "$1" ] || text=$(sed -n 's/^Date: //p' "$1")
  if [ -n "$text" ]; then date -u -d "$text" +%s; else echo 0; fi
}

# sign AT WHAT… signs as at that time.
sign() {
  local at="$1!" by="$FINGERPRINT!"
  shift
  "${GPG[@]}" --yes --faked-system-time "$at" --digest-algo $DIGEST --local-user "$by" "$@" \
    2> >(grep -vF 'faked system time' >&2)
}

# release writes and signs Release. Its date is the commit's, but later than the one
# before, of which apt would take this one for an older state, and not before the key.
release() {
  local at=$SOURCE_DATE_EPOCH before archs field=APT::FTPArchive::Release
  before=$(date_of $TARGET/Release)
  [ "$at" -gt "$before" ] || at=$((before + 1))
  [ "$at" -ge "$MADE_AT" ] || at=$MADE_AT
  # Packages for all of them are in every one's list.
  archs=$(sed -n 's/^Architecture: //p' "$STAGE/Packages" | grep -vx all | sort -u | xargs)
  rm -f "$STAGE"/{Release,InRelease,Release.gpg}
  ftparchive -o $field::Origin='Activity Tracker' -o $field::Label='Activity Tracker' -o $field::Suite=stable \
    -o $field::Architectures="$archs" -o $field::Acquire-By-Hash=yes \
    -o $field::Description="The agent of Activity Tracker" \
    -o $field::Date="$(date -u -d "@$at" '+%a, %d %b %Y %H:%M:%S UTC')" release . >"$STAGE/Release.new"
  mv "$STAGE/Release.new" "$STAGE/Release"
  sign "$at" --clearsign --output "$STAGE/InRelease" "$STAGE/Release"
  sign "$at" --armor --detach-sign --output "$STAGE/Release.gpg" "$STAGE/Release"
  "${GPG[@]}" --export-options export-minimal --export "$FINGERPRINT" >"$STAGE/$KEY_FILE"
  echo "$FINGERPRINT" >"$STAGE/fingerprint"
}

main() {
  local tool
  for tool in gpg gpgv apt-ftparchive; do
    command -v "$tool" >/dev/null || fail "no $tool here"
  done
  mkdir -p dist
  trap clean_up EXIT
  open_key
  keep_key
  take_packages
  list_packages
  if unchanged; then
    echo "repository: $TARGET has all that dist/ has"
    return
  fi
  release
  gpgv --quiet --keyring "./$STAGE/$KEY_FILE" "$STAGE/InRelease" >/dev/null 2>&1 || fail "hosts would not accept this key's signature"
  rm -rf $TARGET
  mv "$STAGE" $TARGET
  STAGE=''
  echo "repository: $TARGET has $(grep -c '^Package:' $TARGET/Packages) packages, signed by $FINGERPRINT"
}

main
