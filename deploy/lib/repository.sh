# shellcheck shell=bash
# shellcheck disable=SC2034 # other parts read what is set here
# The apt repository that the server has, from which trackerd comes where no
# package file lies here. The same files as of the server's own install.sh.

readonly KEYRING=/usr/share/keyrings/activity-tracker.gpg
readonly SOURCE=/etc/apt/sources.list.d/activity-tracker.sources
readonly KEY_LIMIT=65536 # bytes; a key has less than 10,000

# FROM_SERVER is set where trackerd comes from the server's repository.
FROM_SERVER=''
KEY_FILE=''

# parse_fingerprint accepts it as people copy it: in groups, with colons.
parse_fingerprint() {
  FINGERPRINT=$(tr -d ' :' <<<"$1" | tr 'a-f' 'A-F')
  [[ $FINGERPRINT =~ ^[0-9A-F]{40}$ ]] || usage_error "'$1' is no fingerprint of a key; want 40 hexadecimal digits"
}

# find_repository looks whether the server has packages, and fetches the key that
# must have signed them. The fingerprint is the administrator's, or else the
# server's own word, which holds as far as its certificate does.
find_repository() {
  local advice="name a package with --package FILE, or put trackerd_*_$1.deb (make deb) into $HERE/../dist"
  # Some earlier run, or install.sh, may have brought it.
  if [ -e "$SOURCE" ] && apt-cache policy trackerd 2>/dev/null | grep -q 'Candidate: [0-9]'; then
    FROM_SERVER=known
    return
  fi
  if [ "$SERVER_SCHEME" = https ] && ! installed ca-certificates; then
    fail "finds no package of trackerd, and cannot check $URL without the package ca-certificates (apt-get install ca-certificates); or $advice"
  fi
  [ "$SERVER_SCHEME" = https ] || [ -n "$FINGERPRINT" ] ||
    fail "finds no package of trackerd; over plain http the server's packages need --fingerprint (dist/repository/fingerprint at whoever built them); or $advice"
  work_folder
  mkdir "$WORK/fetched"
  chown _apt "$WORK/fetched"
  fetch activity-tracker.gpg || fail "finds no package of trackerd, and $URL/packages/ has none; $advice"
  if [ -z "$FINGERPRINT" ]; then
    fetch fingerprint || fail "$URL/packages/ names no key; $advice"
    FINGERPRINT=$(head -c 100 "$WORK/fetched/fingerprint" | tr -d '\n')
    [[ $FINGERPRINT =~ ^[0-9A-F]{40}$ ]] || fail "$URL/packages/fingerprint is none"
  fi
  KEY_FILE=$WORK/fetched/activity-tracker.gpg
  FROM_SERVER=new
}

# fetch NAME fetches a small file of the repository, as apt will.
fetch() {
  local size
  /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
    download-file "$URL/packages/$1" "$WORK/fetched/$1" >/dev/null 2>&1 || return
  size=$(wc -c <"$WORK/fetched/$1")
  [ "$size" -gt 0 ] && [ "$size" -le $KEY_LIMIT ]
}

# install_from_server installs trackerd, with the packages that are named, from
# the server's repository; `apt upgrade` brings newer ones from then on.
install_from_server() {
  if [ "$FROM_SERVER" = new ]; then
    act "trust the key $FINGERPRINT for packages of $URL" add_source
    act "fetch the list of its packages" fetch_list
  fi
  install_packages "install trackerd from $URL/packages/${*:+ with $*}" trackerd "$@"
}

# add_source has apt take packages that this very key has signed.
add_source() {
  install -D -m 644 "$KEY_FILE" "$KEYRING" && note files "$KEYRING" "$SOURCE" &&
    install -D -m 644 /dev/stdin "$SOURCE" <<END
# Written by $PROGRAM_NAME
Types: deb
URIs: $URL/packages/
Suites: /
Signed-By: $KEYRING $FINGERPRINT
END
}

# fetch_list reads that one list. What is not signed by the key is not trusted
# any further.
fetch_list() {
  apt update -o APT::Update::Error-Mode=any -o APT::Get::List-Cleanup=0 \
    -o Dir::Etc::sourcelist="$SOURCE" -o Dir::Etc::sourceparts=/dev/null && return
  rm -f "$SOURCE" "$KEYRING"
  return 1
}
