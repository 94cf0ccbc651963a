#!/usr/bin/env bash
# Starts a cluster from cluster.local.yaml on this machine, takes a worker's power away in the middle of a study, and
# checks that every trial ended once. Needs root, openssh-server, rsync and `pip install 'nadlab[cluster]'`.
#
#   tests/loopback/run.sh > results/loopback_cluster.txt
#
# This laptop, the head and two workers are namespaces of their own, with an address, processes, home and /tmp/ray each:
# nothing outside is touched. They share the packages and, as hosts an NFS, /mnt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PYTHON=${PYTHON:-$(command -v python)}  # whose packages the hosts share
if [ "${1:-}" != inside ]; then
    mkdir -p /tmp/ray
    exec unshare --net --pid --mount --fork --kill-child --mount-proc "$here/run.sh" inside
fi
. "$here/hosts.sh"
cd "$here/../.."

TRIALS=12
OUT=/mnt/runs/alpha
STUDY="python studies/ablate_alpha.py --smoke --seeds 6 --set epochs=60 --address auto \
--tracking-uri http://127.0.0.1:5000 --out $OUT"
JOBS="--address http://127.0.0.1:8265 --log-style=pretty --log-color=false"
LAUNCHER="--log-style=pretty --log-color=false"

python() { "$PYTHON" "$@"; }
ray() { python -W ignore -m ray.scripts.scripts "$@" 2>&1 | sed 's/\x1b\[[0-9;]*m//g'; }
say() { printf '\n%4d s: %s\n' $SECONDS "$*"; }
shown() {  # COMMAND...: print it as it would be typed, and run it
    local line=('$') word
    for word in "$@"; do [[ $word == *' '* ]] && word="'$word'"; line+=("$word"); done
    say "${line[@]}"
    "$@"
}
host() {  # NAME ADDRESS: start a host and wire it to the bridge
    wire "$1" "$2"
    ip -netns "$1" route add default via 10.77.0.1
    ip netns exec "$1" unshare --pid --mount --fork --kill-child --mount-proc "$here/host.sh" /mnt/keys &
    power[$1]=$!
}
running() {  # NAME: the trials' processes on a host
    pgrep --ns "$(pgrep -P "${power[$1]}")" --nslist pid -fa 'ray::.*Trainable'
}
nodes() { ray exec ~/cluster.yaml 'ray status' | sed -n 's/^ \([0-9]*\) local.cluster.node/\1/p'; }
ended() { find $OUT/trials -name record.json 2> /dev/null | wc -l; }

declare -A power
"$here/home.sh"
mount -t tmpfs shared /mnt
export HOME=/srv/root
mkdir -p /mnt/keys ~/.nadlab
bridge 10.77.0.1
ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
ssh-keygen -q -t ed25519 -N '' -f /mnt/keys/host_key
cp ~/.ssh/id_ed25519 /mnt/keys
cp ~/.ssh/id_ed25519.pub /mnt/keys/authorized_keys
host head 10.77.0.2
host worker1 10.77.0.3
host worker2 10.77.0.4
python tests/loopback/config.py 10.77.0.2 10.77.0.3 10.77.0.4 > ~/cluster.yaml

# from here on as docs/cluster.md says
export RAY_USAGE_STATS_ENABLED=0
(umask 077; openssl rand -hex 32 > ~/.nadlab/ray-token)
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.nadlab/ray-token
shown ray up --yes --no-config-cache $LAUNCHER ~/cluster.yaml
say '$ ray attach cluster.yaml -p 8265 -p 5000'
ray attach ~/cluster.yaml -p 8265 -p 5000 < <(sleep infinity) > /dev/null &
await 120 'curl -sf http://127.0.0.1:5000/health > /dev/null'
await 300 '[ "$(nodes)" = 3 ]'
shown ray exec $LAUNCHER ~/cluster.yaml 'ray status'
shown ray job submit --no-wait --submission-id alpha $JOBS -- bash -c "cd ~/nadlab && $STUDY"
await 600 '[ "$(ended)" -ge 3 ] && running worker1 > /dev/null'
say "worker1 loses its power, with $(ended) of $TRIALS trials done; it runs $(running worker1)"
kill -9 "${power[worker1]}"
wait "${power[worker1]}" 2> /dev/null || true
await 600 'ray job status $JOBS alpha | grep -q "succeeded\|failed\|stopped"'
shown ray job status $JOBS alpha
shown ray job logs $JOBS alpha
shown ray exec $LAUNCHER ~/cluster.yaml 'ray status'
shown python tests/loopback/check.py http://127.0.0.1:5000 $TRIALS
shown ray down --yes $LAUNCHER ~/cluster.yaml
