# Sourced by the boot scripts: how they tell the driver, over the serial console, where they are.
export PATH=/usr/sbin:/usr/bin

# `skiff-boot: <stage> <seconds since the kernel started>`
stage() {
  read -r up _ </proc/uptime
  echo "skiff-boot: $1 $up" >/dev/console
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

# Waits until a file is there, a minute at most.
await_file() {
  tries=0
  until [ -e "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -gt 3000 ] && return 1
    usleep 20000
  done
}
