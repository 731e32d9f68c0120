#!/usr/bin/env bash
# Installs the WebDAV servers that test/servers runs against, on Debian 12 or later. Run it as root or with sudo at
# hand. The tests start their own processes on free loopback ports: no service of these packages is started or
# changed, and running the script again does nothing new.
set -euo pipefail

packages=(
  apache2-bin media-types              # apache: mod_dav comes with it, media-types holds its /etc/mime.types
  nginx libnginx-mod-http-dav-ext      # nginx
  lighttpd lighttpd-mod-webdav         # lighttpd
  rclone                               # rclone serve webdav
  golang-go golang-golang-x-net-dev    # x/net/webdav, built by the tests
  php-cli php-xml php-mbstring php-sabre-dav # sabre/dav under PHP's own server
  chezdav                              # phodav
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo 'All test servers are installed.'
  exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo 'Run this as root: packages have to be installed.' >&2; exit 1; }
  exec sudo --non-interactive -- "$0" "$@"
fi

# invoke-rc.d asks this program before it starts a service; 101 forbids it. Whatever was there comes back afterwards.
policy=/usr/sbin/policy-rc.d
saved=''
restore_policy() {
  if [ -n "$saved" ]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi
}
if [ -e "$policy" ] || [ -L "$policy" ]; then
  saved="$policy.before-test-servers"
  mv -f "$policy" "$saved"
fi
trap restore_policy EXIT
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "Installing: ${missing[*]}"
apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null ||
  { apt-get update && apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null; }
echo 'All test servers are installed.'
