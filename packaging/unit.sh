# shellcheck shell=sh
# What maintainer scripts do about a package's unit. build-deb.sh puts this file
# in the place of their line "#unit.sh#".

# unit_configured UNIT PREVIOUS: enables the unit at the first installation, and
# starts it, or restarts it where PREVIOUS names the version before.
unit_configured() {
  # A unit that an administrator disabled or masked stays so.
  deb-systemd-helper unmask "$1" >/dev/null || true
  if deb-systemd-helper --quiet was-enabled "$1"; then
    deb-systemd-helper enable "$1" >/dev/null || true
  else
    deb-systemd-helper update-state "$1" >/dev/null || true
  fi
  unit_reload
  # A daemon that does not start is not the package's failure: its status
  # says why, and dpkg could not repair it.
  if [ -n "$2" ]; then unit_invoke restart "$1"; else unit_invoke start "$1"; fi
}

# unit_invoke ACTION UNIT: start, stop or restart, as the machine's policy allows.
unit_invoke() {
  [ -d /run/systemd/system ] || return 0
  deb-systemd-invoke "$1" "$2" >/dev/null || true
}

# unit_reload has systemd read the units again.
unit_reload() {
  [ -d /run/systemd/system ] || return 0
  systemctl --system daemon-reload >/dev/null || true
}

# unit_removed UNIT and unit_purged UNIT: what postrm does.
unit_removed() {
  command -v deb-systemd-helper >/dev/null || return 0
  deb-systemd-helper mask "$1" >/dev/null || true
}
unit_purged() {
  command -v deb-systemd-helper >/dev/null || return 0
  deb-systemd-helper purge "$1" >/dev/null || true
  deb-systemd-helper unmask "$1" >/dev/null || true
}
