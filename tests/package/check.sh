#!/usr/bin/env bash
# The Debian package in a fresh Debian: made, installed, started, upgraded, removed, purged. What is asked of it is what an
# administrator does on a new machine: install, write ten lines, see the first snapshot.
# Usage: bash tests/package/check.sh BIN TOOLS   BIN holds mlark and simulator; TOOLS keeps what is made once. Needs root.
set -euo pipefail
bin=$(realpath "$1")
mkdir -p "$2"
tools=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
fail() { echo "package: $*" >&2; exit 1; }

work=$(mktemp -d)
simulator=
finish() {
  [ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap finish EXIT

# --- the packages: this version, and one that comes after it

deb() { cargo deb -p mlark --no-build --profile dev --locked -q --fast --deb-version "$1" -o "$work/mlark_$1.deb" >/dev/null; }
deb 0.1.0-1
deb 0.1.0-2
dpkg-deb --info "$work/mlark_0.1.0-1.deb" | grep -E '^ (Package|Version|Depends)'
dpkg-deb --fsys-tarfile "$work/mlark_0.1.0-1.deb" | tar -t >"$work/files"
for file in ./usr/bin/mlark ./usr/lib/systemd/system/mlark.service ./usr/lib/systemd/system/mlark-backup.timer \
  ./usr/share/bash-completion/completions/mlark ./usr/share/man/man1/mlark.1.gz ./usr/share/man/man1/mlark-restore-plan.1.gz \
  ./usr/share/mlark/mlark.toml ./usr/share/doc/mlark/copyright; do
  grep -qx -- "$file" "$work/files" || fail "it does not hold $file"
done

# --- a fresh Debian, made once and copied

codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
packages=adduser,ca-certificates,init-system-helpers,libnss-myhostname,tzdata
debian=$tools/$codename-$(cksum <<<"$packages" | cut -d ' ' -f 1).tar
if [ ! -e "$debian" ]; then
  mirror=$(sed -n 's/^URIs: *\(http[^ ]*\/debian\)\/\{0,1\}$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
  mmdebstrap --quiet --format=tar --variant=apt --include="$packages" \
    "$codename" "$work/debian.tar" "${mirror:-http://deb.debian.org/debian}" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail "no fresh Debian was made"; }
  mv "$work/debian.tar" "$debian"
fi
root=$work/root
mkdir "$root"
tar -xf "$debian" -C "$root" --exclude='./dev/*'
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
mknod -m 0666 "$root/dev/null" c 1 3
mknod -m 0666 "$root/dev/urandom" c 1 9
cp "$work"/mlark_*.deb "$root/root/"

# --- installing

inside dpkg -i /root/mlark_0.1.0-1.deb >/dev/null
inside mlark --version
[ "$(inside stat -c '%U:%G %a' /etc/mlark /var/lib/mlark | tr '\n' ' ')" = "root:mlark 2750 mlark:mlark 700 " ] ||
  fail "folders belong to the wrong user, or everybody may read them"
[[ "$(inside getent passwd mlark)" == *:/usr/sbin/nologin ]] || fail "the user mlark may log in"
[ ! -e "$root/etc/systemd/system/multi-user.target.wants/mlark.service" ] || fail "it is enabled before there is a configuration"

# --- somebody at the terminal

python3 "$here/dialogue.py" "$root"
inside sh -c 'rm -r /etc/mlark/mlark.toml /etc/mlark/agent.key /srv/first /var/lib/mlark/*'

# --- ten lines, and the first snapshot

mkfifo "$work/ready"
"$bin/simulator" serve --world demo --dir "$work/azure" >"$work/ready" &
simulator=$!
read -r _ <"$work/ready"
value() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" "$work/azure/simulator.json" | head -n 1; }
cp "$(value ca_file)" "$root/etc/mlark/ca.pem"
value client_secret >"$root/etc/mlark/client-secret"
cat >"$root/etc/mlark/mlark.toml" <<TOML
repository = { url = "/srv/mlark", cache = "/var/lib/mlark", key_file = "/etc/mlark/agent.key" }
azure.cloud = "$(value management)"
azure.ca_file = "/etc/mlark/ca.pem"
azure.credential = "client-secret"
azure.tenant_id = "$(value tenant_id)"
azure.client_id = "$(value client_id)"
azure.client_secret_file = "/etc/mlark/client-secret"
workspace = [{ name = "prod", url = "$(sed -n 's/^ *"url": "\(azureml:.*\)",\{0,1\}$/\1/p' "$work/azure/simulator.json" | head -n 1)", schedule = "* * * * *" }]
TOML
inside chmod 0640 /etc/mlark/mlark.toml
inside mlark config check
inside mlark -q init
inside chown -R mlark:mlark /srv/mlark /var/lib/mlark /etc/mlark/agent.key /etc/mlark/client-secret
python3 "$here/service.py" "$root" mlark.service
inside runuser -u mlark -- mlark snapshots
inside runuser -u mlark -- mlark -q check

# --- upgrading keeps what is there; purging takes the program and what can be made anew

before=$(inside sha256sum /etc/mlark/mlark.toml /etc/mlark/agent.key)
inside dpkg -i /root/mlark_0.1.0-2.deb >/dev/null
[ "$before" = "$(inside sha256sum /etc/mlark/mlark.toml /etc/mlark/agent.key)" ] || fail "an upgrade changed the configuration or the key"
[ "$(inside dpkg-query -W -f '${Status} ${Version}' mlark)" = "install ok installed 0.1.0-2" ] || fail "the upgrade is not installed"
inside runuser -u mlark -- mlark -q snapshots >/dev/null
inside dpkg --remove mlark >/dev/null
[ -e "$root/etc/mlark/mlark.toml" ] && [ ! -e "$root/usr/bin/mlark" ] || fail "removing took too much or too little"
mkdir "$root/var/lib/mlark/other" && touch "$root/var/lib/mlark/other/repository.json"
inside dpkg --purge mlark
[ -e "$root/var/lib/mlark/other/repository.json" ] || fail "purging took a repository"
rm -r "$root/var/lib/mlark/other"
inside dpkg -i /root/mlark_0.1.0-2.deb >/dev/null
inside dpkg --purge mlark
[ ! -e "$root/etc/mlark/mlark.toml" ] && [ ! -e "$root/var/lib/mlark" ] || fail "purging left the configuration or the cache"
[ -s "$root/etc/mlark/agent.key" ] && [ -d "$root/srv/mlark/packs" ] || fail "purging took a key or a repository"
echo "package: installed, first snapshot, upgraded, removed, purged"
