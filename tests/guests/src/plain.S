// Host calls of a plain VM: HVC with the call's number as its immediate, x0 to x30
// there and back. x0 = the registers; what the ABI asks to keep is kept.

.macro guest_host_call imm
.global guest_host_call_\imm
.type guest_host_call_\imm, %function
guest_host_call_\imm:
    sub sp, sp, #112
    stp x29, x30, [sp]
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
    hvc #\imm
    b guest_host_call_return
.size guest_host_call_\imm, . - guest_host_call_\imm
.endm

.section .text.plain, "ax"
.irp imm, 1, 2, 3, 4, 5, 999
    guest_host_call \imm
.endr

.type guest_host_call_return, %function
guest_host_call_return:
    str x30, [sp, #104]
    ldr x30, [sp, #96]
    stp x0, x1, [x30]
    stp x2, x3, [x30, #16]
    stp x4, x5, [x30, #32]
    stp x6, x7, [x30, #48]
    stp x8, x9, [x30, #64]
    stp x10, x11, [x30, #80]
    stp x12, x13, [x30, #96]
    stp x14, x15, [x30, #112]
    stp x16, x17, [x30, #128]
    stp x18, x19, [x30, #144]
    stp x20, x21, [x30, #160]
    stp x22, x23, [x30, #176]
    stp x24, x25, [x30, #192]
    stp x26, x27, [x30, #208]
    stp x28, x29, [x30, #224]
    ldr x0, [sp, #104]
    str x0, [x30, #240]
    ldp x29, x30, [sp]
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    add sp, sp, #112
    ret
.size guest_host_call_return, . - guest_host_call_return

// Vector registers, which nothing else here uses: x0 in all of them, and FPCR.RMode
// set, or whether that is what they hold.
.arch_extension fp
.arch_extension simd
.global guest_fill_vectors
.type guest_fill_vectors, %function
guest_fill_vectors:
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    dup v\n\().2d, x0
.endr
.irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    dup v\n\().2d, x0
.endr
    mov x1, #0xc00000
    msr fpcr, x1
    ret
.size guest_fill_vectors, . - guest_fill_vectors

// Returns the bits in which any vector register differs from x0 or FPCR from that.
.global guest_compare_vectors
.type guest_compare_vectors, %function
guest_compare_vectors:
    mov x1, x0
    mov x0, #0
.macro guest_compare n
    mov x2, v\n\().d[0]
    mov x3, v\n\().d[1]
    eor x2, x2, x1
    eor x3, x3, x1
    orr x0, x0, x2
    orr x0, x0, x3
.endm
.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    guest_compare \n
.endr
.irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    guest_compare \n
.endr
    mrs x2, fpcr
    mov x3, #0xc00000
    eor x2, x2, x3
    orr x0, x0, x2
    ret
.size guest_compare_vectors, . - guest_compare_vectors
