#!/bin/sh
# Runs a command on a host that has a Fail2Ban and a banish of its own: /etc/fail2ban,
# /etc/banish and /var/lib/fail2ban are there, in another time zone, with a strict umask and an
# odd locale. Nothing outside a mount namespace is touched. Needs root.
#
#   tests/foreign-host.sh .venv/bin/python -m pytest tests/cli
set -eu

if [ "${FOREIGN_HOST:-}" != inside ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    (cd "$folder" && apt-get download -qq fail2ban >/dev/null 2>&1) || {
        echo "foreign-host: apt cannot fetch the package fail2ban" >&2
        exit 2
    }
    FOREIGN_HOST=inside unshare --mount -- "$0" "$folder" "$@"
    exit
fi

folder=$1
shift
# Ours alone from here on: the layers go with the namespace.
mkdir "$folder/layers"
mount -t tmpfs none "$folder/layers"
for place in /etc /var/lib; do
    layer=$folder/layers/$(basename "$place")
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay none -o "lowerdir=$place,upperdir=$layer/upper,workdir=$layer/work" "$place"
done
dpkg-deb --fsys-tarfile "$folder"/fail2ban_*.deb | tar -x -C "$folder/layers" ./etc ./var
cp -a "$folder/layers/etc/fail2ban" /etc/
mkdir -p /var/lib/fail2ban /etc/banish/filter.d
printf '[DEFAULT]\nbantime = 7 # days\nignoreip = 192.0.2.0/24\nbackend = systemd\n[sshd]\nenabled = true\nmaxretry = 1\n' \
    >/etc/fail2ban/jail.local
printf '[DEFAULT]\nfindtime = 1s\nmaxretry = 99\n[sshd]\nenabled = false\n' >/etc/banish/jail.local
printf '[Definition]\nloglevel = CRITICAL\ndbfile = /nowhere/at/all.sqlite3\n' >/etc/banish/banish.local
printf '[Definition]\nfailregex = ^nothing of <HOST>$\n' >/etc/banish/filter.d/sshd.local
echo "no database" >/var/lib/fail2ban/fail2ban.sqlite3
export TZ=Australia/Lord_Howe LC_ALL=C LANG=C
umask 077
exec "$@"
