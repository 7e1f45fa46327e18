# Sourced by boot where the driver asks for it (`skiff.prepare` on the command line): what is the same for every machine is done first, and
# then the machine stands still. The driver keeps its memory as it is at that moment, and a later start of whatever machine goes on from
# there, perhaps years later. So nothing before that moment may depend on who the machine is or on what its disks hold: the data disk and the
# seed are taken off before and found anew behind it, with their own sizes and nothing of another machine's in a cache.
disks_driver=/sys/bus/virtio/drivers/virtio_blk

read -r modules_of_engine </usr/lib/skiff/modules.engine
read -r modules_of_containers </usr/lib/skiff/modules.containers
modprobe -a virtio_net virtio_rng $modules_of_engine $modules_of_containers || fail prepared "some kernel modules do not load"

# In another century, so that whatever takes random numbers in this process finds its own too old when it goes on, and takes new ones
# from the kernel (OpenSSL does after seven minutes). SKIFF_RELEASE keeps the room for its later value.
date -u -s @946684800 >/dev/null
mkfifo -m 0600 /run/skiff/waiting-node /run/skiff/engine-life
(
  ulimit -n 1048576
  ulimit -l unlimited
  SKIFF_RELEASE=................................................................................................ \
    exec setsid $waiting_node /usr/lib/skiff/waiting-node.js </dev/null >/run/skiff/waiting-node.log 2>&1
) &
await_file /run/skiff/waiting-node.pid || fail prepared "no Node waits: $(tail -n 1 /run/skiff/waiting-node.log)"

own_disks=
for device in "$disks_driver"/virtio*; do
  [ -e "$device/block/vda" ] && continue
  own_disks="$own_disks ${device##*/}"
  echo "${device##*/}" >"$disks_driver/unbind" || fail prepared "a disk cannot be taken off"
done
# The second serial line is where the driver says to go on, with the time: seconds since 1970.
stty -F /dev/ttyS1 -echo && exec 7</dev/ttyS1 || fail prepared "there is no second serial line"
stage prepared
read -r now <&7
exec 7<&-

for device in $own_disks; do
  echo "$device" >"$disks_driver/bind" || fail prepared "a disk cannot be put back"
done
date -u -s "@$now" >/dev/null || fail continued "the clock does not take the time '$now'"
stage continued
