#!/bin/sh
# Runs the tests in Debian 12, Debian 13 and Ubuntu 24.04: each in a root of its own made by
# debootstrap, with that distribution's Python, OpenSSH and Fail2Ban. Needs root.
#
#   tests/matrix.sh [--only NAME]... [--folder PATH]... [--fresh]
#
# Packages come from where this machine's apt gets them, and pip is configured as here. The roots
# stay in the cache folder, so that the next run begins with the tests; --fresh makes them again.
# Ends with 1 when a test failed, or nothing was run.
set -eu

cd -- "$(dirname -- "$0")/.."
checkout=$(pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/banish-matrix
table=$cache/table

say() { printf 'matrix: %s\n' "$*" >&2; }
fail() {
    say "$1"
    exit "${2:-1}"
}

# --- What there is -----------------------------------------------------------

# distribution NAME: set what makes that one.
distribution() {
    case $1 in
        debian12) suite=bookworm archive=debian components=main keys=debian-archive ;;
        debian13) suite=trixie archive=debian components=main keys=debian-archive ;;
        ubuntu2404) suite=noble archive=ubuntu components=main,universe keys=ubuntu-archive ;;
        *) fail "no such distribution: $1 (debian12, debian13, ubuntu2404)" 2 ;;
    esac
    root=$cache/$1
    keyring=/usr/share/keyrings/$keys-keyring.gpg
}

# mirror: print the address that serves the distribution, from apt's own configuration; a mirror
# of Debian often has Ubuntu beside it.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' | sort -u | while read -r address; do
        printf '%s\n' "$address" "${address%debian/}$archive/"
    done | grep -x ".*/$archive/" | sort -u | while read -r address; do
        serves "$address" "$suite" || continue
        printf '%s\n' "$address"
        break
    done
}

serves() {
    /usr/lib/apt/apt-helper download-file "$1dists/$2/InRelease" "$cache/probe" >/dev/null 2>&1
}

# --- A root ------------------------------------------------------------------

make_root() {
    address=$(mirror)
    if [ -z "$address" ]; then
        say "$1 is served by no mirror that this machine's apt knows"
        return 1
    fi
    find_keyring || {
        say "the keys of $1 are not here: $keyring"
        return 1
    }
    script=$suite
    if [ ! -e "/usr/share/debootstrap/scripts/$suite" ]; then
        script=$([ "$archive" = ubuntu ] && echo gutsy || echo sid)
    fi
    say "making $root with debootstrap"
    rm -rf "$root.part"
    debootstrap --variant=minbase --components="$components" --keyring="$keyring" \
        --include=ca-certificates,python3,python3-venv "$suite" "$root.part" "$address" "$script" \
        >"$root.log" 2>&1 || {
        tail -n 5 "$root.log" >&2
        say "$1 cannot be made; $root.log says more"
        return 1
    }
    for part in "$suite" "$suite-updates" "$suite-security"; do
        serves "$address" "$part" || continue
        echo "deb [signed-by=/usr/share/keyrings/$keys-keyring.gpg] $address $part $(echo "$components" | tr , ' ')"
    done >"$root.part/etc/apt/sources.list"
    cp "$keyring" "$root.part/usr/share/keyrings/"
    apt-config dump | grep -i '^Acquire::https\?::' >"$root.part/etc/apt/apt.conf.d/90matrix" || :
    mv "$root.part" "$root"
}

# find_keyring: see to it that $keyring is here. Where this machine's apt does not have Ubuntu's
# keys, they come from Debian 13's, into the cache.
find_keyring() {
    [ ! -e "$keyring" ] || return 0
    keyring=$cache$keyring
    [ ! -e "$keyring" ] || return 0
    [ "$archive" = ubuntu ] || return 1
    (
        distribution debian13
        [ -d "$root" ] || make_root debian13
        enter sh -eu -c 'rm -rf /var/tmp/keys
            mkdir /var/tmp/keys
            cd /var/tmp/keys
            apt-get update -qq
            apt-get download -qq ubuntu-keyring >/dev/null 2>&1'
        dpkg-deb -x "$root"/var/tmp/keys/*.deb "$cache"
    ) || return 1
    [ -e "$keyring" ]
}

# pip_settings: print the files that configure pip here.
pip_settings() {
    ls -d /etc/pip.conf /etc/xdg/pip/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" \
        2>/dev/null || :
}

# pip_paths: print the places of this machine that pip's settings name: files in /etc, and of the
# others the folder two levels deep, since an index points to what lies beside it.
pip_paths() {
    {
        pip_settings | xargs -r cat
        env | grep -E '^(PIP_|SSL_|REQUESTS_|CURL_)'
    } | grep -o '/[^ "'\'',]*' | sed 's#^//*#/#' | sort -u | while read -r path; do
        case $path in
            /etc/*) ;;
            /home/*/* | /mnt/* | /opt/* | /srv/* | /var/*)
                path=$(printf '%s\n' "$path" | cut -d / -f 1-3)
                ;;
            *) continue ;;
        esac
        [ ! -e "$path" ] || printf '%s\n' "$path"
    done | sort -u
}

# copy_checkout: put what git knows or would know of the checkout into the root.
copy_checkout() {
    mkdir -p "$root/banish"
    find "$root/banish" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
    git ls-files -z --cached --others --exclude-standard |
        xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' sh |
        tar -c --null --no-recursion -T - | tar -x --no-same-owner -C "$root/banish"
}

# --- A run -------------------------------------------------------------------

# enter COMMAND...: run a command in $root, as root, with this machine's network. The mounts and
# the processes end with it.
enter() {
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    pip_settings | while read -r file; do
        case $file in "$HOME"/*) to=$root/root/${file#"$HOME"/} ;; *) to=$root$file ;; esac
        mkdir -p "$(dirname "$to")"
        cp "$file" "$to"
    done
    pip_paths >"$root/.pip-paths"
    unshare --mount --pid --fork --kill-child --propagation private -- \
        sh -eu -c '
            root=$1
            shift
            # The root becomes a mount of its own and the whole of what is seen, as on a host.
            mount --bind "$root" "$root"
            for place in dev sys; do mount --rbind "/$place" "$root/$place"; done
            mount -t proc proc "$root/proc"
            mount -t tmpfs -o mode=755 tmpfs "$root/run"
            mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
            while read -r path; do
                if [ -d "$path" ]; then
                    mkdir -p "$root$path"
                else
                    mkdir -p "$(dirname "$root$path")"
                    [ -e "$root$path" ] || : >"$root$path"
                fi
                mount --bind -o ro "$path" "$root$path"
            done <"$root/.pip-paths"
            unset TMPDIR XDG_CACHE_HOME XDG_CONFIG_HOME VIRTUAL_ENV PYTHONPATH
            export HOME=/root USER=root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
            export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            cd "$root"
            mkdir -p .old
            pivot_root . .old
            # A shell in the background lets what it starts ignore Ctrl-C, which tests send.
            exec env --default-signal=INT,QUIT chroot . sh -c "umount -l /.old && exec \"\$@\"" sh "$@"
        ' sh "$root" "$@" 9>&-
}

# run_in NAME: run the tests there and add a line to the table.
run_in() {
    [ -d "$root" ] || make_root "$1" || {
        row "$1" - - - "not run" -
        return 0
    }
    copy_checkout
    begun=$(date +%s)
    say "running the tests in $1; their output goes to $root.log"
    state=0
    # shellcheck disable=SC2086 # a list of folders
    enter sh -eu -c 'cd /banish
        apt-get update -qq
        exec ./dev test --all-cores "$@"' \
        sh $folders >"$root.log" 2>&1 || state=$?
    result=$(sed -n 's/^=* *\([0-9]* \(failed\|passed\|error\).*\) in [0-9].*$/\1/p' "$root.log" | tail -n 1)
    [ -n "$result" ] || tail -n 20 "$root.log" >&2
    grep -E '^(FAILED|ERROR) ' "$root.log" >&2 || :
    row "$1" "$(version python3)" "$(version openssh-server)" "$(version fail2ban)" \
        "${result:-the tests did not run}" "$(($(date +%s) - begun)) s"
    ran=yes
    [ "$state" -eq 0 ] || outcome=1
}

# version PACKAGE: print the version that the root's apt offers or has installed.
version() {
    enter sh -c 'dpkg-query -W -f "\${Version}" "$1" 2>/dev/null ||
        apt-cache policy "$1" | sed -n "s/ *Candidate: //p"' sh "$1" | sed 's/^[0-9]*://; s/[-+].*//'
}

row() { printf '%-14s%-10s%-10s%-10s%-8s%s\n' "$1" "$2" "$3" "$4" "$6" "$5" >>"$table"; }

names=
folders=
fresh=
while [ $# -gt 0 ]; do
    case $1 in
        --only | --folder) [ $# -gt 1 ] || fail "$1 needs a value" 2 ;;
    esac
    case $1 in
        --only)
            distribution "$2"
            names="$names $2"
            shift
            ;;
        --folder)
            [ -e "$2" ] || fail "no such folder or file: $2" 2
            folders="$folders $2"
            shift
            ;;
        --fresh) fresh=yes ;;
        *) fail "no such option: $1 (--only NAME, --folder PATH, --fresh)" 2 ;;
    esac
    shift
done

[ "$(id -u)" -eq 0 ] || fail "only root can make the roots: sudo ./dev matrix"
[ -e /usr/lib/apt/apt-helper ] || fail "there is no apt here"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || fail "another ./dev matrix runs on this machine"

outcome=0
ran=
: >"$table"
row distribution Python OpenSSH Fail2Ban tests time
for name in ${names:-debian12 debian13 ubuntu2404}; do
    distribution "$name"
    [ -z "$fresh" ] || rm -rf "$root"
    run_in "$name"
done
cat "$table"
[ -n "$ran" ] || fail "no distribution could be run"
exit "$outcome"
