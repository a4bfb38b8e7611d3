#!/bin/busybox sh
# Process 1 of the built-in initial file system. With the word suzerain.checks
# on the kernel's command line it checks that the guest works, reports on the
# console and powers off, or reboots if a check failed, so that even the
# outcome of the VM tells. With suzerain.poweroff it tells the counter and does
# nothing else, for benches. Otherwise it gives a shell on the console. The power
# key ends either: see lib/power.sh.
#
# More words ask for more checks: see lib/checks.sh and lib/devices.sh.

b=/bin/busybox
failed=0
tty=console

say() { echo "SUZERAIN-GUEST: $*"; }
fail() { say "FAILED: $*"; failed=1; }

# Whether the kernel's command line has the word suzerain.$1; what stands behind
# its equals sign goes to stdout.
word() {
    for given in $($b cat /proc/cmdline); do
        case "$given" in
            "suzerain.$1") return 0 ;;
            "suzerain.$1="*) echo "${given#*=}"; return 0 ;;
        esac
    done
    return 1
}

# Seconds since boot, times one hundred.
uptime_cs() {
    read -r up _ < /proc/uptime
    echo $((${up%.*} * 100 + 1${up#*.} - 100))
}

# Ends the run; what the console still holds would be lost.
stop() {
    $b stty -F /dev/$tty opost
    $b "$1" -f
}

run_checks() {
    . /lib/checks.sh
    heed_power_key stop poweroff
    check_all
    if [ $failed -eq 0 ]; then
        say "all checks passed"
        stop poweroff
    fi
    stop reboot
}

# Busybox's own init takes over: it makes the console the shell's terminal and
# knows what poweroff, halt and reboot mean. The - makes the console the
# controlling terminal.
run_shell() {
    $b --install -s /bin 2> /dev/null
    $b hostname suzerain-guest
    [ $tty = console ] && tty=ttyAMA0
    echo "$tty::once:-/bin/console" > /etc/inittab
    heed_power_key $b poweroff
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
if word poweroff; then
    say figure init $(/bin/ticks | $b od -A n -t u8)
    stop poweroff
fi
if [ -f /etc/modules ]; then
    . /lib/devices.sh
    load_modules
    use_console
fi
. /lib/power.sh
if word checks; then run_checks; else run_shell; fi
