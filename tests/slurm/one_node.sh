#!/usr/bin/env bash
# The workflow on a real Slurm: one node, no accounting, as many small clusters are, and two GPUs that are only said to be there.
# The smoke workflow of flow matching runs through `snakemake --workflow-profile profiles/slurm`; the digits are trained by a job of
# two GPUs, that is by torchrun with two processes. While it trains it is cancelled. Checked is that Snakemake reports it and ends
# with 1, that the next call resumes the training and finishes everything, and that the weights are bit for bit those of a training
# that nobody cancelled.
#
#     bash tests/slurm/one_node.sh
#
# By hand, as root, on Debian or Ubuntu with `apt install slurm-wlm munge`, on two cores or more, without a GPU; about five minutes. It
# works in a copy of the tree, starts munged, slurmctld and slurmd from a folder of its own, and leaves the machine as it was.
set -euo pipefail
cd "$(dirname "$0")/../.."
SOURCE=$(pwd)
HOST=$(hostname -s)
STEPS=1000
export PATH=$SOURCE/.venv/bin:$PATH

fail() { # MESSAGE [FILE...]: with the ends of files that say more
  echo "FAILED: $1" >&2
  tail -n 30 "${@:2}" </dev/null >&2
  exit 1
}
step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
until_true() { # SECONDS COMMAND...: wait for it
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

[ "$(id -u)" = 0 ] || fail "run it as root: slurmd starts jobs"
CORES=$(getconf _NPROCESSORS_ONLN) # nproc listens to OMP_NUM_THREADS
[ "$CORES" -ge 2 ] || fail "a job of two processes needs two cores"
for name in munged mungekey slurmctld slurmd snakemake; do
  command -v "$name" >/dev/null || fail "$name is missing: apt install slurm-wlm munge; make setup"
done
[ ! -e /etc/slurm/slurm.conf ] || fail "/etc/slurm/slurm.conf exists: this machine has a Slurm of its own"
if command -v nvidia-smi >/dev/null; then fail "this machine has GPUs, and two processes of the test would look for two"; fi

STATE=$(mktemp -d)
TREE=$STATE/tree
[ ! -d /etc/slurm ] || HAD_FOLDER=1
nobody_queued() { [ -z "$(squeue --noheader)" ]; }
nobody_here() { [[ $(ls -l /proc/[0-9]*/cwd 2>/dev/null) != *" $TREE"* ]]; }
gone() { ! kill -0 "$@" 2>/dev/null; }
stop() {
  local status=$?
  set +e
  cd /
  [ -z "${CALL:-}" ] || kill "$CALL"
  if [ -f "$STATE/slurmctld.pid" ]; then scancel --user=root && until_true 60 nobody_queued; fi
  for daemon in $(cat "$STATE"/{slurmd,slurmctld,munge/}*pid 2>/dev/null); do
    kill "$daemon" && { until_true 30 gone "$daemon" || complain "process $daemon is left"; }
  done
  rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
  [ -n "${HAD_FOLDER:-}" ] || rmdir /etc/slurm
  until_true 60 nobody_here || complain "processes are left in $TREE"
  [ $status = 0 ] || { echo "what was written is left to look at: $STATE" >&2 && exit $status; }
  rm -rf "$STATE"
  echo "done, and the machine is as it was ($SECONDS s)"
}
complain() { echo "FAILED: $*" >&2 && status=1; }
trap stop EXIT

step "a Slurm of one node"
chmod 755 "$STATE"
mkdir -p "$STATE"/{ctld,slurmd,munge}
for gpu in 0 1; do mknod "$STATE/gpu$gpu" c 1 3; done # as /dev/null
mungekey --create --keyfile "$STATE/munge/key"
chown -R munge: "$STATE/munge"
cat >"$STATE/slurm.conf" <<CONF
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
AuthInfo=socket=$STATE/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
GresTypes=gpu
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$CORES RealMemory=$(free -m | awk '/^Mem/ {print int($2 * 0.9)}') Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes=$HOST Default=YES MaxTime=INFINITE State=UP
CONF
echo "Name=gpu File=$STATE/gpu[0-1]" >"$STATE/gres.conf"
# where steps inside a job look for it: their environment is made anew
mkdir -p /etc/slurm
cp "$STATE/slurm.conf" "$STATE/gres.conf" /etc/slurm/

runuser -u munge -- munged --key-file="$STATE/munge/key" --socket="$STATE/munge/socket" --pid-file="$STATE/munge/pid" \
  --log-file="$STATE/munge/log" --seed-file="$STATE/munge/seed"
slurmctld
slurmd
idle() {
  scontrol update NodeName="$HOST" State=RESUME 2>/dev/null
  [[ $(sinfo --noheader --format=%T) == idle ]]
}
until_true 60 idle || fail "the node does not come up: $STATE/slurmd.log"
sinfo --format='%P %T %c cores, %G'

step "a copy of the tree, in which digits are trained for $STEPS steps"
mkdir "$TREE"
git -c safe.directory="$SOURCE" ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar -c -T - |
  tar -x -C "$TREE"
cd "$TREE"
sed -i "0,/steps: 60, batch: 64/s//steps: $STEPS, checkpoint_seconds: 0.2, batch: 64/" common/settings.yaml
sed -i 's/smoke: 2$/smoke: 1/' config/config.yaml
grep -q "steps: $STEPS, checkpoint_seconds: 0.2" common/settings.yaml && grep -q "smoke: 1" config/config.yaml || fail "the settings have changed: mend this script"
echo "train_digits: {gpu: 2, mem_mb: 2000, runtime: 15}" >asked.yaml
WORDS=(--workflow-profile profiles/slurm --jobs 4 --latency-wait 5 --slurm-init-seconds-before-status-checks 5)
WORDS+=(--config level=smoke papers=flow_matching resources=asked.yaml)
MODEL=results/smoke/models/digits-mlp-fm_ot/seed0
LOG=results/smoke/logs/common/train_digits.log

step "the workflow, and its training cancelled"
snakemake all "${WORDS[@]}" >first.txt 2>&1 &
CALL=$!
# while it trains its state is written again and again: when it is written for the second time, it is in the midst
states() { stat --format=%z "$MODEL"/training-state-*.pt 2>/dev/null; }
until_true 300 states >/dev/null || fail "no training state was written" first.txt
FIRST=$(states)
JOB=$(squeue --noheader --states=RUNNING --format='%i %k' | awk '/train_digits/ {print $1}')
[ -n "$JOB" ] || fail "no running job is called train_digits: $(squeue)"
trains() { [ "$(states)" != "$FIRST" ]; }
until_true 30 trains || fail "the training stands still" "$LOG"
scancel "$JOB"
echo "cancelled job $JOB"
SHOWN=$(scontrol show job "$JOB")
[[ $SHOWN == *TresPerJob=gres?gpu:2* ]] || fail "the job has no two GPUs: $SHOWN"
[[ $SHOWN == *TimeLimit=00:15:00* ]] || fail "the job has not the minutes of the table: $SHOWN"
STATUS=0
wait "$CALL" || STATUS=$?
unset CALL
[ "$STATUS" = 1 ] || fail "a workflow with a cancelled job ended with $STATUS" first.txt
grep -h "broken off: train_digits" first.txt || fail "nobody says that the job was cancelled" first.txt
[ -s results/smoke/flow_matching/exact_paths/default/seed0/metrics.csv ] || fail "jobs that do not need the training did not run" first.txt
[ ! -e "$MODEL/metrics.csv" ] || fail "the training had ended before it was cancelled" "$LOG"
states >/dev/null || fail "the training state is gone"

step "the next call"
snakemake all "${WORDS[@]}" >second.txt 2>&1 || fail "the second call ended with $?" second.txt "$LOG"
AT=$(awk '/resumed at step/ {print $NF; exit}' "$LOG")
[ -n "$AT" ] || fail "the training began anew" "$LOG"
[ "$AT" -gt 0 ] && [ "$AT" -lt "$STEPS" ] || fail "the training was resumed at step $AT of $STEPS" "$LOG"
echo "the training was resumed at step $AT of $STEPS"
[ -s report/build/smoke/index.html ] || fail "there is no report" second.txt
[ -z "$(find results -name 'training-state-*')" ] || fail "states of finished trainings are left"
snakemake all "${WORDS[@]}" --dry-run >third.txt 2>&1
grep -q "Nothing to be done" third.txt || fail "something is left to be done" third.txt

step "the same training, which nobody cancels"
python -m common train --level smoke --seed 0 --set data=digits --set objective=fm_ot --results "$STATE/unbroken" --gpus 2 --threads 2 \
  >unbroken.txt 2>&1 || fail "the training ended with $?" unbroken.txt
for file in weights.safetensors snapshots/$((STEPS / 2)).safetensors snapshots/$STEPS-raw.safetensors; do
  cmp "$MODEL/$file" "$STATE/unbroken/${MODEL#results/}/$file" || fail "$file differs from an unbroken training's"
done
grep -q '"command": "python -m common train.*--gpus 2' "$MODEL/run.json" || fail "run.json does not name the two processes"
echo "weights and snapshots are bit for bit the same"
