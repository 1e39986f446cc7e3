# shellcheck shell=bash
# shellcheck disable=SC2034 # other parts read what is set here
# Options that both set-up scripts know, and taking away what they brought.

PACKAGE='' FINGERPRINT='' ALLOW_HTTP='' ADDRESS='' RDP_FILE='' PASSWORDS_FILE='' UNINSTALL='' DELETE_USERS=''
# Choices of RDP: empty is not chosen, which is clipboard yes and drives no.
CLIPBOARD='' DRIVES='' SETTINGS=''
# What --uninstall leaves.
LEFT=()
# How many words the last option took.
WORDS=0

# common_option WORD… reads an option that both scripts know, and sets WORDS.
common_option() {
  WORDS=1
  case $1 in
  --clipboard) CLIPBOARD=true ;;
  --no-clipboard) CLIPBOARD=false ;;
  --drives) DRIVES=true ;;
  --no-drives) DRIVES=false ;;
  --settings) SETTINGS=yes ;;
  --allow-http) ALLOW_HTTP=yes ;;
  --dry-run) DRY_RUN=yes ;;
  --uninstall) UNINSTALL=yes ;;
  --delete-users) DELETE_USERS=yes ;;
  --help | -h) usage && exit 0 ;;
  --package) value "$@" && PACKAGE=$2 WORDS=2 ;;
  --fingerprint) value "$@" && parse_fingerprint "$2" && WORDS=2 ;;
  --address) value "$@" && ADDRESS=$2 WORDS=2 ;;
  --rdp-file) value "$@" && RDP_FILE=$2 WORDS=2 ;;
  --passwords) value "$@" && PASSWORDS_FILE=$2 WORDS=2 ;;
  *) usage_error "there is no option $1" ;;
  esac
}

# value OPTION VALUE… refuses an option without its value.
value() {
  if [ $# -lt 2 ] || [ -z "$2" ]; then usage_error "$1 needs a value"; fi
}

# check_options refuses what can be refused without a look at the machine.
check_options() {
  [ -z "$DELETE_USERS" ] || usage_error "--delete-users is for --uninstall"
  [[ -z $ADDRESS || $ADDRESS =~ ^[A-Za-z0-9.:-]+$ ]] || usage_error "'$ADDRESS' is no address"
}

# uninstall takes away what any of the scripts brought to this machine.
uninstall() {
  check_root
  [ -d "$NOTES" ] || fail "no set-up script brought anything here"
  if [ -z "$DRY_RUN" ] && noted packages xrdp && [ "$(rdp_sessions)" != 0 ]; then
    fail "$(rdp_sessions) people are logged in over RDP, and would lose what they work on; let them log out first"
  fi
  STEPS=3
  start_log
  step "trackerd"
  remove_agent
  step "People"
  remove_people
  step "Packages and settings"
  remove_rdp
  remove_files
  remove_packages
  act "forget what was brought" forget_notes
  [ -z "$DRY_RUN" ] || return 0
  say ''
  say "What stays:"
  say "  - the log $LOG"
  [ ${#LEFT[@]} = 0 ] || printf '  - %s\n' "${LEFT[@]}"
}

# forget_notes keeps the names of accounts that stay, so that these can still be
# deleted later.
forget_notes() {
  [ -z "$DELETE_USERS" ] || rm -f "$NOTES/users" || return
  find "$NOTES" -mindepth 1 ! -name users -delete
  rmdir --ignore-fail-on-non-empty "$NOTES"
}

# remove_files removes the files and groups that were brought.
remove_files() {
  local files groups group
  mapfile -t files < <(notes files)
  [ ${#files[@]} = 0 ] || act "remove ${files[*]}" rm -f "${files[@]}"
  mapfile -t groups < <(notes groups)
  for group in "${groups[@]}"; do
    ! getent group "$group" >/dev/null || act "remove the group $group" groupdel "$group"
  done
}
