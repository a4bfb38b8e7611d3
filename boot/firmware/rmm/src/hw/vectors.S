// The exception vectors of R-EL2, and the way into and out of a Realm.
//
// From this level only one exception is expected: a data abort of the routines
// that access Non-secure memory, which then report the fault (DDI0487, D1.4).
// Exceptions from a Realm return to whoever called rmm_enter_realm.

.arch_extension sb

.macro rmm_vector_fatal kind
    .balign 0x80
    mov x1, #\kind
    b rmm_vector_stop
.endm

.macro rmm_vector_realm kind
    .balign 0x80
    stp x0, x1, [sp, #-16]!
    mov x1, #\kind
    b rmm_leave_realm
.endm

.section .text.vectors, "ax"
.balign 0x800
.global rmm_vectors
rmm_vectors:
    rmm_vector_fatal 0
    rmm_vector_fatal 1
    rmm_vector_fatal 2
    rmm_vector_fatal 3

    .balign 0x80
    // Bit STACK_SHIFT of sp is clear once a stack has run into its guard.
    // Until that is known nothing may be stored, and no register is free.
    add sp, sp, x0
    sub x0, sp, x0
    tbz x0, #{STACK_SHIFT}, 1f
    sub x0, sp, x0
    sub sp, sp, x0
    b rmm_el2_sync
1:  mov x1, #8
    b rmm_vector_stop
    rmm_vector_fatal 5
    rmm_vector_fatal 6
    rmm_vector_fatal 7

    rmm_vector_realm 0
    rmm_vector_realm 1
    rmm_vector_realm 2
    rmm_vector_realm 3

    rmm_vector_fatal 12
    rmm_vector_fatal 13
    rmm_vector_fatal 14
    rmm_vector_fatal 15

rmm_el2_sync:
    stp x0, x1, [sp, #-16]!
    mrs x0, esr_el2
    lsr x0, x0, #26
    cmp x0, #{EC_DATA_ABORT}
    b.ne 2f
    mrs x0, elr_el2
    rmm_adr x1, rmm_ns_access
    cmp x0, x1
    b.lo 2f
    rmm_adr x1, rmm_ns_access_end
    cmp x0, x1
    b.hs 2f
    // Faults on Realm memory are defects, not the host's doing.
    mrs x0, far_el2
    lsr x0, x0, #{NS_SHIFT}
    cmp x0, #1
    b.ne 2f
    rmm_adr x0, rmm_ns_fault
    msr elr_el2, x0
    ldp x0, x1, [sp], #16
    eret
    sb
2:  mov x1, #4

// x1: the vector. The stack may be what broke, so another one is used.
rmm_vector_stop:
    rmm_adr x9, {EMERGENCY_STACK}
    add x9, x9, #{EMERGENCY_STACK_SIZE}
    mov sp, x9
    mov x0, x1
    mov x29, xzr
    bl {FATAL}

// x0: the Realm's x0 to x30. Returns the vector in x0: 0 synchronous, 1 IRQ,
// 2 FIQ, 3 SError. ELR_EL2 and SPSR_EL2 say where the Realm goes on.
.global rmm_enter_realm
.type rmm_enter_realm, %function
rmm_enter_realm:
    stp x29, x30, [sp, #-112]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    str x0, [sp, #96]
    ldp x2, x3, [x0, #16]
    ldp x4, x5, [x0, #32]
    ldp x6, x7, [x0, #48]
    ldp x8, x9, [x0, #64]
    ldp x10, x11, [x0, #80]
    ldp x12, x13, [x0, #96]
    ldp x14, x15, [x0, #112]
    ldp x16, x17, [x0, #128]
    ldp x18, x19, [x0, #144]
    ldp x20, x21, [x0, #160]
    ldp x22, x23, [x0, #176]
    ldp x24, x25, [x0, #192]
    ldp x26, x27, [x0, #208]
    ldp x28, x29, [x0, #224]
    ldr x30, [x0, #240]
    ldp x0, x1, [x0]
    eret
    sb

rmm_leave_realm:
    ldr x0, [sp, #112]
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    str x30, [x0, #240]
    ldp x2, x3, [sp], #16
    stp x2, x3, [x0]
    mov x0, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #112
    ret
.size rmm_enter_realm, . - rmm_enter_realm

// Copies x2 bytes, a multiple of 8, from x1 to x0, either of which may be
// Non-secure. Returns 0, or 1 when Non-secure memory could not be reached.
.global rmm_ns_copy
.type rmm_ns_copy, %function
rmm_ns_copy:
rmm_ns_access:
    subs x2, x2, #64
    b.lo 4f
3:  ldp x3, x4, [x1]
    ldp x5, x6, [x1, #16]
    ldp x7, x8, [x1, #32]
    ldp x9, x10, [x1, #48]
    add x1, x1, #64
    stp x3, x4, [x0]
    stp x5, x6, [x0, #16]
    stp x7, x8, [x0, #32]
    stp x9, x10, [x0, #48]
    add x0, x0, #64
    subs x2, x2, #64
    b.hs 3b
4:  add x2, x2, #64
5:  cbz x2, 6f
    ldr x3, [x1], #8
    str x3, [x0], #8
    sub x2, x2, #8
    b 5b
6:  mov x0, xzr
    ret
rmm_ns_access_end:
rmm_ns_fault:
    mov x0, #1
    ret
.size rmm_ns_copy, . - rmm_ns_copy
