# Hosts of a test as network namespaces on a bridge of this machine; sourced by the scripts beside it.

await() {  # SECONDS COMMAND: wait until the command holds; `gave_up`, where the script has it, shows why it did not
    local end=$((SECONDS + $1))
    until eval "$2"; do
        [ $SECONDS -lt $end ] || { say "gave up after $1 s: $2"; ! declare -F gave_up > /dev/null || gave_up; exit 1; }
        sleep 1
    done
}
bridge() {  # ADDRESS: make the bridge, with an address of this machine's own
    ip link set lo up
    ip link add bridge type bridge
    ip address add "$1/24" dev bridge
    ip link set bridge up
}
wire() {  # NAME ADDRESS: make a host's network
    ip netns add "$1"
    ip link add "$1" type veth peer name eth0 netns "$1"
    ip link set "$1" master bridge up
    ip -netns "$1" link set lo up
    ip -netns "$1" address add "$2/24" dev eth0
    ip -netns "$1" link set eth0 up
}
