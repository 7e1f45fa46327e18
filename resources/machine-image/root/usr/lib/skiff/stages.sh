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
