// Entry of the R-EL2 image, cold and warm (RMM-EL3 interface, section 3).
//
// EL3 enters with the MMU off: x0 = CPU index, and on a cold boot x1 =
// interface version, x2 = most CPUs, x3 = shared page, x4 = activation token.
// No Rust runs before the MMU is on, because atomics need cacheable memory.
// A cold boot first uses a one-GiB block map, lets Rust plan the real tables,
// then falls into the path that every secondary takes.

.macro rmm_adr reg, symbol
    adrp \reg, \symbol
    add \reg, \reg, :lo12:\symbol
.endm

.macro rmm_mov64 reg, value
    movz \reg, #((\value) & 0xffff)
    movk \reg, #(((\value) >> 16) & 0xffff), lsl #16
    movk \reg, #(((\value) >> 32) & 0xffff), lsl #32
    movk \reg, #(((\value) >> 48) & 0xffff), lsl #48
.endm

.section .text.entry, "ax"
.global rmm_entry
.type rmm_entry, %function
rmm_entry:
    msr daifset, #0xf
    mov x20, x0
    mov x21, x1
    mov x22, x2
    mov x23, x3
    mov x24, x4
    // E2H decides how TCR and CPTR are laid out, so it comes first.
    rmm_mov64 x9, {HCR}
    msr hcr_el2, x9
    isb
    rmm_adr x9, rmm_vectors
    msr vbar_el2, x9
    rmm_adr x26, {BOOT_STATE}
    cmp x20, #{MAX_CPUS}
    mov x0, #{CODE_CPU}
    b.hs rmm_boot_failed
    ldr x9, [x26, #{STATE_READY}]
    cbnz x9, rmm_final_map

    // Drop whatever the caches hold of the image: it is written below with
    // caches off. EL3 cleaned what it loaded, so nothing is lost.
    adrp x25, __image_start
    adrp x10, __image_end
    mrs x11, ctr_el0
    ubfx x11, x11, #16, #4
    mov x12, #4
    lsl x12, x12, x11
    mov x9, x25
1:  dc civac, x9
    add x9, x9, x12
    cmp x9, x10
    b.lo 1b
    dsb sy

    rmm_adr x9, __rela_start
    rmm_adr x10, __rela_end
2:  cmp x9, x10
    b.hs 3f
    ldp x11, x12, [x9], #16
    ldr x13, [x9], #8
    mov x0, #{CODE_UNKNOWN}
    cmp x12, #{R_AARCH64_RELATIVE}
    b.ne rmm_boot_failed
    add x13, x13, x25
    str x13, [x11, x25]
    b 2b

3:  adrp x9, __bss_start
    adrp x10, __bss_end
4:  stp xzr, xzr, [x9], #16
    cmp x9, x10
    b.lo 4b

    // The block map: the GiB of the image and that of the shared page.
    rmm_adr x9, {BOOT_TABLES}
    add x10, x9, #4096
    orr x11, x10, #3
    ubfx x12, x25, #39, #9
    str x11, [x9, x12, lsl #3]
    rmm_mov64 x14, {BOOT_BLOCK}
    ubfx x12, x25, #30, #9
    lsr x13, x25, #30
    orr x13, x14, x13, lsl #30
    str x13, [x10, x12, lsl #3]
    ubfx x12, x23, #30, #9
    lsr x13, x23, #30
    orr x13, x14, x13, lsl #30
    str x13, [x10, x12, lsl #3]
    rmm_mov64 x10, {SCTLR_BOOT}
    bl rmm_enable_mmu

    bl rmm_own_stack
    mov sp, x9
    mov x0, x21
    mov x1, x22
    mov x2, x23
    bl {EARLY}
    cbnz x0, rmm_boot_failed

rmm_final_map:
    // Only instruction fetches happen while the MMU is off here.
    rmm_mov64 x10, {SCTLR_OFF}
    msr sctlr_el2, x10
    isb
    ldr x9, [x26, #{STATE_TTBR}]
    rmm_mov64 x10, {SCTLR_FINAL}
    bl rmm_enable_mmu
    // Each stack is the upper half of its slot, the lower half unmapped.
    rmm_mov64 x9, {STACK_VA}
    add x10, x20, #1
    add x9, x9, x10, lsl #{STACK_SLOT_SHIFT}
    mov sp, x9
    mov x0, x20
    mov x29, xzr
    bl {MAIN}

// x0: the code. EL3 does not enter the RMM again after a failure.
rmm_boot_failed:
    mov x1, x0
    rmm_mov64 x0, {BOOT_COMPLETE}
    smc #0
5:  wfi
    b 5b
.size rmm_entry, . - rmm_entry

// x9: root table, x10: SCTLR_EL2 with M set. Clobbers x11, x12.
.type rmm_enable_mmu, %function
rmm_enable_mmu:
    mov x11, #{MAIR}
    msr mair_el2, x11
    rmm_mov64 x11, {TCR}
    mrs x12, id_aa64mmfr0_el1
    and x12, x12, #7
    cmp x12, #5
    mov w13, #5
    csel x12, x12, x13, lo
    orr x11, x11, x12, lsl #32
    msr tcr_el2, x11
    msr ttbr0_el2, x9
    isb
    tlbi alle2
    ic iallu
    dsb nsh
    isb
    msr sctlr_el2, x10
    isb
    ret
.size rmm_enable_mmu, . - rmm_enable_mmu

// x20: CPU index. Returns in x9 the top of its stack's physical memory.
.type rmm_own_stack, %function
rmm_own_stack:
    rmm_adr x9, {STACKS}
    add x10, x20, #1
    mov x11, #{STACK_SIZE}
    madd x9, x10, x11, x9
    ret
.size rmm_own_stack, . - rmm_own_stack
