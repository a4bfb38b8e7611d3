#!/bin/busybox sh
# Process 1 of the built-in initial file system. With the word suzerain.checks
# on the kernel's command line it checks that the guest works, reports on the
# console and powers off, or reboots if a check failed, so that even the
# outcome of the VM tells. With suzerain.poweroff it does nothing else, for
# benches. Otherwise it gives a shell on the console.

b=/bin/busybox

say() { echo "SUZERAIN-GUEST: $*"; }
fail() { say "FAILED: $*"; failed=1; }

# Seconds since boot, times one hundred.
uptime_cs() {
    read -r up _ < /proc/uptime
    echo $((${up%.*} * 100 + 1${up#*.} - 100))
}

# The number of KiB in a line of /proc/meminfo.
meminfo() {
    while read -r name kib _; do
        [ "$name" = "$1:" ] && echo "$kib"
    done < /proc/meminfo
}

check_rsi() {
    line=$($b dmesg | $b grep 'Using RSI version')
    if [ -n "$line" ]; then say "rsi: $line"; else say "rsi: not a Realm"; fi
}

# Fills all free memory with copies of one random block and reads some back.
# What stays free is what the kernel needs to go on.
check_memory() {
    total=$(($(meminfo MemTotal) / 1024))
    $b mount -t tmpfs -o size=100% fill /mnt
    $b dd if=/dev/urandom of=/mnt/block bs=1M count=1 2> /dev/null
    blocks=$(($(meminfo MemFree) / 1024 - 10))
    list=
    while [ ${listed:=0} -lt $blocks ]; do
        list="$list /mnt/block"
        listed=$((listed + 1))
    done
    $b cat $list > /mnt/fill || fail "memory: cannot write $blocks MiB"
    for place in 0 $((blocks / 2)) $((blocks - 1)); do
        $b dd if=/mnt/fill bs=1M skip=$place count=1 2> /dev/null |
            $b cmp -s - /mnt/block || fail "memory: MiB $place does not read back"
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

# Ends the run; what the console still holds would be lost.
stop() {
    $b stty -F /dev/console opost
    $b "$1" -f
}

run_checks() {
    failed=0
    check_rsi
    check_memory
    check_sleep
    if [ $failed -eq 0 ]; then
        say "all checks passed"
        stop poweroff
    fi
    stop reboot
}

# Busybox's own init takes over: it makes the console the shell's terminal and
# knows what poweroff, halt and reboot mean. See /etc/inittab.
run_shell() {
    $b --install -s /bin 2> /dev/null
    $b hostname suzerain-guest
    echo
    echo "Linux $($b uname -r) under Suzerain. 'poweroff' ends the run."
    exec $b init
}

$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
# Kernel messages must not cut reports in two.
$b dmesg -n 4
say "init started after $(uptime_cs) cs"
case " $($b cat /proc/cmdline) " in
    *" suzerain.poweroff "*) stop poweroff ;;
    *" suzerain.checks "*) run_checks ;;
    *) run_shell ;;
esac
