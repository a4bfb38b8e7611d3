# Devices of the guest: sourced by /init where there are modules for them.
#
#   suzerain.disk      the SHA-256 of each disk; what is written reads back
#   suzerain.entropy   the source of random numbers gives some
#   suzerain.net=client,OWN,PEER   pings the guest at PEER and sends it 64 MiB
#   suzerain.net=client,OWN,PEER,MIB   as much as that, a multiple of four
#   suzerain.net=server,OWN,PEER   the other side of it

# Seconds after which a guest gives its peer up. Under emulation, on a machine with
# other work, 64 MiB take minutes.
PATIENCE=900
DATA=4000
DIGEST=4001

load_modules() {
    while read -r module; do
        $b insmod /lib/modules/$module.ko || fail "module $module"
    done < /etc/modules
}

# Goes on at the console that costs fewer exits, if there is one. Its driver may
# learn only from the host that there is a port.
use_console() {
    set -- /sys/bus/virtio/drivers/virtio_console/virtio*
    [ -e "$1" ] && until_works test -c /dev/hvc0 || return
    tty=hvc0
    exec < /dev/hvc0 > /dev/hvc0 2>&1
}

check_devices() {
    if word disk; then check_disks; fi
    if word entropy; then check_entropy; fi
    if net=$(word net); then
        IFS=, read -r role own peer mib <<- END
			$net
		END
        check_net
    fi
}

check_disks() {
    found=0
    for disk in /sys/block/vd*; do
        name=${disk##*/}
        [ -b /dev/$name ] || continue
        found=1
        read -r sectors < $disk/size
        read -r readonly < $disk/ro
        say "disk: $name has $((sectors * 512)) bytes, readonly $readonly," \
            "sha256 $(digest < /dev/$name)"
        [ $readonly = 1 ] || check_writing $name $sectors
    done
    [ $found = 1 ] || fail "disk: there is none"
}

# Writes the last sectors and reads them back from the device.
check_writing() {
    $b dd if=/dev/urandom of=/tmp/sectors bs=512 count=8 2> /dev/null
    $b dd if=/tmp/sectors of=/dev/$1 bs=512 seek=$(($2 - 8)) conv=fsync 2> /dev/null ||
        fail "disk: $1 cannot be written"
    echo 3 > /proc/sys/vm/drop_caches
    said=$($b dd if=/dev/$1 bs=512 skip=$(($2 - 8)) count=8 2> /dev/null |
        $b cmp - /tmp/sectors 2>&1) ||
        fail "disk: $1 does not keep what is written: $said"
}

check_entropy() {
    read -r source < /sys/class/misc/hw_random/rng_current
    $b dd if=/dev/hwrng of=/tmp/first bs=32 count=2 2> /dev/null
    $b dd if=/dev/hwrng of=/tmp/second bs=32 count=2 2> /dev/null
    if [ -s /tmp/first ] && ! $b cmp -s /tmp/first /tmp/second; then
        say "entropy: $source gives it"
    else
        fail "entropy: $source gives none"
    fi
}

# Waits for a command to succeed, which it tries once a second.
until_works() {
    end=$(($(uptime_cs) + PATIENCE * 100))
    until "$@" > /dev/null 2>&1; do
        [ $(uptime_cs) -lt $end ] || return 1
        $b sleep 1
    done
}

check_net() {
    $b ip link set lo up
    $b ip addr add $own/24 dev eth0 && $b ip link set eth0 up || fail "net: no eth0"
    if ! until_works $b ping -c 1 -W 1 $peer; then
        fail "net: $peer does not answer"
        return
    fi
    say "net: $own reaches $peer"
    $b mount -t tmpfs -o size=100% copy /mnt
    # Busybox's nc ends when the other side has nothing more to say, so the side
    # that only listens needs an input that stays open.
    $b mkfifo /tmp/open
    exec 3<> /tmp/open
    if [ $role = server ]; then serve; else send; fi
    $b umount /mnt
}

serve() {
    $b timeout $PATIENCE $b nc -l -p $DATA <&3 > /mnt/copy ||
        fail "net: nobody sent anything"
    sum=$(digest < /mnt/copy)
    say "net: received $($b stat -c %s /mnt/copy) bytes, sha256 $sum"
    echo $sum | $b timeout $PATIENCE $b nc -l -p $DIGEST > /dev/null ||
        fail "net: nobody asked for the digest"
}

send() {
    mib=${mib:-64}
    $b dd if=/dev/urandom of=/mnt/block bs=1M count=$((mib / 4)) 2> /dev/null
    $b cat /mnt/block /mnt/block /mnt/block /mnt/block > /mnt/copy
    $b rm /mnt/block
    before=$(uptime_cs)
    say "net: sending $mib MiB"
    until_works send_copy || fail "net: $peer takes nothing"
    took=$(($(uptime_cs) - before))
    sum=$(digest < /mnt/copy)
    until_works fetch_digest || fail "net: $peer tells no digest"
    read -r theirs < /tmp/theirs
    say "net: sent $mib MiB in $took cs, sha256 $sum"
    [ "$theirs" = "$sum" ] || fail "net: $peer received $theirs"
}

send_copy() { $b nc $peer $DATA < /mnt/copy; }

fetch_digest() {
    $b nc $peer $DIGEST <&3 > /tmp/theirs
    [ -s /tmp/theirs ]
}
