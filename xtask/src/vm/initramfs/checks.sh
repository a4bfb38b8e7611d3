# What a guest checks of itself: sourced by /init.
#
#   suzerain.brief    without the checks of memory and of sleep
#   suzerain.cpus=N   that N CPUs are online, and that each can work
#   suzerain.work     that long work gives the right result; says how long it took
#   suzerain.work=MIB,TURNS   over so many MiB, a multiple of four, and again for each
#                     Enter on the console until there were so many turns
#   suzerain.disk, suzerain.entropy, suzerain.net=...   see devices.sh

# SHA-256 of 4 MiB of zeros.
ZEROS=bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8

check_all() {
    check_rsi
    word brief || { check_memory; check_sleep; }
    if count=$(word cpus); then check_cpus "$count"; fi
    if work=$(word work); then check_work "$work"; fi
    [ -f /etc/modules ] && check_devices
}

# The number of KiB in a line of /proc/meminfo.
meminfo() {
    while read -r name kib _; do
        [ "$name" = "$1:" ] && echo "$kib"
    done < /proc/meminfo
}

# The SHA-256 of stdin.
digest() {
    $b sha256sum | { read -r sum _; echo "$sum"; }
}

digest_of_zeros() { $b dd if=/dev/zero bs=64k count=64 2> /dev/null | digest; }

check_rsi() {
    line=$($b dmesg | $b grep 'Using RSI version')
    if [ -n "$line" ]; then say "rsi: $line"; else say "rsi: not a Realm"; fi
}

# Fills all free memory with copies of one random block and reads some back.
# What stays free is for the work itself. Some of it lies in the area for contiguous
# memory, which the kernel does not use for itself, each CPU keeps pages, and some
# are never given away: with 10 MiB it was chance whether the kernel killed dd.
check_memory() {
    total=$(($(meminfo MemTotal) / 1024))
    $b mount -t tmpfs -o size=100% fill /mnt
    $b dd if=/dev/urandom of=/mnt/block bs=1M count=1 2> /dev/null
    blocks=$(($(meminfo MemFree) / 1024 - 24))
    list=
    while [ ${listed:=0} -lt $blocks ]; do
        list="$list /mnt/block"
        listed=$((listed + 1))
    done
    $b cat $list > /mnt/fill || fail "memory: cannot write $blocks MiB"
    for place in 0 $((blocks / 2)) $((blocks - 1)); do
        said=$($b dd if=/mnt/fill bs=64k skip=$((place * 16)) count=16 2> /dev/null |
            $b cmp - /mnt/block 2>&1) ||
            fail "memory: MiB $place does not read back: $said"
    done
    $b umount /mnt
    say "memory: $blocks MiB touched of $total MiB"
}

check_sleep() {
    before=$(uptime_cs)
    $b sleep 1
    slept=$(($(uptime_cs) - before))
    say "sleep: 1 s took $slept cs"
    [ $slept -ge 95 ] && [ $slept -le 1000 ] || fail "sleep: $slept cs"
}

# All CPUs work at the same time, each bound to its own.
check_cpus() {
    online=$($b grep -c '^processor' /proc/cpuinfo)
    [ "$online" -eq "$1" ] || fail "cpus: $online of $1 are online"
    cpu=0
    while [ $cpu -lt "$online" ]; do
        mask=$(printf %x $((1 << cpu)))
        $b taskset "$mask" $b sh -c \
            "$b dd if=/dev/zero bs=64k count=64 2> /dev/null | $b sha256sum" > /tmp/cpu$cpu &
        cpu=$((cpu + 1))
    done
    wait
    right=$($b cat /tmp/cpu* | $b grep -c "^$ZEROS")
    [ "$right" -eq "$online" ] || fail "cpus: $right of $online gave the right result"
    say "cpus: $right of $1 worked"
}

check_work() {
    IFS=, read -r mib turns <<- END
		$1
	END
    turn=1
    while [ $turn -le ${turns:-1} ]; do
        [ $turn -eq 1 ] || read -r _
        before=$(uptime_cs)
        hashed=0
        while [ $hashed -lt ${mib:=32} ]; do
            [ "$(digest_of_zeros)" = $ZEROS ] || fail "work: wrong after $hashed MiB"
            hashed=$((hashed + 4))
        done
        say "work: $hashed MiB hashed in $(($(uptime_cs) - before)) cs"
        turn=$((turn + 1))
    done
}
