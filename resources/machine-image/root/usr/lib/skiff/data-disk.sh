# Sourced by boot: brings the data disk to /var/lib/skiff: formats it when it is new, checks it after an unclean stop,
# grows it when the disk grew. A disk that holds anything which is not ours is never touched.
#
# Whether a disk is new is read from its ext4 superblock (1024 bytes at 1024), not guessed:
#   no magic, first MiB all zero      new: format
#   label skiff-making                a power cut during format: format again
#   label skiff-data                  ours: mount
#   anything else                     not ours: stop
# A format first writes a superblock that holds the magic and the label skiff-making alone; mke2fs puts its own, labelled
# the same, over it as its last step, and only when all is on the disk does the label become skiff-data. So at no moment
# does a half-made file system look finished, or a new disk look foreign.
disk=/dev/${data_disk:-vdb}
logs=/run
# Called by their path, for busybox has a mke2fs of its own.
tools=/usr/sbin

# Fields at their offsets in the superblock: magic 56, state 58, feature_incompat 96, label 120..135, blocks 4, log block size 24.
read_superblock() {
  set -- $(hexdump -s 1024 -n 136 -v -e '136/1 "%02x " "\n"' "$disk")
  blocks=$((0x$8$7$6$5))
  shift 24
  block_size=$((1024 << 0x$1))
  shift 32
  magic=$2$1
  state=$4$3
  shift 40
  recover=$(((0x$1 & 4) >> 2))
  shift 24
  label=$1$2$3$4$5$6$7$8$9${10}${11}${12}
}
# `skiff-making` and `skiff-data`, two zero bytes padding the latter.
making=736b6966662d6d616b696e67
data=736b6966662d646174610000

is_blank() {
  [ "$(dd if="$disk" bs=64k count=16 2>/dev/null | tr -d '\000' | head -c 1 | wc -c)" -eq 0 ]
}

format() {
  stage data-format
  {
    dd if=/dev/zero bs=56 count=1
    printf '\123\357'
    dd if=/dev/zero bs=62 count=1
    printf skiff-making
    dd if=/dev/zero bs=892 count=1
  } 2>/dev/null | dd of="$disk" bs=1024 seek=1 count=1 iflag=fullblock conv=notrunc,fsync 2>/dev/null || fail data "the data disk does not take writes"
  "$tools"/mke2fs -q -F -t ext4 -L skiff-making -m 1 -O quota,project \
    -E lazy_itable_init=1,lazy_journal_init=1,nodiscard,quotatype=prjquota "$disk" </dev/null >"$logs/mke2fs.log" 2>&1 ||
    fail data "mke2fs: $(tail -n 1 "$logs/mke2fs.log")"
  sync
  "$tools"/tune2fs -L skiff-data "$disk" >"$logs/mke2fs.log" 2>&1 || fail data "tune2fs: $(tail -n 1 "$logs/mke2fs.log")"
  sync
}

# After this the disk holds our file system, whole and clean.
prepare_data_disk() {
  read_superblock
  if [ "$magic" != ef53 ]; then
    is_blank || fail data "the data disk is not empty and not Skiff's: it is left alone"
    format
    read_superblock
  elif [ "$label" = "$making" ]; then
    format
    read_superblock
  fi
  [ "$label" = "$data" ] || fail data "the data disk holds a file system that is not Skiff's: it is left alone"

  # State 1 is 'clean'; a journal that must be replayed is an unclean stop.
  if [ "$state" != 0001 ] || [ "$recover" = 1 ]; then
    stage data-check
    "$tools"/e2fsck -p "$disk" >"$logs/e2fsck.log" 2>&1
    [ $? -lt 4 ] || fail data "e2fsck cannot repair the data disk by itself: $(tail -n 1 "$logs/e2fsck.log")"
  fi
}

mount_data_disk() {
  # A disk of an earlier image counts no quotas; volumes of a size are refused there.
  mount -t ext4 -o discard,errors=remount-ro,prjquota "$disk" /var/lib/skiff 2>/dev/null ||
    mount -t ext4 -o discard,errors=remount-ro "$disk" /var/lib/skiff || fail data "the data disk does not mount"
  [ -d /var/lib/skiff/home ] || mkdir -p -m 0700 /var/lib/skiff/home
  [ -d /var/lib/skiff/log ] || mkdir -p -m 0700 /var/lib/skiff/log
  [ -d /var/lib/skiff/tmp ] || mkdir -p -m 1777 /var/lib/skiff/tmp

  # Mounted ext4 grows without a pause; nothing waits for it.
  read -r sectors <"/sys/class/block/${disk##*/}/size"
  if [ $((sectors / (block_size / 512))) -gt $((blocks + 8192)) ]; then
    "$tools"/resize2fs "$disk" >"$logs/resize2fs.log" 2>&1 </dev/null &
  fi
}

bring_up_data_disk() {
  [ -b "$disk" ] || fail data "there is no data disk $disk"
  prepare_data_disk
  mount_data_disk
  stage data
}
