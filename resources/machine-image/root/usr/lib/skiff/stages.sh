# Sourced by the boot scripts: how they tell the driver, over the serial console, where they are.
export PATH=/usr/sbin:/usr/bin

# `skiff-boot: <stage> <seconds since the kernel started>`
stage() {
  read -r up _ </proc/uptime
  echo "skiff-boot: $1 $up" >"${SKIFF_CONSOLE:-/dev/console}"
}

# `skiff-boot: failed <stage> <seconds> <why>`, and the machine goes off: half a machine would only look like a slow one.
fail() {
  failed=$1
  shift
  read -r up _ </proc/uptime
  echo "skiff-boot: failed $failed $up $*" >/dev/console
  sync
  poweroff -f
  exit 1
}

# A FIFO into which nobody writes: the shell waits by reading from it, where `usleep` would be a process of 10 ms each time.
pause_fifo=/run/skiff/pause

# Waits until a file is there, for so many seconds at most (a minute if not told).
await_file() {
  read -r up _ </proc/uptime
  deadline=$((${up%.*} + ${2:-60}))
  until [ -e "$1" ]; do
    read -r up _ </proc/uptime
    [ "${up%.*}" -lt "$deadline" ] || return 1
    read -t 0.05 -r _ <>"$pause_fifo"
  done
  return 0
}

# How the Node runs that waits for its engine, if one does (waiting-node.js): a release of the same `run` can be handed to it.
waiting_node="/usr/lib/skiff/node/bin/node --disable-warning=ExperimentalWarning --max-semi-space-size=2 --preserve-symlinks-main"
