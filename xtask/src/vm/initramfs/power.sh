# The power key, by which the host asks the guest to stop: sourced by /init.
#
# A kernel with the driver for keys on GPIO lines makes an input device of it.
# Debian's kernels for the cloud have the controller's driver only: there the line
# itself is looked at, once a second.

# The line of the controller, as the device tree has it.
KEY_LINE=3
# Type, code and value of struct input_event when KEY_POWER is pressed.
PRESSED='1 116 1 0'

# Waits in the background, then says so and runs the command given. What waits is
# no child of this shell, which may wait for children of its own.
heed_power_key() {
    command="$*"
    for device in /dev/input/event*; do
        [ -c $device ] && ( heed_input $device & )
    done
    if value=$(open_key_line); then ( heed_line $value & ); fi
}

heed_input() {
    exec 4< $1
    while set -- $($b dd bs=24 count=1 <&4 2> /dev/null | $b od -An -tu2 -j16) && [ $# = 4 ]; do
        if [ "$*" = "$PRESSED" ]; then obey; fi
    done
}

heed_line() {
    until read -r level < $1 && [ "$level" = 1 ]; do
        $b sleep 1
    done
    obey
}

obey() {
    say "the power key is pressed"
    $command
}

# Takes the key's line, unless a driver has it; its value's file goes to stdout.
open_key_line() {
    for chip in /sys/class/gpio/gpiochip*; do
        [ -e $chip/label ] && read -r label < $chip/label || continue
        case "$label" in
            *.pl061)
                read -r base < $chip/base
                line=$((base + KEY_LINE))
                echo $line 2> /dev/null > /sys/class/gpio/export || return 1
                echo /sys/class/gpio/gpio$line/value
                return 0
                ;;
        esac
    done
    return 1
}
