// Exception vectors and stage 1, with the MMU off. Changes x1 and x2.
.macro guest_begin
    adrp x1, guest_vectors
    add x1, x1, :lo12:guest_vectors
    msr vbar_el1, x1

    ldr x1, ={MAIR}
    msr mair_el1, x1
    ldr x1, ={TCR}
    msr tcr_el1, x1
    adrp x1, {TABLE}
    add x1, x1, :lo12:{TABLE}
    msr ttbr0_el1, x1
    isb
    tlbi vmalle1
    dsb nsh
    isb
    mrs x1, sctlr_el1
    ldr x2, ={SCTLR_SET}
    orr x1, x1, x2
    msr sctlr_el1, x1
    isb

    mov x29, xzr
    mov x30, xzr
.endm

// Entered by the RMM with the MMU off, x0 the guest's device tree.
.section .text.entry, "ax"
.global guest_entry
.type guest_entry, @function
guest_entry:
    adrp x1, guest_stack_top
    add x1, x1, :lo12:guest_stack_top
    mov sp, x1
    guest_begin
    b guest_main
.size guest_entry, . - guest_entry
.ltorg

// Another CPU, turned on by CPU_ON with the MMU off: x0 is where its stack ends and
// its function lie, which are read with the MMU on, as they were written.
.section .text.secondary, "ax"
.global guest_secondary
.type guest_secondary, @function
guest_secondary:
    guest_begin
    ldp x1, x2, [x0]
    mov sp, x1
    br x2
.size guest_secondary, . - guest_secondary
.ltorg

.macro guest_vector handler
    .balign 0x80
    sub sp, sp, #{FRAME}
    stp x0, x1, [sp]
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
    str x30, [sp, #{X30}]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x0, x1, [sp, #{ELR}]
    mov x0, sp
    bl \handler
    b guest_return
.endm

.section .text.vectors, "ax"
.balign 0x800
guest_vectors:
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {SYNC}
    guest_vector {IRQ}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}
    guest_vector {UNEXPECTED}

.balign 0x80
guest_return:
    ldp x0, x1, [sp, #{ELR}]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x0, x1, [sp]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldr x30, [sp, #{X30}]
    add sp, sp, #{FRAME}
    eret
