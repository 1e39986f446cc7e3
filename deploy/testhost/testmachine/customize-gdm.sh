
# GDM logs the first user in to openbox on X; its greeter is there after that.
cat >"$root/etc/gdm3/daemon.conf" <<'END'
[daemon]
WaylandEnable=false
AutomaticLoginEnable=true
AutomaticLogin=alice
END
mkdir -p "$root/var/lib/AccountsService/users"
for user in alice bob; do
	printf '[User]\nSession=openbox\nXSession=openbox\nSystemAccount=false\n' >"$root/var/lib/AccountsService/users/$user"
done
echo /usr/sbin/gdm3 >"$root/etc/X11/default-display-manager"
ln -sf /lib/systemd/system/gdm3.service "$root/etc/systemd/system/display-manager.service"
