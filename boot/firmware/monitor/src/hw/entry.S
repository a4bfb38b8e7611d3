// Reset and exception entry at EL3 (DDI0487 D1).
//
// All CPUs reset here with the MMU off. Only the boot CPU touches memory; the
// others sleep by their index until the mailbox releases them. The MMU goes on
// before the first line of Rust, because atomics need cacheable memory.
//
// TPIDR_EL3 holds the CPU's index from the first instructions on. At the top of
// each stack are two frames, one per world: while a world runs, SP_EL3 is at the
// end of its frame, so that an exception saves registers where they stay.

.macro monitor_mov64 reg, value
    movz \reg, #((\value) & 0xffff)
    movk \reg, #(((\value) >> 16) & 0xffff), lsl #16
    movk \reg, #(((\value) >> 32) & 0xffff), lsl #32
    movk \reg, #(((\value) >> 48) & 0xffff), lsl #48
.endm

// Leaves in \reg the top of this CPU's stack. Clobbers \tmp.
.macro monitor_stack_top reg, tmp
    mrs \reg, tpidr_el3
    add \reg, \reg, #1
    mov \tmp, #{STACK_SLOT}
    mul \reg, \reg, \tmp
    monitor_mov64 \tmp, {STACKS_BASE}
    add \reg, \reg, \tmp
.endm

.section .text.entry, "ax"
.global monitor_entry
.type monitor_entry, %function
monitor_entry:
    msr daifset, #0xf
    mrs x0, mpidr_el1
    and x19, x0, #0xff
    ubfx x1, x0, #8, #8
    mov x2, #{CPUS_PER_CLUSTER}
    madd x19, x1, x2, x19
    msr tpidr_el3, x19
    adr x0, monitor_vectors
    msr vbar_el3, x0
    isb
    cbz x19, monitor_boot_cpu
    cmp x19, #{MAX_CPUS}
    b.lo monitor_pen
1:  wfi
    b 1b

// A CPU that is off. x19: its index. Whoever releases it fills the mailbox, then
// sends the wake SGI. The SGI is Group 0 only from here until the CPU is set up:
// one sent before that has been dropped, but then the mailbox is full already.
monitor_pen:
    adrp x1, {MAILBOX}
    add x1, x1, :lo12:{MAILBOX}
    add x1, x1, x19, lsl #3
    mrs x2, id_aa64pfr0_el1
    ubfx x2, x2, #24, #4
    cbz x2, monitor_pen_without_gic
    mov x2, #{ICC_SRE}
    msr s3_6_c12_c12_5, x2          // ICC_SRE_EL3
    isb
    monitor_mov64 x3, {GICR_BASE}
    add x3, x3, x19, lsl #{GICR_SHIFT}
    ldr w4, [x3, #0xc]              // GICR_TYPER: affinities
    mrs x5, mpidr_el1
    and w5, w5, #0xffffff
    cmp w4, w5
    b.ne monitor_pen_without_gic
    ldr w4, [x3, #0x14]             // GICR_WAKER
    bic w4, w4, #2
    str w4, [x3, #0x14]
    add x3, x3, #0x10000
    mov w5, #(1 << {WAKE_SGI})
    ldr w4, [x3, #0x80]             // GICR_IGROUPR0
    bic w4, w4, w5
    str w4, [x3, #0x80]
    ldr w4, [x3, #0xd00]            // GICR_IGRPMODR0
    bic w4, w4, w5
    str w4, [x3, #0xd00]
    strb wzr, [x3, #(0x400 + {WAKE_SGI})] // GICR_IPRIORITYR
    str w5, [x3, #0x100]            // GICR_ISENABLER0
    // The Non-secure world's interrupts are of priority 0x80 and below.
    mov x2, #0x80
    msr s3_0_c4_c6_0, x2            // ICC_PMR_EL1
    mov x2, #1
    msr s3_0_c12_c12_6, x2          // ICC_IGRPEN0_EL1
    isb
    dsb sy
2:  ldr x2, [x1]
    cbnz x2, monitor_pen_leave
    wfi
    mrs x2, s3_0_c12_c8_0           // ICC_IAR0_EL1
    cmp x2, #{WAKE_SGI}
    b.ne 2b
    msr s3_0_c12_c8_1, x2           // ICC_EOIR0_EL1
    isb
    b 2b
monitor_pen_leave:
    msr s3_0_c12_c12_6, xzr
    msr s3_0_c4_c6_0, xzr
    isb
    adr x20, {WARM}
    b monitor_start

monitor_pen_without_gic:
    wfe
    ldr x2, [x1]
    cbz x2, monitor_pen_without_gic
    adr x20, {WARM}
    b monitor_start

monitor_boot_cpu:
    adrp x0, __data_load
    add x0, x0, :lo12:__data_load
    adrp x1, __data_start
    add x1, x1, :lo12:__data_start
    adrp x2, __data_end
    add x2, x2, :lo12:__data_end
3:  cmp x1, x2
    b.hs 4f
    ldp x3, x4, [x0], #16
    stp x3, x4, [x1], #16
    b 3b
4:  adrp x1, __bss_start
    add x1, x1, :lo12:__bss_start
    adrp x2, __bss_end
    add x2, x2, :lo12:__bss_end
5:  cmp x1, x2
    b.hs 6f
    stp xzr, xzr, [x1], #16
    b 5b
6:  adr x20, {COLD}

// x20: the Rust function that prepares the first frame.
monitor_start:
    monitor_mov64 x0, {MAIR}
    msr mair_el3, x0
    monitor_mov64 x0, {TCR}
    msr tcr_el3, x0
    monitor_mov64 x0, {TABLES}
    msr ttbr0_el3, x0
    isb
    tlbi alle3
    ic iallu
    dsb nsh
    isb
    monitor_mov64 x0, {SCTLR}
    msr sctlr_el3, x0
    isb
    monitor_stack_top x0, x1
    sub x0, x0, #{FRAMES_SIZE}
    mov sp, x0
    mov x29, xzr
    mov x30, xzr
    blr x20
    b monitor_leave
.size monitor_entry, . - monitor_entry

// fn monitor_turn_off(index) -> !: back to the pen, for good or until CPU_ON.
.global monitor_turn_off
.type monitor_turn_off, %function
monitor_turn_off:
    mov x19, x0
    b monitor_pen
.size monitor_turn_off, . - monitor_turn_off

.type monitor_lower_sync, %function
monitor_lower_sync:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x0, sp_el0
    stp x30, x0, [sp, #240]
    mrs x0, elr_el3
    mrs x1, spsr_el3
    stp x0, x1, [sp, #{FRAME_ELR}]
    // Slots are aligned to their size: the frames are the last of this one.
    mov x0, sp
    orr x0, x0, #({STACK_SLOT} - 1)
    sub x0, x0, #({FRAMES_SIZE} - 1)
    mov sp, x0
    mov x29, xzr
    bl {LOWER_SYNC}

// x0: the frame to leave with.
monitor_leave:
    mov sp, x0
    ldp x0, x1, [sp, #{FRAME_ELR}]
    msr elr_el3, x0
    msr spsr_el3, x1
    ldp x30, x0, [sp, #240]
    msr sp_el0, x0
    ldp x28, x29, [sp, #224]
    ldp x26, x27, [sp, #208]
    ldp x24, x25, [sp, #192]
    ldp x22, x23, [sp, #176]
    ldp x20, x21, [sp, #160]
    ldp x18, x19, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp], #{FRAME_SIZE}
    eret
    // No speculation past the return.
    dsb nsh
    isb
.size monitor_lower_sync, . - monitor_lower_sync

// x0: number of the vector. The stack may be what is broken: start it anew.
.type monitor_fatal, %function
monitor_fatal:
    monitor_stack_top x1, x2
    mov sp, x1
    mov x29, xzr
    bl {FATAL}
7:  wfi
    b 7b
.size monitor_fatal, . - monitor_fatal

.macro monitor_fatal_vector number
    .balign 0x80
    mov x0, #\number
    b monitor_fatal
.endm

.balign 0x800
.type monitor_vectors, %object
monitor_vectors:
    monitor_fatal_vector 0
    monitor_fatal_vector 1
    monitor_fatal_vector 2
    monitor_fatal_vector 3
    monitor_fatal_vector 4
    monitor_fatal_vector 5
    monitor_fatal_vector 6
    monitor_fatal_vector 7
    .balign 0x80
    sub sp, sp, #{FRAME_SIZE}
    stp x0, x1, [sp]
    b monitor_lower_sync
    monitor_fatal_vector 9
    monitor_fatal_vector 10
    monitor_fatal_vector 11
    monitor_fatal_vector 12
    monitor_fatal_vector 13
    monitor_fatal_vector 14
    monitor_fatal_vector 15
.size monitor_vectors, . - monitor_vectors
