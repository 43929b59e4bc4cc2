#!/usr/bin/env bash
# A SLURM on this machine, for trying the cluster profile: slurm.sh start [NODES [CPUS [MEMORY]]] | slurm.sh stop
#
# One node, unless told otherwise, of eight CPUs or as many as there are, and of all memory; CPUS and MEMORY (in MB) are
# those of each node, and may be more or fewer than the machine has: that is how profiles are tried on clusters of other
# sizes. Needs root and Debian's or Ubuntu's packages (`start` installs slurm-wlm and munge if they are missing). No systemd,
# cgroups or database. Its state lies in /var/lib/ontogeny-slurm, its configuration in /etc/slurm/slurm.conf; a
# slurm.conf that this script did not write is left alone, and nothing is started.
set -euo pipefail

state=/var/lib/ontogeny-slurm
config=/etc/slurm/slurm.conf
mark="# A SLURM for tests, written by tests/slurm/slurm.sh of Ontogeny."
host=$(hostname -s)
nodes=${2:-1}
cpus=${3:-$(($(nproc) > 8 ? $(nproc) : 8))}
memory=${4:-$(awk '/^MemTotal/{print int($2/1024)}' /proc/meminfo)}
names="node[1-$nodes]"

fail() { echo "slurm.sh: $*" >&2; exit 1; }

running() { # is the process of this pid file the daemon that it should be?
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

wait_for() { # seconds, command
    local tries=$(($1 * 4))
    shift
    for _ in $(seq "$tries"); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.25
    done
    return 1
}

controller_answers() { scontrol ping 2>/dev/null | grep -q "is UP"; }
key_works() { munge -n 2>/dev/null | unmunge >/dev/null 2>&1; }
nodes_are_ready() { [ "$(sinfo -h -N -n "$names" -o %T | grep -cE "^(idle|mixed|allocated)$")" = "$nodes" ]; }

install_packages() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
    command -v apt-get >/dev/null || fail "SLURM is not installed, and there is no apt-get to install it with"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null || fail "apt-get could not install SLURM"
}

start_munge() {
    install -d -o munge -g munge -m 0700 /etc/munge /var/log/munge
    install -d -o munge -g munge -m 0711 /var/lib/munge
    install -d -o munge -g munge -m 0755 /run/munge
    [ -s /etc/munge/munge.key ] || (umask 077 && head -c 1024 /dev/urandom >/etc/munge/munge.key)
    chown munge:munge /etc/munge/munge.key && chmod 0400 /etc/munge/munge.key
    key_works || setpriv --reuid=munge --regid=munge --init-groups munged
    wait_for 5 key_works || fail "munge does not answer"
}

write_config() {
    mkdir -p "$state"/{controller,log} /etc/slurm
    cat >"$config" <<CONF
$mark
ClusterName=ontogeny
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/%n
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/%n.pid
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdLogFile=$state/log/%n.log
MpiDefault=none
SwitchType=switch/none
# Processes are followed without cgroups; each job keeps to its own cores.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
# A job that holds more memory than it asked for is ended, as seen every two seconds.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill,NoShared
# No accounting: ended jobs stay visible to squeue for a day.
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$state/log/jobs.txt
MinJobAge=86400
JobRequeue=0
KillWait=2
OverTimeLimit=0
ReturnToService=2
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
NodeName=$names NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-$((17000 + nodes))] CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$names Default=YES DefaultTime=01:00:00 MaxTime=INFINITE State=UP
CONF
}

start() {
    controller_answers && nodes_are_ready && return
    [ "$(id -u)" = 0 ] || fail "starting SLURM needs root"
    if [ -e "$config" ] && ! grep -qF "$mark" "$config"; then
        fail "$config is not of this script: start that SLURM, or move the file away"
    fi
    install_packages
    start_munge
    write_config
    running "$state/slurmctld.pid" slurmctld || setsid slurmctld </dev/null >/dev/null 2>&1
    wait_for 20 controller_answers || fail "slurmctld does not answer, see $state/log/slurmctld.log"
    for number in $(seq "$nodes"); do
        mkdir -p "$state/node$number"
        running "$state/node$number.pid" slurmd || setsid slurmd -N "node$number" </dev/null >/dev/null 2>&1
    done
    wait_for 10 nodes_are_ready || scontrol update "nodename=$names" state=resume || true
    wait_for 20 nodes_are_ready || fail "the nodes do not come up, see $state/log"
}

stop() {
    [ -d "$state" ] || return 0
    controller_answers && scancel --user=root || true
    for file in "$state"/node*.pid "$state"/slurmctld.pid; do
        daemon=$([ "${file##*/}" = slurmctld.pid ] && echo slurmctld || echo slurmd)
        if running "$file" "$daemon"; then
            pid=$(cat "$file")
            kill "$pid"
            wait_for 15 test ! -d "/proc/$pid" || kill -9 "$pid"
        fi
    done
    rm -rf "$state"
    if grep -qsF "$mark" "$config"; then rm "$config"; fi
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) fail "say start or stop" ;;
esac
