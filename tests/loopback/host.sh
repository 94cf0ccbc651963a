#!/usr/bin/env bash
# One host: host.sh KEYS runs an sshd that lets root in by a key alone. Called inside namespaces of its own.
set -euo pipefail
"$(dirname "$0")/home.sh"
cp "$1/id_ed25519" "$1/authorized_keys" /srv/root/.ssh
exec /usr/sbin/sshd -D -f /dev/null -h "$1/host_key" -o PidFile=none -o PermitRootLogin=prohibit-password \
    -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o LogLevel=ERROR
