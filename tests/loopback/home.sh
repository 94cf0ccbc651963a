#!/usr/bin/env bash
# Gives the caller's mount namespace a home and a /tmp/ray of its own; sshd and ssh read the home from /etc/passwd.
set -euo pipefail
mount -t tmpfs home /srv
mount -t tmpfs ray /tmp/ray
mount -t tmpfs run /run
mkdir -p /srv/root/.ssh /run/sshd
touch /srv/root/.bashrc
sed 's#^\(root:.*\):/root:#\1:/srv/root:#' /etc/passwd > /srv/passwd
mount --bind /srv/passwd /etc/passwd
