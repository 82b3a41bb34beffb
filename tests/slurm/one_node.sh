#!/usr/bin/env bash
# Run the smoke workflow through a real Slurm of one node without accounting, as many small clusters are. By hand, as root, on Debian
# or Ubuntu with `apt install slurm-wlm munge`: starts munged, slurmctld and slurmd from a folder of its own, runs
# `snakemake --workflow-profile profiles/slurm`, and stops them again. Give it a copy of the tree to work in.
#
#     bash tests/slurm/one_node.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
TREE=$(pwd)
STATE=${1:-$(mktemp -d)}
HOST=$(hostname -s)
mkdir -p "$STATE"/{ctld,slurmd} /run/munge
chown munge: /run/munge

cat > "$STATE/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$HOST
SlurmUser=root
StateSaveLocation=$STATE/ctld
SlurmdSpoolDir=$STATE/slurmd
SlurmctldLogFile=$STATE/slurmctld.log
SlurmdLogFile=$STATE/slurmd.log
SlurmctldPidFile=$STATE/slurmctld.pid
SlurmdPidFile=$STATE/slurmd.pid
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(free -m | awk '/^Mem/ {print int($2 * 0.9)}') State=UNKNOWN
PartitionName=gpu Nodes=$HOST Default=YES MaxTime=INFINITE State=UP
CONF
# where steps inside a job look for it: their environment is made anew
if [ -e /etc/slurm/slurm.conf ]; then echo "/etc/slurm/slurm.conf exists: this machine has a Slurm of its own"; exit 1; fi
mkdir -p /etc/slurm
cp "$STATE/slurm.conf" /etc/slurm/slurm.conf

stop() {
  for name in slurmd slurmctld; do
    if [ -f "$STATE/$name.pid" ]; then kill "$(cat "$STATE/$name.pid")" 2>/dev/null || true; fi
  done
  rm -f /etc/slurm/slurm.conf
  if [ -n "${MUNGED:-}" ]; then kill "$MUNGED" 2>/dev/null || true; fi
}
trap stop EXIT

runuser -u munge -- munged --force
MUNGED=$(pgrep -x munged | head -1)
slurmctld
slurmd
for _ in $(seq 30); do
  if sinfo --noheader --format=%T | grep -q idle; then break; fi
  scontrol update NodeName="$HOST" State=RESUME 2>/dev/null || true
  sleep 1
done
sinfo

cd "$TREE"
snakemake --workflow-profile profiles/slurm --config level=smoke papers=flow_matching --jobs 4 --latency-wait 5
test -s report/build/smoke/index.html
echo "the smoke workflow ran through Slurm"
