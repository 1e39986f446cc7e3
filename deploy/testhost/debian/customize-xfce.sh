# shellcheck shell=sh disable=SC2154 # root is what customize-xrdp.sh sets
# Continues customize-xrdp.sh where XFCE is installed.

chroot "$root" update-alternatives --set x-session-manager /usr/bin/xfce4-session

# A terminal that gets the focus, as openbox has one.
cat >"$root/etc/xdg/autostart/testhost-terminal.desktop" <<'DESKTOP'
[Desktop Entry]
Type=Application
Name=Terminal
Exec=xterm -geometry 100x30+40+40
DESKTOP
