# Sourced by boot: reads the seed (a tar archive) and gives the machine its name, address and who may log in.

bring_up_network() {
  modprobe -a virtio_net virtio_rng || fail network "the kernel module virtio_net does not load"
  seed=/dev/${seed_disk:-vdc}
  tar -xf "$seed" -C /run/skiff/seed || fail network "the seed disk $seed is missing or not a tar archive"
  . /run/skiff/seed/seed.env || fail network "the seed has no seed.env"
  [ "$SKIFF_SEED_FORMAT" = 1 ] || fail network "the seed has format '$SKIFF_SEED_FORMAT', this image reads 1"
  [ -s /run/skiff/seed/authorized_keys ] || fail network "the seed has no authorized_keys"
  echo "$SKIFF_HOSTNAME" >/run/hostname
  echo "$SKIFF_HOSTNAME" >/proc/sys/kernel/hostname
  printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$SKIFF_HOSTNAME" >/run/hosts
  : >/run/resolv.conf
  ip link set lo up
  # The cards of some hypervisors come up beside us.
  await_file /sys/class/net/eth0 20
  ip link set eth0 up || fail network "there is no network card eth0"
  case $SKIFF_NETWORK_MODE in
    static) use_static_address ;;
    # Goes on in the background until a server answers; the address is told on the console (dhcp-event).
    dhcp)
      udhcpc -i eth0 -b -S -t 10 -T 1 -x hostname:"$SKIFF_HOSTNAME" -s /usr/lib/skiff/dhcp-event -p /run/udhcpc.pid >/dev/null ||
        fail network "udhcpc does not start"
      ;;
    *) fail network "the seed asks for the network mode '$SKIFF_NETWORK_MODE'" ;;
  esac
  stage network
}

use_static_address() {
  ip addr add "$SKIFF_ADDRESS" broadcast + dev eth0 || fail network "eth0 does not take the address $SKIFF_ADDRESS"
  [ -z "$SKIFF_GATEWAY" ] || ip route add default via "$SKIFF_GATEWAY" || fail network "the gateway $SKIFF_GATEWAY is not in $SKIFF_ADDRESS"
  for server in $SKIFF_NAMESERVERS; do
    echo "nameserver $server" >>/run/resolv.conf
  done
}
