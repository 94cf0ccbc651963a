#!/usr/bin/env bash
# Searches that train on a Ray cluster of three hosts: one loses its power in the middle, another one its network. Checks
# that this costs the trainings that ran there, and that the searches end as uninterrupted ones. Needs root.
#
#   tests/loopback/trainings.sh > results/loopback_trainings.txt
#
# The hosts are namespaces of their own, with an address, processes and /tmp/ray each: nothing outside is touched. They
# share the disk, on which the evaluation store lies.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PYTHON=${PYTHON:-$(command -v python)}
if [ "${1:-}" != inside ]; then
    mkdir -p /tmp/ray
    exec unshare --net --pid --mount --fork --kill-child --mount-proc "$here/trainings.sh" inside
fi
. "$here/hosts.sh"
cd "$here/../.."

HEAD=10.78.0.2:6379
work=$(mktemp -d /tmp/trainings-XXXXXX)
export PYTHONPATH=$PWD/platform:$PWD RAY_USAGE_STATS_ENABLED=0 OMP_NUM_THREADS=1
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$work/token
(umask 077; openssl rand -hex 32 > "$RAY_AUTH_TOKEN_PATH")
touch "$work/log"
export NADLAB_TRAININGS_LOG=$work/log NADLAB_TRAININGS_SECONDS=3
SEARCH="search --benchmark perf.faults.trainings:sleeping --method random-search,local-search --queries 20 --seeds 2 \
--address $HEAD --retries 5 --evaluations $work/store --json"

say() { printf '%4d s: %s\n' $SECONDS "$*"; }
gave_up() { tail -n 5 "$work"/*.txt; }
host() {  # NAME ADDRESS RAY...: start a host on the bridge
    local name=$1 address=$2
    shift 2
    wire "$name" "$address"
    ip netns exec "$name" unshare --pid --mount --fork --kill-child --mount-proc bash -c \
        'mount -t tmpfs ray /tmp/ray && exec "$PYTHON" -W ignore -m ray.scripts.scripts start --block --disable-usage-stats "$@"' \
        ray --node-ip-address="$address" --object-store-memory=100000000 "$@" > "$work/$name.txt" 2>&1 &
    power[$name]=$!
}
begun() { wc -l < "$work/log"; }

declare -A power
mount -t tmpfs run /run
bridge 10.78.0.1
host head 10.78.0.2 --head --port=6379 --num-cpus=1 --include-dashboard=false
await 120 'grep -q "Ray runtime started" "$work/head.txt"'
host worker1 10.78.0.3 --address=$HEAD --num-cpus=2
host worker2 10.78.0.4 --address=$HEAD --num-cpus=2
await 180 'grep -q "Ray runtime started" "$work/worker1.txt" && grep -q "Ray runtime started" "$work/worker2.txt"'
say "\$ nadlab $SEARCH"
nsenter --net=/run/netns/head nsenter --target "$(pgrep -P "${power[head]}")" --pid --mount \
    "$PYTHON" -W ignore -c "import sys; from nadlab.cli.main import main; main()" $SEARCH > "$work/rows" 2> "$work/search.txt" &
search=$!
await 1500 '[ "$(begun)" -ge 12 ]'
say "worker1 loses its power, with $(begun) trainings begun"
kill -9 "${power[worker1]}"
wait "${power[worker1]}" 2> /dev/null || true
await 1500 '[ "$(begun)" -ge 24 ]'
say "worker2 loses its network, with $(begun) trainings begun"
ip link set worker2 down
wait $search && status=0 || status=$?
say "the searches end with status $status"
NADLAB_TRAININGS_SECONDS=0 NADLAB_TRAININGS_LOG= "$PYTHON" -W ignore tests/loopback/trainings.py "$work" || status=1
[ $status = 0 ] && rm -r "$work" || say "its folder is kept: $work"
exit $status
