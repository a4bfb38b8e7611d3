#!/bin/busybox sh
# Process 1 of the built-in initial file system. With the word suzerain.checks
# on the kernel's command line it checks that the guest works, reports on the
# console and powers off, or reboots if a check failed, so that even the
# outcome of the VM tells. Otherwise it is a shell on the console.

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
    written=0
    while [ $written -lt $blocks ] && $b cat /mnt/block; do
        written=$((written + 1))
    done > /mnt/fill
    [ $written -gt 0 ] && [ $written -eq $blocks ] || fail "memory: $written of $blocks MiB written"
    for place in 0 $((written / 3)) $((written / 2)) $((written - 1)); do
        $b dd if=/mnt/fill bs=1M skip=$place count=1 2> /dev/null |
            $b cmp -s - /mnt/block || fail "memory: MiB $place does not read back"
    done
    $b umount /mnt
    say "memory: $written MiB touched of $total MiB"
}

check_sleep() {
    before=$(uptime_cs)
    $b sleep 1
    slept=$(($(uptime_cs) - before))
    say "sleep: 1 s took $slept cs"
    [ $slept -ge 95 ] && [ $slept -le 1000 ] || fail "sleep: $slept cs"
}

run_checks() {
    failed=0
    check_rsi
    check_memory
    check_sleep
    if [ $failed -eq 0 ]; then
        say "all checks passed"
        $b poweroff -f
    fi
    $b reboot -f
}

run_shell() {
    $b --install -s /bin 2> /dev/null
    $b hostname suzerain-guest
    echo
    echo "Linux $($b uname -r) under Suzerain. 'poweroff' ends the run."
    cd /root || cd /
    $b setsid $b cttyhack $b sh
    $b poweroff -f
}

export PATH=/sbin:/bin HOME=/root TERM=vt100 PS1='guest:\w# '
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
# Kernel messages must not cut reports in two.
$b dmesg -n 4
say "init started after $(uptime_cs) cs"
case " $($b cat /proc/cmdline) " in
    *" suzerain.checks "*) run_checks ;;
    *) run_shell ;;
esac
